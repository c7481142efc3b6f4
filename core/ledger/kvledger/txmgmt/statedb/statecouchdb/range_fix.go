// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/pkg/errors"
)

// maxRange is the number of bytes of documents after which a range is read on in another request.
const maxRange = 16 << 20

// readDocRange reads documents of a range, and returns the key at which the next ones begin: the end of the range if there are none. It returns
// less than the limit if they are large, or if the answer breaks off.
//
//fork:replace fix: large values in a range do not take memory without bound, or more time than a request has; a range that ends before it begins is empty, which CouchDB 3.4 refuses; a range whose end has an escaped character has no key twice
func (dbclient *couchDatabase) readDocRange(startKey, endKey string, limit int32) ([]*queryResult, string, error) {
	if endKey != "" && startKey >= endKey {
		return nil, endKey, nil
	}
	response, err := dbclient.askForRange(startKey, endKey, limit)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	rows := rangeRows{startKey: startKey, endKey: endKey, limit: int(limit), next: endKey}
	err = rows.read(json.NewDecoder(response.Body))
	if last := len(rows.results) - 1; err != nil && last > 0 { // some have come; the last one is asked for again, as where the next ones begin
		couchdbLogger.Warningf("[%s] The answer about a range has broken off after %d documents, asking for the others: %s", dbclient.dbName, last+1, err)
		return rows.results[:last], rows.results[last].id, nil
	}
	if err != nil {
		return nil, "", err
	}
	if rows.bytes <= maxRange {
		closeResponseBody(response) // reads the few bytes that are left, so that the connection is used again
	}
	return rows.results, rows.next, nil
}

// askForRange asks for one document more than the limit, which says where the next ones begin.
func (dbclient *couchDatabase) askForRange(startKey, endKey string, limit int32) (*http.Response, error) {
	address, err := url.Parse(dbclient.couchInstance.url())
	if err != nil {
		return nil, errors.Wrapf(err, "error parsing CouchDB URL: %s", dbclient.couchInstance.url())
	}
	parameters := url.Values{
		"limit": {strconv.FormatInt(int64(limit)+1, 10)}, "inclusive_end": {"false"}, "include_docs": {"true"}, "attachments": {"true"},
	}
	for name, key := range map[string]string{"startkey": startKey, "endkey": endKey} {
		if key == "" {
			continue
		}
		written, err := encodeForJSON(key)
		if err != nil {
			return nil, err
		}
		parameters.Set(name, `"`+written+`"`)
	}
	response, _, err := dbclient.handleRequest(http.MethodGet, "RangeDocRange", address, nil, "", "",
		dbclient.couchInstance.conf.MaxRetries, true, &parameters, "_all_docs")
	return response, err
}

// rangeRows are the documents of an answer.
type rangeRows struct {
	startKey, endKey string
	limit            int
	results          []*queryResult
	bytes            int
	next             string // the key at which the next ones begin
}

func (r *rangeRows) read(decoder *json.Decoder) error {
	if err := findRows(decoder); err != nil {
		return err
	}
	for decoder.More() {
		var row struct {
			Doc json.RawMessage `json:"doc"`
		}
		var metadata docMetadata
		err := decoder.Decode(&row)
		if err == nil {
			err = json.Unmarshal(row.Doc, &metadata)
		}
		if err != nil {
			return errors.Wrap(err, "error unmarshalling json data")
		}
		if len(r.results) == r.limit || r.bytes > maxRange {
			r.next = metadata.ID
			return nil
		}
		if metadata.ID < r.startKey || r.endKey != "" && metadata.ID >= r.endKey { // old versions read no range in the body of a request
			r.results = nil
			return errors.Errorf("CouchDB has answered with document %.40q, which is not of the range %.40q to %.40q; it must be of version 3.1 or newer", metadata.ID, r.startKey, r.endKey)
		}
		r.add(row.Doc, &metadata)
	}
	_, err := decoder.Token() // the bracket, or the answer has broken off
	return errors.Wrap(err, "error reading response body")
}

func (r *rangeRows) add(document []byte, metadata *docMetadata) {
	var attachments []*attachmentInfo
	for name, attachment := range metadata.AttachmentsInfo {
		attachment.Name = name
		attachments = append(attachments, attachment)
	}
	r.results = append(r.results, &queryResult{metadata.ID, document, attachments})
	r.bytes += len(document)
}

// readOn has the scanner ask for the next documents of a range when it has returned all that an answer had, though less than it asked for.
func (scanner *queryScanner) readOn() {
	limit, page := scanner.queryDefinition.internalQueryLimit, scanner.paginationInfo
	more := page.requestedLimit <= 0 || scanner.resultsInfo.totalRecordsReturned < page.requestedLimit
	if scanner.queryDefinition.query == "" && !scanner.exhausted && more && page.cursor+1 >= int32(len(scanner.resultsInfo.results)) {
		page.cursor = limit - 1
	}
}
