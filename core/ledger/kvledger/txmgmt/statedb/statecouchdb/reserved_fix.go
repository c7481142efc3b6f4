// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import "strings"

// removeReservedFields leaves out of a document what only CouchDB and the peer may write.
//
// A value that is no JSON is an attachment, and its document has fields nevertheless: the standard library has read those of an object before it
// says that a number in it has no place in a float64. Nobody has checked these. A field that CouchDB does not know has it refuse all documents of
// the block, and "_deleted" has it store none. Fields that are allowed stay, as in documents of stock peers, which find them by queries.
func (v jsonValue) removeReservedFields() {
	for name := range v {
		if name == versionField || strings.HasPrefix(name, "_") {
			delete(v, name)
		}
	}
}
