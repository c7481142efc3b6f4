// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"encoding/json"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// CouchDB has documents with long names, but refuses a long address. A read set names keys that may be as long as a block, and a peer that is
// refused an answer ends.

// maxAddressed is the length up to which keys are part of an address, as they always were.
const maxAddressed = 1000

// handleRequest sends a request for a database.
//
//fork:wrap fix: long ends of a range are in the body of the request, because CouchDB refuses a long address
func (dbclient *couchDatabase) handleRequest(method, functionName string, connectURL *url.URL, data []byte, rev, multipartBoundary string,
	maxRetries int, keepConnectionOpen bool, queryParms *url.Values, pathElements ...string) (*http.Response, *dbReturn, error) {
	if method == http.MethodGet && queryParms != nil && len(queryParms.Encode()) > maxAddressed {
		short, body := url.Values{}, map[string]json.RawMessage{}
		for name, values := range *queryParms {
			if name == "startkey" || name == "endkey" {
				body[name] = json.RawMessage(values[0])
			} else {
				short[name] = values
			}
		}
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, nil, errors.Wrap(err, "error marshalling json data")
		}
		method, data, queryParms = http.MethodPost, encoded, &short
	}
	return dbclient.upstreamHandleRequest(method, functionName, connectURL, data, rev, multipartBoundary,
		maxRetries, keepConnectionOpen, queryParms, pathElements...)
}

// isLong reports whether the name of a document has no place in an address.
func isLong(id string) bool { return utf8.ValidString(id) && len(encodePathElement(id)) > maxAddressed }

// readDoc reads a document.
//
//fork:wrap fix: a document with a long name is read as the range that has it alone, because CouchDB refuses a long address
func (dbclient *couchDatabase) readDoc(id string) (*couchDoc, string, error) {
	if !isLong(id) {
		return dbclient.upstreamReadDoc(id)
	}
	found, _, err := dbclient.readDocRange(id, id+"\x00", 1)
	if err != nil || len(found) == 0 {
		return nil, "", err
	}
	var metadata docMetadata
	if err := json.Unmarshal(found[0].value, &metadata); err != nil {
		return nil, "", errors.Wrap(err, "error unmarshalling json data")
	}
	return &couchDoc{jsonValue: found[0].value, attachments: found[0].attachments}, metadata.Rev, nil
}

// deleteDoc deletes a document again that could not be deleted together with others, most often because it is not there.
//
//fork:wrap fix: to delete a document with a long name that is not there ends no peer
func (dbclient *couchDatabase) deleteDoc(id, rev string) error {
	if isLong(id) {
		if doc, _, err := dbclient.readDoc(id); err != nil || doc == nil {
			return err
		}
	}
	return dbclient.upstreamDeleteDoc(id, rev)
}
