// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"encoding/json"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb"
	"github.com/pkg/errors"
)

// A transaction names what its client likes: whoever satisfies the policy of one namespace may name any other in a read set. An error of the
// database at its validation ends each peer of the channel that has CouchDB, at every start again. So a name that CouchDB cannot have is read as
// a name that nothing was written to, which is what peers with LevelDB find there. A namespace that nothing was written to needs no database:
// reads make none, since one transaction could name more of them than CouchDB bears.

// VersionedDB knows whether its list of namespaces is complete.
//
//fork:fields fix: only writes make databases
type VersionedDB struct {
	namespacesKnown bool // protected by mux
}

// initChannelMetadata fills the list of namespaces. The list of a ledger of v2.0 is made by reading the state.
//
//fork:wrap fix: only writes make databases
func (vdb *VersionedDB) initChannelMetadata(isNewDB bool, provider statedb.NamespaceProvider) error {
	vdb.setNamespacesKnown(false)
	err := vdb.upstreamInitChannelMetadata(isNewDB, provider)
	vdb.setNamespacesKnown(err == nil)
	return err
}

func (vdb *VersionedDB) setNamespacesKnown(known bool) {
	vdb.mux.Lock()
	defer vdb.mux.Unlock()
	vdb.namespacesKnown = known
}

// readChannelMetadata leaves out the illegal namespaces with which versions without this check ended. Nothing can be read or dropped there.
//
//fork:wrap fix: a namespace of an illegal name ends no peer
func readChannelMetadata(metadataDB *couchDatabase) (*channelMetadata, error) {
	metadata, err := upstreamReadChannelMetadata(metadataDB)
	if err != nil || metadata == nil {
		return metadata, err
	}
	for namespace := range metadata.NamespaceDBsInfo {
		if validateNamespace(metadata.ChannelName, namespace) != nil {
			delete(metadata.NamespaceDBsInfo, namespace)
		}
	}
	return metadata, nil
}

// getNamespaceDBHandle makes the database of a namespace, unless it is there.
//
//fork:wrap fix: a namespace of an illegal name is not stored in the list of namespaces
func (vdb *VersionedDB) getNamespaceDBHandle(namespace string) (*couchDatabase, error) {
	vdb.mux.RLock()
	db := vdb.namespaceDBs[namespace]
	vdb.mux.RUnlock()
	if db != nil {
		return db, nil
	}
	if err := validateNamespace(vdb.chainName, namespace); err != nil {
		return nil, err
	}
	return vdb.upstreamGetNamespaceDBHandle(namespace)
}

// validateNamespace returns an error if the channel can have no database for a namespace.
func validateNamespace(channel, namespace string) error {
	if !utf8.ValidString(namespace) { // the list of namespaces is JSON
		return errors.Errorf("invalid namespace [%x], must be a UTF-8 string", namespace)
	}
	_, err := mapAndValidateDatabaseName(constructNamespaceDBName(channel, namespace))
	return err
}

// ValidateNamespace returns an error if nothing can be written to a namespace, as ValidateKeyValue does for a key and its value.
func (vdb *VersionedDB) ValidateNamespace(namespace string) error {
	if vdb.hasNamespace(namespace) { // most often, and much cheaper
		return nil
	}
	return validateNamespace(vdb.chainName, namespace)
}

// hasNamespace reports whether there may be something in a namespace.
func (vdb *VersionedDB) hasNamespace(namespace string) bool {
	vdb.mux.RLock()
	defer vdb.mux.RUnlock()
	if !vdb.namespacesKnown {
		return validateNamespace(vdb.chainName, namespace) == nil
	}
	_, ok := vdb.channelMetadata.NamespaceDBsInfo[namespace]
	return ok
}

// isOwnDocument reports whether a document in the database of the channel, which is that of the namespace "" too, is the peer's own.
func isOwnDocument(key string) bool { return key == savepointDocID || key == channelMetadataDocID }

// GetState reads a value.
//
//fork:wrap fix: a key that CouchDB cannot have is absent, as it is for LevelDB
func (vdb *VersionedDB) GetState(namespace, key string) (*statedb.VersionedValue, error) {
	if validateKey(key) != nil || namespace == "" && isOwnDocument(key) {
		return nil, nil
	}
	return vdb.upstreamGetState(namespace, key)
}

// getState reads a value from the cache. Its keys are joined of namespace and key, so one with a zero byte would have that of another.
//
//fork:wrap fix: a namespace that CouchDB cannot have has nothing of another namespace, for some peers and not for others
func (c *cache) getState(chainID, namespace, key string) (*CacheValue, error) {
	if strings.Contains(namespace, string(keySep)) {
		return nil, nil
	}
	return c.upstreamGetState(chainID, namespace, key)
}

// readFromDB reads a value that is not in the cache. Upstream refuses some keys first; GetState does not ask for them.
//
//fork:wrap fix: a namespace that CouchDB cannot have, or does not have, is empty
func (vdb *VersionedDB) readFromDB(namespace, key string) (*keyValue, error) {
	if validateKey(key) == nil && !vdb.hasNamespace(namespace) {
		return nil, nil
	}
	return vdb.upstreamReadFromDB(namespace, key)
}

// retrieveMetadata reads the versions of what the transactions of a block have read, and which the cache does not have.
//
//fork:wrap fix: a key or namespace that CouchDB cannot have is absent, as it is for LevelDB
func (vdb *VersionedDB) retrieveMetadata(keys map[string][]string) (map[string][]*docMetadata, error) {
	possible := map[string][]string{}
	for namespace, keys := range keys {
		if !vdb.hasNamespace(namespace) {
			continue
		}
		for _, key := range keys {
			if validateKey(key) == nil {
				possible[namespace] = append(possible[namespace], key)
			}
		}
	}
	return vdb.upstreamRetrieveMetadata(possible)
}

// GetStateRangeScanIteratorWithPagination reads a range.
//
//fork:wrap fix: a range of which nothing or not both ends can be in CouchDB has what is in it, as it has for LevelDB
func (vdb *VersionedDB) GetStateRangeScanIteratorWithPagination(namespace, startKey, endKey string, pageSize int32) (statedb.QueryResultsIterator, error) {
	start, some := firstKey(startKey)
	end, _ := firstKey(endKey) // or "", no end
	if !some || !vdb.hasNamespace(namespace) {
		return &queryScanner{ // without results
			namespace:       namespace,
			queryDefinition: &queryDefinition{startKey: endKey}, // which is the bookmark, as after the last of some results
			paginationInfo:  &paginationInfo{cursor: -1},
			resultsInfo:     &resultsInfo{},
		}, nil
	}
	return vdb.upstreamGetStateRangeScanIteratorWithPagination(namespace, start, end, pageSize)
}

// firstKey returns the first key, of those that CouchDB can have, that is not before the end of a range. So a range between two such keys has
// the same keys as the range between the two ends. There is none after a byte that no UTF-8 string has. The end "" stays, it is none.
func firstKey(end string) (string, bool) {
	const underscore = "_"
	if strings.HasPrefix(end, underscore) {
		return "`", true // the next character: the keys between are CouchDB's own, for which an upstream scan looks without end
	}
	valid := validPrefix(end)
	if valid == end {
		return end, true
	}
	// What follows is no character. The next string of UTF-8 has the next character there, or in the place of the one before it.
	for rest := end[len(valid):]; ; {
		if next, ok := nextCharacter(rest); ok {
			first := valid + next
			if strings.HasPrefix(first, underscore) {
				return "`", true
			}
			return first, true
		}
		if valid == "" {
			return "", false
		}
		_, size := utf8.DecodeLastRuneInString(valid)
		valid, rest = valid[:len(valid)-size], valid[len(valid)-size:]+"\xff" // more than the character
	}
}

func validPrefix(s string) string {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return s[:i]
		}
		i += size
	}
	return s
}

// nextCharacter returns the first character whose bytes are not before some bytes. Characters and their bytes have the same order.
func nextCharacter(bytes string) (string, bool) {
	const surrogates, areSurrogates = 0xd800, 0x800 // which are no characters
	const characters = utf8.MaxRune + 1 - areSurrogates
	character := func(i int) string {
		if i >= surrogates {
			i += areSurrogates
		}
		return string(rune(i))
	}
	i := sort.Search(characters, func(i int) bool { return character(i) >= bytes })
	return character(i), i < characters
}

// next returns the next document of a range or a query.
//
//fork:wrap fix: a range of large values is read on; a range in the namespace "" does not have the peer's own documents, which are no state and ended the peer
func (scanner *queryScanner) next() (*couchDoc, error) {
	for {
		scanner.readOn()
		doc, err := scanner.upstreamNext()
		if err != nil || doc == nil || scanner.namespace != "" {
			return doc, err
		}
		key, err := doc.key()
		if err != nil || !isOwnDocument(key) {
			return doc, err
		}
	}
}

// UnmarshalJSON reads what a peer needs to know of a document.
//
// The standard library takes a field of another case for the field of a struct, so that a value with a field "~VERSION" ended the peer that read
// its version, or chose the version. Fields of a map have their names only.
func (m *docMetadata) UnmarshalJSON(document []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		return err
	}
	for name, field := range map[string]any{idField: &m.ID, revField: &m.Rev, versionField: &m.Version, "_attachments": &m.AttachmentsInfo} {
		if value, ok := fields[name]; ok {
			if err := json.Unmarshal(value, field); err != nil {
				return err
			}
		}
	}
	return nil
}
