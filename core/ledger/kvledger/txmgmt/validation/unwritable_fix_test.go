// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/bookkeeping"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	testmock "github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate/mock"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/core/ledger/mock"
	"github.com/hyperledger/fabric/internal/couchtest"
	"github.com/stretchr/testify/require"
)

// states opens the state of a channel in LevelDB and in CouchDB, with one key in each kind of state.
func states(t *testing.T) map[string]*privacyenabledstate.DB {
	server := couchtest.Start()
	t.Cleanup(server.Close)
	dbs := map[string]*privacyenabledstate.DB{}
	for name, config := range map[string]*ledger.StateDBConfig{
		"LevelDB": {},
		"CouchDB": {StateDatabase: ledger.CouchDB, CouchDB: &ledger.CouchDBConfig{
			Address: server.Address(), InternalQueryLimit: 10, MaxBatchUpdateSize: 10, MaxRetries: 1, MaxRetriesOnStartup: 1,
			RequestTimeout: 10 * time.Second, RedoLogPath: t.TempDir(), UserCacheSizeMBs: 8,
		}},
	} {
		bookkeeper := bookkeeping.NewTestEnv(t)
		t.Cleanup(bookkeeper.Cleanup)
		provider, err := privacyenabledstate.NewDBProvider(bookkeeper.TestProvider, &disabled.Provider{}, &mock.HealthCheckRegistry{},
			&privacyenabledstate.StateDBConfig{StateDBConfig: config, LevelDBPath: t.TempDir()}, []string{"lscc", "_lifecycle"})
		require.NoError(t, err)
		t.Cleanup(provider.Close)
		dbs[name], err = provider.GetDBHandle("channel", &testmock.ChannelInfoProvider{})
		require.NoError(t, err)
		batch := privacyenabledstate.NewUpdateBatch()
		at := version.NewHeight(1, 1)
		batch.PubUpdates.PutValAndMetadata("ns", "key", []byte("value"), []byte("metadata"), at)
		batch.PubUpdates.Put("", "CHANNEL_CONFIG_ENV_BYTES", []byte("value"), at)
		batch.HashUpdates.Put("ns", "coll", []byte("hash"), []byte("value"), at)
		require.NoError(t, dbs[name].ApplyPrivacyAwareUpdates(batch, at))
	}
	return dbs
}

// judge validates a transaction as the only one of a block, and commits the block.
func judge(t *testing.T, db *privacyenabledstate.DB, mvcc bool, sets ...*rwsetutil.NsRwSet) peer.TxValidationCode {
	t.Helper()
	for _, set := range sets {
		if set.KvRwSet == nil {
			set.KvRwSet = &kvrwset.KVRWSet{} // as when it is parsed
		}
	}
	tx := &transaction{rwset: &rwsetutil.TxRwSet{NsRwSets: sets}}
	if validateWriteset(tx.rwset, db.ValidateKeyValue) != nil {
		return peer.TxValidationCode_INVALID_WRITESET
	}
	v := &validator{db: db, hashFunc: testHashFunc}
	updates, _, err := v.validateAndPrepareBatch(&block{num: 2, txs: []*transaction{tx}}, mvcc)
	require.NoError(t, err)
	batch := &privacyenabledstate.UpdateBatch{
		PubUpdates: updates.publicUpdates, HashUpdates: updates.hashUpdates, PvtUpdates: privacyenabledstate.NewPvtUpdateBatch(),
	}
	require.NoError(t, db.ApplyPrivacyAwareUpdates(batch, version.NewHeight(2, 0)))
	return tx.validationCode
}

func reads(namespace, key string, version *kvrwset.Version) *rwsetutil.NsRwSet {
	return &rwsetutil.NsRwSet{NameSpace: namespace, KvRwSet: &kvrwset.KVRWSet{Reads: []*kvrwset.KVRead{{Key: key, Version: version}}}}
}

func ranges(namespace, start, end string, exhausted bool, keys ...string) *rwsetutil.NsRwSet {
	info := &kvrwset.RangeQueryInfo{StartKey: start, EndKey: end, ItrExhausted: exhausted}
	var list []*kvrwset.KVRead
	for _, key := range keys {
		list = append(list, rwsetutil.NewKVRead(key, version.NewHeight(1, 1)))
	}
	rwsetutil.SetRawReads(info, list)
	return &rwsetutil.NsRwSet{NameSpace: namespace, KvRwSet: &kvrwset.KVRWSet{RangeQueriesInfo: []*kvrwset.RangeQueryInfo{info}}}
}

func hashes(namespace, collection string, set *kvrwset.HashedRWSet) *rwsetutil.NsRwSet {
	return &rwsetutil.NsRwSet{NameSpace: namespace, CollHashedRwSets: []*rwsetutil.CollHashedRwSet{{CollectionName: collection, HashedRwSet: set}}}
}

func hashedReads(namespace, collection, hash string) *rwsetutil.NsRwSet {
	return hashes(namespace, collection, &kvrwset.HashedRWSet{HashedReads: []*kvrwset.KVReadHash{{KeyHash: []byte(hash)}}})
}

func hashedWrites(collection, hash, value string) *rwsetutil.NsRwSet {
	return hashes("ns", collection, &kvrwset.HashedRWSet{HashedWrites: []*kvrwset.KVWriteHash{{KeyHash: []byte(hash), ValueHash: []byte(value)}}})
}

func metadataWrites(key string) *rwsetutil.NsRwSet {
	return &rwsetutil.NsRwSet{NameSpace: "ns", KvRwSet: &kvrwset.KVRWSet{MetadataWrites: []*kvrwset.KVMetadataWrite{
		{Key: key, Entries: []*kvrwset.KVMetadataEntry{{Name: "name", Value: []byte("value")}}},
	}}}
}

// TestNamesThatCouchDBCannotHave judges transactions that name such things. What they read is judged as peers with LevelDB do. What they
// write is invalid, as upstream judges public keys and values.
func TestNamesThatCouchDBCannotHave(t *testing.T) {
	const (
		valid     = peer.TxValidationCode_VALID
		conflict  = peer.TxValidationCode_MVCC_READ_CONFLICT
		phantom   = peer.TxValidationCode_PHANTOM_READ_CONFLICT
		unwritten = peer.TxValidationCode_INVALID_WRITESET
	)
	long := strings.Repeat("k", 20_000)
	some := &kvrwset.Version{BlockNum: 1, TxNum: 1}
	cases := map[string]struct {
		set          *rwsetutil.NsRwSet
		level, couch peer.TxValidationCode
	}{
		"a key":                        {reads("ns", "key", some), valid, valid},
		"a key that begins with _":     {reads("ns", "_x", nil), valid, valid},
		"it has a version":             {reads("ns", "_x", some), conflict, conflict},
		"an empty key":                 {reads("ns", "", nil), valid, valid},
		"a key that is no UTF-8":       {reads("ns", "\xff", nil), valid, valid},
		"a namespace of no legal name": {reads("命名", "key", nil), valid, valid},
		"and a version":                {reads("命名", "key", some), conflict, conflict},
		"a namespace of no UTF-8":      {reads("\xff", "key", nil), valid, valid},
		"the peer's own document":      {reads("", "statedb_savepoint", nil), valid, valid},

		"a range":                       {ranges("ns", "a", "z", true, "key"), valid, valid},
		"it ends with _x":               {ranges("ns", "a", "_x", false), valid, valid},
		"it ends with _x, exhausted":    {ranges("ns", "A", "_x", true), valid, valid},
		"with _x, and has a result":     {ranges("ns", "A", "_x", true, "key"), phantom, phantom},
		"it begins with _x":             {ranges("ns", "_x", "z", true, "key"), valid, valid},
		"its last key is empty":         {ranges("ns", "", "", false, "key"), valid, valid},
		"it ends before it begins":      {ranges("ns", "z", "a", true), valid, valid},
		"it ends with no UTF-8":         {ranges("ns", "a", "\xff", false, "key"), valid, valid},
		"it begins with no UTF-8":       {ranges("ns", "\xff", "", true), valid, valid},
		"its last key is long":          {ranges("ns", "a", long, false, "key"), valid, valid},
		"in a namespace of no name":     {ranges("命名", "a", "z", true), valid, valid},
		"there, with a last key":        {ranges("命名", "a", "z", false), valid, valid},
		"in the namespace \"\"":         {ranges("", "", "", true, "CHANNEL_CONFIG_ENV_BYTES"), valid, valid},
		"up to the peer's own document": {ranges("", "a", "statedb_savepoint", false), valid, valid},

		"hashes of a key":                  {hashedReads("ns", "coll", "another"), valid, valid},
		"of an empty key":                  {hashedReads("ns", "coll", ""), valid, valid},
		"in a collection of no legal name": {hashedReads("ns", "集合", "hash"), valid, valid},
		"in the collection \"\"":           {hashedReads("ns", "", "_x"), valid, valid},

		"metadata of a key":                {metadataWrites("key"), valid, valid},
		"metadata of _x":                   {metadataWrites("_x"), valid, valid},
		"metadata of an empty key":         {metadataWrites(""), valid, valid},
		"metadata of a long key":           {metadataWrites(long), valid, valid},
		"metadata of a hash of no name":    {hashes("ns", "集合", &kvrwset.HashedRWSet{MetadataWrites: []*kvrwset.KVMetadataWriteHash{{KeyHash: []byte("hash")}}}), valid, valid},
		"metadata of _x, in no collection": {hashes("ns", "", &kvrwset.HashedRWSet{MetadataWrites: []*kvrwset.KVMetadataWriteHash{{KeyHash: []byte("_x")}}}), valid, valid},

		"a value, as upstream":      {&rwsetutil.NsRwSet{NameSpace: "ns", KvRwSet: &kvrwset.KVRWSet{Writes: []*kvrwset.KVWrite{{Key: "_x", Value: []byte("value")}}}}, valid, unwritten},
		"a value in no namespace":   {&rwsetutil.NsRwSet{NameSpace: "命名", KvRwSet: &kvrwset.KVRWSet{Writes: []*kvrwset.KVWrite{{Key: "key", Value: []byte("value")}}}}, valid, unwritten},
		"hashes":                    {hashedWrites("coll", "hash", "value"), valid, valid},
		"hashes that are no hash":   {hashedWrites("coll", "_x\xff", "{}"), valid, valid},
		"a hash that is a document": {hashedWrites("coll", "hash", `{"_id":1}`), valid, unwritten},
		"an empty hash of a key":    {hashedWrites("coll", "", "value"), valid, unwritten},
		"hashes in no collection":   {hashedWrites("集合", "hash", "value"), valid, unwritten},
		"a public key as a hash":    {hashedWrites("", "another", "value"), valid, valid},
		"one that begins with _":    {hashedWrites("", "_x", "value"), valid, unwritten},
		"one with a reserved field": {hashedWrites("", "another", `{"~version":1}`), valid, unwritten},
		"one that is no UTF-8":      {hashedWrites("", "\xff", "value"), valid, unwritten},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			dbs := states(t)
			require.Equal(t, test.level, judge(t, dbs["LevelDB"], true, test.set))
			require.Equal(t, test.couch, judge(t, dbs["CouchDB"], true, test.set))
		})
	}

	// A peer that makes its state again from its blocks does not compare versions, but writes.
	dbs := states(t)
	require.Equal(t, unwritten, judge(t, dbs["CouchDB"], false, hashedWrites("集合", "hash", "value")))
	require.Equal(t, conflict, judge(t, dbs["CouchDB"], true, reads("ns", "key", nil)), "the next block is judged")
}
