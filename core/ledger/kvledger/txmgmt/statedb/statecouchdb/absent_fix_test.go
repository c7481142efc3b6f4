// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb/mock"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb/stateleveldb"
	"github.com/hyperledger/fabric/internal/couchtest"
	"github.com/stretchr/testify/require"
)

const (
	channel   = "channel"
	namespace = "chaincode"
)

// couch opens the state of a channel in a new CouchDB.
func couch(t *testing.T) (*VersionedDB, *couchtest.Server, *VersionedDBProvider) {
	flogging.ActivateSpec("info") // upstream's tests set debug, and a range is many lines
	t.Cleanup(func() { flogging.ActivateSpec("statecouchdb=debug") })
	server := couchtest.Start()
	t.Cleanup(server.Close)
	provider := open(t, server)
	db, err := provider.GetDBHandle(channel, &mock.NamespaceProvider{})
	require.NoError(t, err)
	return db.(*VersionedDB), server, provider
}

func open(t *testing.T, server *couchtest.Server) *VersionedDBProvider {
	return openAt(t, server.Address())
}

func openAt(t *testing.T, address string) *VersionedDBProvider {
	provider, err := NewVersionedDBProvider(&ledger.CouchDBConfig{
		Address: address, InternalQueryLimit: 3, MaxBatchUpdateSize: 10, MaxRetries: 1, MaxRetriesOnStartup: 1,
		RequestTimeout: 10 * time.Second, RedoLogPath: t.TempDir(), UserCacheSizeMBs: 8,
	}, &disabled.Provider{}, []string{"_lifecycle"})
	require.NoError(t, err)
	t.Cleanup(provider.Close)
	return provider
}

// level opens the state of the channel in LevelDB.
func level(t *testing.T) statedb.VersionedDB {
	provider, err := stateleveldb.NewVersionedDBProvider(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(provider.Close)
	db, err := provider.GetDBHandle(channel, nil)
	require.NoError(t, err)
	return db
}

// put writes keys at the height of their place.
func put(t *testing.T, namespace string, keys []string, dbs ...statedb.VersionedDB) {
	for _, db := range dbs {
		batch := statedb.NewUpdateBatch()
		for i, key := range keys {
			batch.Put(namespace, key, []byte("value"), version.NewHeight(1, uint64(i)))
		}
		require.NoError(t, db.ApplyUpdates(batch, version.NewHeight(1, uint64(len(keys)))))
	}
}

var (
	strangeKeys       = []string{"", "_", "_x", "_all_docs", "_design/", "\xff", "a\xc3", "a\xed\xa0\x80"}
	strangeNamespaces = []string{"_x", "UPPER_中", "a b", "\xff", "unknown", "chaincode\x00\x00kind", "chaincode$$h中", strings.Repeat("long", 100)}
)

// TestAbsent reads what CouchDB cannot have: it is absent, no error ends the peer, and nothing is made for it.
func TestAbsent(t *testing.T) {
	db, server, provider := couch(t)
	put(t, namespace, []string{"key", "\x00kind\x00key"}, db)
	put(t, "", []string{"CHANNEL_CONFIG_ENV_BYTES"}, db)
	_, err := db.GetState(namespace, "\x00kind\x00key") // into the cache
	require.NoError(t, err)
	before := server.Databases()

	var keys []*statedb.CompositeKey
	for _, key := range strangeKeys {
		keys = append(keys, &statedb.CompositeKey{Namespace: namespace, Key: key})
	}
	for _, namespace := range strangeNamespaces {
		keys = append(keys, &statedb.CompositeKey{Namespace: namespace, Key: "key"}, &statedb.CompositeKey{Namespace: namespace, Key: "\x00key"})
	}
	for _, own := range []string{savepointDocID, channelMetadataDocID} {
		keys = append(keys, &statedb.CompositeKey{Key: own})
	}
	keys = append(keys, &statedb.CompositeKey{Namespace: "chaincode\x00", Key: "kind\x00key"}) // that of the cache
	for _, key := range keys {
		value, err := db.GetState(key.Namespace, key.Key)
		require.NoError(t, err, "%q", key)
		require.Nil(t, value, "%q", key)
	}
	there := &statedb.CompositeKey{Namespace: namespace, Key: "key"}
	require.NoError(t, db.LoadCommittedVersions(append(keys, there)))
	for _, key := range keys {
		version, cached := db.GetCachedVersion(key.Namespace, key.Key)
		require.True(t, cached, "%q", key)
		require.Nil(t, version, "%q", key)
	}
	found, err := db.GetVersion(there.Namespace, there.Key)
	require.NoError(t, err)
	require.Equal(t, version.NewHeight(1, 0), found)

	for _, namespace := range strangeNamespaces {
		require.Empty(t, scan(t, db, namespace, "", ""))
	}
	require.Equal(t, before, server.Databases())
	requests := server.Requests()
	require.NoError(t, db.LoadCommittedVersions(keys[:len(strangeKeys)]))
	for i := range 1000 {
		value, err := db.GetState(fmt.Sprint("unknown", i), "key")
		require.NoError(t, err)
		require.Nil(t, value)
	}
	require.Equal(t, requests, server.Requests(), "names are judged without CouchDB")

	// A version without these checks has stored an illegal namespace, and ended. The next start forgets it.
	db.channelMetadata.NamespaceDBsInfo["_中"] = &namespaceDBInfo{Namespace: "_中", DBName: constructNamespaceDBName(channel, "_中")}
	require.NoError(t, db.writeChannelMetadata())
	again := open(t, server)
	reopened, err := again.GetDBHandle(channel, &mock.NamespaceProvider{})
	require.NoError(t, err)
	all, err := reopened.GetFullScanIterator(func(string) bool { return false })
	require.NoError(t, err)
	_, err = all.Next() // the configuration
	require.NoError(t, err)
	first, err := all.Next()
	require.NoError(t, err)
	require.Equal(t, namespace, first.Namespace)
	require.NoError(t, again.Drop(channel))
	require.NoError(t, provider.Drop("another"))
}

// TestNamespacesOfOldLedgers opens a ledger without a list of namespaces: the list is made by reading the state.
func TestNamespacesOfOldLedgers(t *testing.T) {
	db, server, _ := couch(t)
	put(t, "_lifecycle", []string{"namespaces/key"}, db)
	require.NoError(t, db.metadataDB.deleteDoc(channelMetadataDocID, ""))
	provider := &mock.NamespaceProvider{}
	provider.PossibleNamespacesCalls(func(db statedb.VersionedDB) ([]string, error) {
		require.Equal(t, []string{"namespaces/key"}, scan(t, db, "_lifecycle", "", ""))
		value, err := db.GetState("_lifecycle", "namespaces/key")
		require.NoError(t, err)
		require.NotNil(t, value)
		value, err = db.GetState("中", "key")
		require.NoError(t, err)
		require.Nil(t, value)
		return []string{"_lifecycle"}, nil
	})
	_, err := open(t, server).GetDBHandle(channel, provider)
	require.NoError(t, err)
	require.Equal(t, 1, provider.PossibleNamespacesCallCount())
}

// scan returns the keys of a range.
func scan(t *testing.T, db statedb.VersionedDB, namespace, start, end string) (keys []string) {
	t.Helper()
	results, err := db.GetStateRangeScanIterator(namespace, start, end)
	require.NoError(t, err, "%q to %q", start, end)
	defer results.Close()
	for {
		result, err := results.Next()
		require.NoError(t, err, "%q to %q", start, end)
		if result == nil {
			return keys
		}
		keys = append(keys, result.Key)
	}
}

// TestRangeEnds reads ranges between all kinds of ends, and compares with LevelDB.
func TestRangeEnds(t *testing.T) {
	onCouch, _, _ := couch(t)
	onLevel := level(t)
	put(t, namespace, []string{
		"A", "B", "^", "`", "a", "a\x00", "a\"b", "b", "é", "ê", "\ud7ff", "\ue000", "\uffff", "\U0010ffff", "\U0010ffff\U0010ffff", "\x00kind\x00a\x00", "\x00kind\x00b\x00", "\x00kind\x00c\x00",
	}, onCouch, onLevel)
	db, err := onCouch.getNamespaceDBHandle(namespace)
	require.NoError(t, err)
	_, err = db.createIndex(`{"index": {"fields": ["x"]}, "ddoc": "indexX", "name": "indexX"}`) // makes a document _design/indexX
	require.NoError(t, err)
	ends := []string{
		"", "A", "C", "^", "^\xff", "_", "_x", "_design/z", "_\xff", "`", "a", "a\x00", "a\"b", "a\xff", "b", "\x00", "\x00kind\x00", "\x00kind\x00\U0010ffff",
		"\x7f", "\x80", "\xc3", "\xc3\x28", "é", "é\xff", "\xc3\xff", "\xed\xa0\x80", "\ue000", "\xf4\x8f\xbf\xc0", "\U0010ffff", "\U0010ffff\xff", "\xff", "\u2028",
	}
	for _, start := range ends {
		for _, end := range ends {
			require.Equal(t, scan(t, onLevel, namespace, start, end), scan(t, onCouch, namespace, start, end), "%q to %q", start, end)
		}
	}

	// A key that is the end of the range as it is written in JSON.
	put(t, "json", []string{"A", "B", "a", "b", "\\", `\\z`, `\u2028`, `\x`, `\y`}, onCouch, onLevel)
	for _, start := range []string{"", "A", `\`, `\\`, `\\z`, `\u`} {
		for _, end := range []string{`\z`, "\u2028"} {
			require.Equal(t, scan(t, onLevel, "json", start, end), scan(t, onCouch, "json", start, end), "%q to %q", start, end)
		}
	}

	// The configuration is in the namespace "", and the peer's own documents are in the same database.
	put(t, "", []string{"CHANNEL_CONFIG_ENV_BYTES"}, onCouch, onLevel)
	for _, end := range []string{"", "D", "a", "channel_metadata", "d", "statedb_savepoint", "z"} {
		require.Equal(t, scan(t, onLevel, "", "", end), scan(t, onCouch, "", "", end), "%q", end)
	}
}

// TestLongKeys reads, writes and deletes keys that are too long for an address.
func TestLongKeys(t *testing.T) {
	for _, size := range []int{maxAddressed, 100_000} {
		onCouch, _, _ := couch(t)
		onLevel := level(t)
		var keys []string
		for _, first := range []string{"a", "b", "c", "d", "e"} {
			keys = append(keys, first+strings.Repeat("é", size))
		}
		put(t, namespace, keys[:4], onCouch, onLevel)
		for i, key := range keys[:4] {
			value, err := onCouch.GetState(namespace, key)
			require.NoError(t, err)
			require.Equal(t, version.NewHeight(1, uint64(i)), value.Version)
			require.Equal(t, "value", string(value.Value))
		}
		value, err := onCouch.GetState(namespace, keys[4])
		require.NoError(t, err)
		require.Nil(t, value)
		for _, start := range keys {
			for _, end := range append(keys, start+"\xff", "") {
				require.Equal(t, len(scan(t, onLevel, namespace, start, end)), len(scan(t, onCouch, namespace, start, end)))
			}
		}
		for height := uint64(2); height < 4; height++ { // the second time it is not there
			batch := statedb.NewUpdateBatch()
			batch.Delete(namespace, keys[0], version.NewHeight(height, 0))
			require.NoError(t, onCouch.ApplyUpdates(batch, version.NewHeight(height, 0)))
		}
		require.Len(t, scan(t, onCouch, namespace, "", ""), 3)
	}
}

// TestRangeOfOldCouchDB asks a CouchDB that does not read a range in the body: what it answers is no result.
func TestRangeOfOldCouchDB(t *testing.T) {
	db, server, _ := couch(t)
	long := strings.Repeat("k", 2*maxAddressed)
	put(t, namespace, []string{"a", "z"}, db)
	server.Old = true
	_, err := db.GetState(namespace, long)
	require.ErrorContains(t, err, `CouchDB has answered with document "a", which is not of the range "kkk`)
	require.ErrorContains(t, err, "it must be of version 3.1 or newer")
	_, err = db.GetStateRangeScanIterator(namespace, "a", long)
	require.ErrorContains(t, err, `document "z"`)
}

// TestFieldsOfAnotherCase reads values whose fields differ from the peer's own only in case.
func TestFieldsOfAnotherCase(t *testing.T) {
	for _, value := range []string{`{"~VERSION":1}`, `{"~VERSION":"x"}`, `{"~verſion":{}}`, `{"~verſion":"CgMBAQA="}`} {
		db, server, _ := couch(t)
		batch := statedb.NewUpdateBatch()
		batch.Put(namespace, "key", []byte(value), version.NewHeight(7, 1))
		require.NoError(t, db.ValidateKeyValue("key", []byte(value)), "stock peers take it")
		require.NoError(t, db.ApplyUpdates(batch, version.NewHeight(7, 1)))
		fresh, err := open(t, server).GetDBHandle(channel, &mock.NamespaceProvider{}) // with nothing in its cache
		require.NoError(t, err)
		db = fresh.(*VersionedDB)
		require.NoError(t, db.LoadCommittedVersions([]*statedb.CompositeKey{{Namespace: namespace, Key: "key"}}), value)
		found, cached := db.GetCachedVersion(namespace, "key")
		require.True(t, cached)
		require.Equal(t, version.NewHeight(7, 1), found, value)
		require.Equal(t, []string{"key"}, scan(t, db, namespace, "", ""))
	}
}

// TestUnwritableNamespaces asks whether something can be written.
func TestUnwritableNamespaces(t *testing.T) {
	db, _, _ := couch(t)
	for _, legal := range []string{"", namespace, "Upper-Case_1", "_lifecycle", "chaincode$$h_implicit_org_Org1MSP", "chaincode$$pcollection"} {
		require.NoError(t, db.ValidateNamespace(legal))
	}
	for _, illegal := range []string{"中", "a b", "a\x00", "\xff", strings.Repeat("n", 60) + "\xff" + strings.Repeat("n", 200), "chaincode$$h中"} {
		require.Error(t, db.ValidateNamespace(illegal))
		_, err := db.getNamespaceDBHandle(illegal)
		require.Error(t, err)
		require.NotContains(t, db.channelMetadata.NamespaceDBsInfo, illegal)
	}
}
