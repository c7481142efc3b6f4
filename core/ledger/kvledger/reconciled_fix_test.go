// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/stretchr/testify/require"

	configtxtest "github.com/hyperledger/fabric/common/configtx/test"
	"github.com/hyperledger/fabric/common/ledger/testutil"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/core/ledger/mock"
	"github.com/hyperledger/fabric/core/ledger/pvtdatastorage"
	"github.com/hyperledger/fabric/protoutil"
)

// ledgerConfig keeps ledgers in a folder of the test.
func ledgerConfig(t *testing.T) *ledger.Config {
	dir := t.TempDir()
	return &ledger.Config{
		RootFSPath: dir, StateDBConfig: &ledger.StateDBConfig{}, HistoryDBConfig: &ledger.HistoryDBConfig{},
		PrivateDataConfig: &ledger.PrivateDataConfig{MaxBatchSize: 5000, BatchesInterval: 1000, PurgeInterval: 100, DeprioritizedDataReconcilerInterval: time.Hour},
		SnapshotsConfig:   &ledger.SnapshotsConfig{RootDir: filepath.Join(dir, "snapshots")},
	}
}

func emptyLedger(t *testing.T) *kvLedger {
	provider := testutilNewProvider(ledgerConfig(t), t, &mock.DeployedChaincodeInfoProvider{})
	t.Cleanup(provider.Close)
	genesis, err := configtxtest.MakeGenesisBlock("reconciled")
	require.NoError(t, err)
	l, err := provider.CreateFromGenesisBlock(genesis)
	require.NoError(t, err)
	return l.(*kvLedger)
}

// TestReconciledSets: what another member answers is the set of the transaction or, where keys were purged or there is no block, does to each
// expected key what the chain says.
func TestReconciledSets(t *testing.T) {
	store := emptyLedger(t).pvtdataStore
	put := func(key string) *kvrwset.KVWrite { return &kvrwset.KVWrite{Key: key, Value: []byte("value of " + key)} }
	remove := func(key string) *kvrwset.KVWrite { return &kvrwset.KVWrite{Key: key, IsDelete: true} }
	marked := func(key string) *kvrwset.KVWrite { w := put(key); w.IsDelete = true; return w }
	set := func(writes ...*kvrwset.KVWrite) []byte {
		return protoutil.MarshalOrPanic(&kvrwset.KVRWSet{Writes: writes})
	}
	for _, f := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
		store.SetHashFunction(f)
		height, err := store.LastCommittedBlockHeight()
		require.NoError(t, err)
		require.NoError(t, store.Commit(height, nil, nil, []*pvtdatastorage.PurgeMarker{{Ns: "ns", Coll: "purged", PvtkeyHash: f.Sum([]byte("b"))}}))
		whole := set(put("a"), put("b"), remove("c"))
		for name, test := range map[string]struct {
			collection string
			answer     []byte
			block      bool // is there
			kept       []string
		}{
			"the set":                          {"coll", whole, true, []string{"a", "b", "c"}},
			"one more write":                   {"coll", set(put("a"), put("b"), remove("c"), put("junk")), true, nil},
			"a mark":                           {"coll", set(marked("a"), put("b"), remove("c")), true, nil},
			"a mark and one more write":        {"coll", set(marked("a"), put("b"), remove("c"), put("junk")), true, nil},
			"one less":                         {"coll", set(put("a"), put("b")), true, nil},
			"no block":                         {"coll", whole, false, []string{"a", "b", "c"}},
			"no block, a mark":                 {"coll", set(marked("a"), put("b"), remove("c")), false, nil},
			"no block, a value for a deletion": {"coll", set(put("a"), put("b"), put("c")), false, nil},
			"purged":                           {"purged", whole, true, []string{"a", "c"}},
			"purged there too":                 {"purged", set(put("a"), remove("c")), true, []string{"a", "c"}},
			"purged, a mark":                   {"purged", set(marked("a"), put("b"), remove("c")), true, nil},
			"purged, no mark for a deletion":   {"purged", set(put("a"), put("b"), put("c")), true, nil},
		} {
			t.Run(f.String()+"/"+name, func(t *testing.T) {
				hashes := map[string][]byte{}
				for _, key := range []string{"a", "b"} {
					hashes[string(f.Sum([]byte(key)))] = f.Sum(put(key).Value)
				}
				hashes[string(f.Sum([]byte("c")))] = nil // deleted
				var setHash []byte
				if test.block {
					setHash = f.Sum(whole)
				}
				answer := &rwset.CollectionPvtReadWriteSet{CollectionName: test.collection, Rwset: test.answer}
				kept, err := validateAndRemovePurgedKeys(store, answer, hashes, setHash, "ns", height, 0)
				require.NoError(t, err)
				require.Equal(t, test.kept != nil, kept != nil)
				if kept == nil {
					return
				}
				parsed, err := rwsetutil.CollPvtRwSetFromProtoMsg(kept)
				require.NoError(t, err)
				var keys []string
				for _, write := range parsed.KvRwSet.Writes {
					keys = append(keys, write.Key)
					require.Equal(t, write.Key == "c", rwsetutil.IsKVWriteDelete(write))
				}
				require.Equal(t, test.kept, keys)
			})
		}
	}
}

// ledgerOf opens a ledger with the collections of chaincode "ns". Their private data do not expire.
func ledgerOf(t *testing.T, names ...string) (*kvLedger, *testutil.BlockGenerator) {
	t.Helper()
	lives := map[string]uint64{}
	for _, name := range names {
		lives[name] = 0
	}
	collections := []*nsCollBtlConfig{{namespace: "ns", btlConfig: lives}}
	provider := testutilNewProviderWithCollectionConfig(t, collections, ledgerConfig(t))
	t.Cleanup(provider.Close)
	blocks, genesis := testutil.NewBlockGenerator(t, "testLedger", false)
	opened, err := provider.CreateFromGenesisBlock(genesis)
	require.NoError(t, err)
	l := opened.(*kvLedger)
	t.Cleanup(l.Close)
	commitCollectionConfigsHistoryAndDummyBlock(t, provider, l, collections, blocks)
	return l, blocks
}

// TestReconciledTogether: a write that its transaction has not hashed does not take the place of an older one that is right.
func TestReconciledTogether(t *testing.T) {
	l, blocks := ledgerOf(t, "coll")

	of, ofOthers := produceSamplePvtdata(t, 0, [][4]string{{"ns", "coll", "of others", "right"}})
	_, own := produceSamplePvtdata(t, 0, [][4]string{{"ns", "coll", "own", "value"}})
	both, _ := produceSamplePvtdata(t, 0, [][4]string{{"ns", "coll", "own", "value"}, {"ns", "coll", "of others", "wrong"}})
	public := &rwset.TxReadWriteSet{}
	require.NoError(t, proto.Unmarshal(own, public))
	stored := both.WriteSet.NsPvtRwset[0].CollectionPvtRwset[0].Rwset
	public.NsRwset[0].CollectionHashedRwset[0].PvtRwsetHash = protoutil.HashSHA256.Sum(stored)
	var received []*ledger.ReconciledPvtdata
	for _, tx := range []struct {
		written []byte
		private *ledger.TxPvtData
	}{{ofOthers, of}, {protoutil.MarshalOrPanic(public), both}} {
		block := &ledger.BlockAndPvtData{Block: blocks.NextBlock([][]byte{tx.written}), MissingPvtData: ledger.TxMissingPvtData{}}
		block.MissingPvtData.Add(0, "ns", "coll", true)
		require.NoError(t, l.commit(block, &ledger.CommitOptions{}))
		received = append(received, &ledger.ReconciledPvtdata{BlockNum: block.Block.Header.Number, WriteSets: ledger.TxPvtDataMap{0: tx.private}})
	}
	_, err := l.CommitPvtDataOfOldBlocks(received, nil)
	require.NoError(t, err)
	state, err := l.NewQueryExecutor()
	require.NoError(t, err)
	defer state.Done()
	for key, value := range map[string]string{"of others": "right", "own": "value"} {
		got, err := state.GetPrivateData("ns", "coll", key)
		require.NoError(t, err)
		require.Equal(t, value, string(got))
	}
	kept, err := l.GetPvtDataByNum(3, nil)
	require.NoError(t, err)
	require.Equal(t, stored, kept[0].WriteSet.NsPvtRwset[0].CollectionPvtRwset[0].Rwset, "others compare it with its hash")
}
