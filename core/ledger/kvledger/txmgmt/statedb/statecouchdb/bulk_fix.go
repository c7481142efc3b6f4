// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/pkg/errors"
)

// A block may name a million keys, and documents of any size. A peer that CouchDB does not answer in the time of a request ends, at this block
// again at each start. So few requests share CouchDB's time, an answer is read document by document, and what is too much for a request is
// asked for in parts.

// maxBulk is the number of requests for many documents that are under way for a channel at the same time. Each waits for its place before its
// time begins.
const maxBulk = 8

// bulkPlaces has a channel of places for each channel of the peer.
var bulkPlaces sync.Map

// takePlace waits for a place. A database has the name of its channel before the first underscore, which the name itself cannot have.
func (dbclient *couchDatabase) takePlace() (leave func()) {
	channel, _, _ := strings.Cut(dbclient.dbName, "_")
	places, _ := bulkPlaces.LoadOrStore(channel, make(chan struct{}, maxBulk))
	places.(chan struct{}) <- struct{}{}
	return func() { <-places.(chan struct{}) }
}

// batchUpdateDocuments writes documents in one request.
//
//fork:wrap fix: few requests write the documents of a block at the same time, so that each has its time
func (dbclient *couchDatabase) batchUpdateDocuments(documents []*couchDoc) ([]*batchUpdateResponse, error) {
	defer dbclient.takePlace()()
	return dbclient.upstreamBatchUpdateDocuments(documents)
}

// batchRetrieveDocumentMetadata reads revisions and versions of keys.
//
//fork:replace fix: few requests read versions at the same time; one answer is never in memory as a whole, and has less keys if it takes too long
func (dbclient *couchDatabase) batchRetrieveDocumentMetadata(keys []string) ([]*docMetadata, error) {
	found, answered, err := dbclient.readVersions(keys)
	if err == nil || !answered || len(keys) < 2 {
		return found, err
	}
	couchdbLogger.Warningf("[%s] The answer about %d documents has broken off, asking for its halves: %s", dbclient.dbName, len(keys), err)
	found = nil
	for _, half := range [][]string{keys[:len(keys)/2], keys[len(keys)/2:]} {
		more, err := dbclient.batchRetrieveDocumentMetadata(half)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// readVersions does so in one request, and reports whether CouchDB has begun to answer.
func (dbclient *couchDatabase) readVersions(keys []string) (found []*docMetadata, answered bool, err error) {
	request, err := json.Marshal(map[string][]string{"keys": keys})
	if err != nil {
		return nil, false, errors.Wrap(err, "error marshalling json data")
	}
	address, err := url.Parse(dbclient.couchInstance.url())
	if err != nil {
		return nil, false, errors.Wrapf(err, "error parsing CouchDB URL: %s", dbclient.couchInstance.url())
	}
	defer dbclient.takePlace()()
	response, _, err := dbclient.handleRequest(http.MethodPost, "BatchRetrieveDocumentMetadata", address, request, "", "",
		dbclient.couchInstance.conf.MaxRetries, true, &url.Values{"include_docs": {"true"}}, "_all_docs")
	if err != nil {
		return nil, false, err
	}
	defer closeResponseBody(response)
	found, err = readRows(json.NewDecoder(response.Body))
	return found, true, err
}

// readRows reads what a peer needs to know of the documents in an answer.
func readRows(decoder *json.Decoder) (found []*docMetadata, err error) {
	if err := findRows(decoder); err != nil {
		return nil, err
	}
	for decoder.More() {
		var row struct {
			ID  string      `json:"id"`
			Doc docMetadata `json:"doc"`
		}
		if err := decoder.Decode(&row); err != nil {
			return nil, errors.Wrap(err, "error unmarshalling json data")
		}
		found = append(found, &docMetadata{ID: row.ID, Rev: row.Doc.Rev, Version: row.Doc.Version})
	}
	_, err = decoder.Token() // the other bracket, or the answer has broken off
	return found, errors.Wrap(err, "error reading response body")
}

// findRows reads an answer up to its first row.
func findRows(decoder *json.Decoder) error {
	for name := json.Token(nil); name != "rows"; { // the fields before are numbers
		var err error
		if name, err = decoder.Token(); err != nil {
			return errors.Wrap(err, "error reading response body")
		}
	}
	_, err := decoder.Token() // the bracket
	return errors.Wrap(err, "error reading response body")
}
