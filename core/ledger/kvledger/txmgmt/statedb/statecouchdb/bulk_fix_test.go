// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb/mock"
	"github.com/hyperledger/fabric/internal/couchtest"
)

// most is the greatest of some numbers.
type most struct{ atomic.Int64 }

func (m *most) see(n int64) {
	for old := m.Load(); n > old && !m.CompareAndSwap(old, n); old = m.Load() {
	}
}

// TestBulkRequests writes and reads keys of a hundred requests. Few are under way at the same time.
func TestBulkRequests(t *testing.T) {
	couch(t) // sets the level of the log
	server := couchtest.Start()
	t.Cleanup(server.Close)
	var open atomic.Int64
	var mostOpen most
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			mostOpen.see(open.Add(1))
			defer open.Add(-1)
			time.Sleep(5 * time.Millisecond)
		}
		server.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	handle, err := openAt(t, slow.Listener.Addr().String()).GetDBHandle(channel, &mock.NamespaceProvider{})
	require.NoError(t, err)
	db := handle.(*VersionedDB)

	const n = 1000 // and ten in a request
	var keys []string
	var questions []*statedb.CompositeKey
	for i := range n {
		keys = append(keys, fmt.Sprint("key", i))
		questions = append(questions, &statedb.CompositeKey{Namespace: namespace, Key: keys[i]})
	}
	put(t, namespace, keys, db)
	require.LessOrEqual(t, mostOpen.Load(), int64(maxBulk), "reading revisions, and writing")
	require.NoError(t, db.LoadCommittedVersions(questions))
	require.LessOrEqual(t, mostOpen.Load(), int64(maxBulk), "reading versions")
	for i, key := range keys {
		found, cached := db.GetCachedVersion(namespace, key)
		require.True(t, cached)
		require.Equal(t, version.NewHeight(1, uint64(i)), found)
	}
}

// answering is a database whose documents come as a function writes them.
func answering(t *testing.T, timeout time.Duration, write func(w io.Writer, key string)) *couchDatabase {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Keys []string }
		json.NewDecoder(r.Body).Decode(&request)
		io.WriteString(w, `{"total_rows":3,"offset":null,"rows":[`)
		for i, key := range request.Keys {
			if i > 0 {
				io.WriteString(w, ",")
			}
			w.(http.Flusher).Flush()
			write(w, key)
		}
		io.WriteString(w, "]}")
	}))
	t.Cleanup(server.Close)
	conf := &ledger.CouchDBConfig{Address: server.Listener.Addr().String(), RequestTimeout: timeout}
	return &couchDatabase{&couchInstance{conf, &http.Client{Timeout: timeout}, newStats(&disabled.Provider{})}, "channel_chaincode"}
}

func requireVersions(t *testing.T, db *couchDatabase, n int) {
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprint("key", i))
	}
	found, err := db.batchRetrieveDocumentMetadata(keys)
	require.NoError(t, err)
	require.Len(t, found, n)
	for i, key := range keys {
		require.Equal(t, &docMetadata{ID: key, Rev: "1-cafe", Version: "version"}, found[i])
	}
}

// TestVersionsOfLargeDocuments reads versions of documents that are large together.
func TestVersionsOfLargeDocuments(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	var memory most
	db := answering(t, time.Minute, func(w io.Writer, key string) {
		fmt.Fprintf(w, `{"id":%q,"key":%q,"doc":{"_id":%q,"_rev":"1-cafe","~version":"version","large":"%s"}}`, key, key, key, large)
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		memory.see(int64(now.HeapAlloc))
	})
	requireVersions(t, db, 64)
	require.Less(t, memory.Load(), int64(64<<20))
}

// TestVersionsOfSlowDocuments reads versions of documents that take longer than the time of a request.
func TestVersionsOfSlowDocuments(t *testing.T) {
	const timeout = 300 * time.Millisecond
	db := answering(t, timeout, func(w io.Writer, key string) {
		time.Sleep(timeout / 30)
		fmt.Fprintf(w, `{"id":%q,"key":%q,"doc":{"_id":%q,"_rev":"1-cafe","~version":"version"}}`, key, key, key)
	})
	requireVersions(t, db, 100)

	// An answer that breaks off in each size is an error.
	db = answering(t, timeout, func(w io.Writer, key string) { panic(http.ErrAbortHandler) })
	_, err := db.batchRetrieveDocumentMetadata([]string{"a", "b", "c"})
	require.ErrorContains(t, err, "error reading response body")
}
