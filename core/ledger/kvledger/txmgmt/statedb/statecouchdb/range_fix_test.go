// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
)

// ranging is a database of n documents, whose attachments come as a function says.
func ranging(t *testing.T, n int, timeout time.Duration, attachment func() string) *couchDatabase {
	height, err := encodeVersionAndMetadata(version.NewHeight(1, 1), nil)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var start string
		var limit int
		json.Unmarshal([]byte(r.URL.Query().Get("startkey")), &start)
		json.Unmarshal([]byte(r.URL.Query().Get("limit")), &limit)
		fmt.Fprintf(w, `{"total_rows":%d,"offset":0,"rows":[`, n)
		separator := ""
		for i := range n {
			if id := fmt.Sprintf("key%03d", i); id >= start && limit > 0 {
				limit--
				_, err := fmt.Fprintf(w, `%s{"id":%q,"key":%[2]q,"doc":{"_id":%[2]q,"_rev":"1-cafe","~version":%q,"_attachments":{"valueBytes":{"data":"%s"}}}}`, separator, id, height, attachment())
				if err != nil {
					return // the peer has enough
				}
				w.(http.Flusher).Flush()
				separator = ","
			}
		}
		io.WriteString(w, "]}")
	}))
	t.Cleanup(server.Close)
	conf := &ledger.CouchDBConfig{Address: server.Listener.Addr().String(), RequestTimeout: timeout}
	return &couchDatabase{&couchInstance{conf, &http.Client{Timeout: timeout}, newStats(&disabled.Provider{})}, "channel_chaincode"}
}

// requireRange reads n documents in order.
func requireRange(t *testing.T, db *couchDatabase, n, pageSize int) *queryScanner {
	scanner, err := newQueryScanner(namespace, db, "", 1000, int32(pageSize), "", "", "")
	require.NoError(t, err)
	for i := range n {
		kv, err := scanner.Next()
		require.NoError(t, err)
		require.NotNil(t, kv, i)
		require.Equal(t, fmt.Sprintf("key%03d", i), kv.Key)
	}
	kv, err := scanner.Next()
	require.NoError(t, err)
	require.Nil(t, kv)
	return scanner
}

// TestRangeOfLargeValues reads a range of values that are large together.
func TestRangeOfLargeValues(t *testing.T) {
	large := base64.StdEncoding.EncodeToString(make([]byte, 256<<10))
	const n = 100 // 33 MiB
	db := ranging(t, n, time.Minute, func() string { return large })
	found, next, err := db.readDocRange("", "", n)
	require.NoError(t, err)
	require.LessOrEqual(t, len(found)*len(large), maxRange+len(large), "in memory at the same time")
	require.Equal(t, fmt.Sprintf("key%03d", len(found)), next)

	require.Equal(t, "", requireRange(t, db, n, 0).GetBookmarkAndClose())
	require.Equal(t, "", requireRange(t, db, n, n).GetBookmarkAndClose())
	const size = 70
	require.Equal(t, fmt.Sprintf("key%03d", size), requireRange(t, db, size, size).GetBookmarkAndClose())
}

// TestRangeOfSlowDocuments reads a range that takes longer than the time of a request.
func TestRangeOfSlowDocuments(t *testing.T) {
	const timeout = 300 * time.Millisecond
	slowly := func() string {
		time.Sleep(timeout / 20)
		return "eA=="
	}
	requireRange(t, ranging(t, 60, timeout, slowly), 60, 0)

	db := ranging(t, 3, timeout, func() string { panic(http.ErrAbortHandler) })
	_, _, err := db.readDocRange("", "", 10)
	require.Error(t, err)
}
