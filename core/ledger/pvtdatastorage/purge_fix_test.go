// SPDX-License-Identifier: Apache-2.0

package pvtdatastorage

import (
	"fmt"
	"testing"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger"
	btltestutil "github.com/hyperledger/fabric/core/ledger/pvtdatapolicy/testutil"
	"github.com/hyperledger/fabric/protoutil"
)

// purgeStore opens a store that purges only when a test says so.
func purgeStore(t *testing.T, f protoutil.HashFunction) *Store {
	config := pvtDataConf()
	config.PurgeInterval = 1_000_000
	config.BatchesInterval = 50
	env := NewTestStoreEnv(t, "purge", btltestutil.SampleBTLPolicy(map[[2]string]uint64{{"ns", "coll"}: 0}), config)
	t.Cleanup(env.Cleanup)
	env.TestStore.SetHashFunction(f)
	require.NoError(t, env.TestStore.Commit(0, nil, nil, nil))
	return env.TestStore
}

// purgeSets commits a block for each list of keys, with a write set of these keys and a value of some size.
func purgeSets(t *testing.T, s *Store, size int, lists ...[]string) {
	for _, keys := range lists {
		writes := []*kvrwset.KVWrite{{Key: "kept", Value: make([]byte, size)}}
		for _, key := range keys {
			writes = append(writes, &kvrwset.KVWrite{Key: key, Value: []byte("value")})
		}
		require.NoError(t, s.Commit(s.nextBlockNum(), []*ledger.TxPvtData{{WriteSet: &rwset.TxPvtReadWriteSet{NsPvtRwset: []*rwset.NsPvtReadWriteSet{{
			Namespace: "ns", CollectionPvtRwset: []*rwset.CollectionPvtReadWriteSet{{
				CollectionName: "coll", Rwset: protoutil.MarshalOrPanic(&kvrwset.KVRWSet{Writes: writes}),
			}},
		}}}}}, nil, nil))
	}
}

// purgeKeys commits a block that purges keys.
func purgeKeys(t *testing.T, s *Store, hashes ...[]byte) {
	var markers []*PurgeMarker
	for _, hash := range hashes {
		markers = append(markers, &PurgeMarker{Ns: "ns", Coll: "coll", PvtkeyHash: hash})
	}
	require.NoError(t, s.Commit(s.nextBlockNum(), nil, nil, markers))
}

// storedKeys returns the keys that the write set of a block has in the store, purged ones that are still there too.
func storedKeys(t *testing.T, s *Store, block uint64) (keys []string) {
	for _, write := range testRetrieveDataValue(t, s, &dataKey{nsCollBlk: nsCollBlk{ns: "ns", coll: "coll", blkNum: block}}).KvRwSet.Writes {
		keys = append(keys, write.Key)
	}
	return keys
}

func countKeys(t *testing.T, s *Store, prefix []byte) (n int) {
	all, err := s.db.GetIterator(prefix, []byte{prefix[0] + 1})
	require.NoError(t, err)
	defer all.Release()
	for all.Next() {
		n++
	}
	return n
}

// TestPurgeWritesEachSetOnce: however large the sets are, and however many of their keys are purged.
func TestPurgeWritesEachSetOnce(t *testing.T) {
	for _, f := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
		t.Run(f.String(), func(t *testing.T) {
			s := purgeStore(t, f)
			var keys []string
			var hashes [][]byte
			for i := range 100 {
				keys = append(keys, fmt.Sprint("key", i))
				hashes = append(hashes, f.Sum([]byte(keys[i])))
			}
			purgeSets(t, s, 5<<20, keys, keys, append([]string{"kept too"}, keys[:50]...))
			purgeKeys(t, s, hashes...)
			purgeSets(t, s, 1, keys)
			later := len(keys) + 1

			pauses := 0
			p := &purge{Store: s, batch: s.db.NewUpdateBatch(), written: map[string]bool{}, followed: map[string][]byte{}, pause: func() { pauses++ }}
			require.NoError(t, p.run())
			require.Equal(t, 3, pauses, "each set is a batch by itself")
			require.Equal(t, []string{"kept"}, storedKeys(t, s, 1))
			require.Equal(t, []string{"kept"}, storedKeys(t, s, 2))
			require.Equal(t, []string{"kept", "kept too"}, storedKeys(t, s, 3))
			require.Len(t, storedKeys(t, s, 5), later, "it was written after the purge")
			require.Equal(t, 4+later, countKeys(t, s, hashedIndexKeyPrefix))
			require.Zero(t, countKeys(t, s, purgeMarkerKeyPrefix))
			require.Equal(t, [2]int{100, 250}, [2]int{p.keys, p.records})
		})
	}
}

// TestPurgeGivesTurns: who waits for the lock has it before the purge is done.
func TestPurgeGivesTurns(t *testing.T) {
	s := purgeStore(t, protoutil.HashSHA256)
	purgeSets(t, s, 5<<20, []string{"key"}, []string{"key"})
	purgeKeys(t, s, protoutil.HashSHA256.Sum([]byte("key")))
	done := make(chan error, 1)
	s.purgerLock.Lock()
	go func() {
		defer s.purgerLock.Unlock()
		done <- s.deleteDataMarkedForPurge()
	}()
	s.purgerLock.Lock()
	require.Empty(t, done)
	s.purgerLock.Unlock()
	require.NoError(t, <-done)
	require.Equal(t, []string{"kept"}, storedKeys(t, s, 2))
}

// TestPurgeOnceMore: a key that is purged once more during a pause keeps its marker, and the next purge removes the newer data.
func TestPurgeOnceMore(t *testing.T) {
	s := purgeStore(t, protoutil.HashSHA256)
	hash := protoutil.HashSHA256.Sum([]byte("key"))
	purgeSets(t, s, 5<<20, []string{"key"}, []string{"key"})
	purgeKeys(t, s, hash)
	p := &purge{Store: s, batch: s.db.NewUpdateBatch(), written: map[string]bool{}, followed: map[string][]byte{}}
	p.pause = func() {
		p.pause = func() {}
		purgeSets(t, s, 1, []string{"key"})
		purgeKeys(t, s, hash)
	}
	require.NoError(t, p.run())
	require.NoError(t, s.deleteDataMarkedForPurge())
	for _, block := range []uint64{1, 2, 4} {
		require.Equal(t, []string{"kept"}, storedKeys(t, s, block), "block %d", block)
	}
	require.Zero(t, countKeys(t, s, purgeMarkerKeyPrefix))
	require.Equal(t, 3, countKeys(t, s, hashedIndexKeyPrefix))
}

// TestPurgeKeepsNewer: a key that was written again after its purge stays, when another key of the same set is purged.
func TestPurgeKeepsNewer(t *testing.T) {
	s := purgeStore(t, protoutil.HashSHA256)
	purgeSets(t, s, 1, []string{"a"})
	purgeKeys(t, s, protoutil.HashSHA256.Sum([]byte("a")))
	purgeSets(t, s, 1, []string{"a", "b"})
	purgeKeys(t, s, protoutil.HashSHA256.Sum([]byte("b")))
	require.NoError(t, s.deleteDataMarkedForPurge())
	require.Equal(t, []string{"kept"}, storedKeys(t, s, 1))
	require.Equal(t, []string{"kept", "a"}, storedKeys(t, s, 3))
}

// TestPurgeByAPart: a marker that an earlier version has stored finds no other keys.
func TestPurgeByAPart(t *testing.T) {
	s := purgeStore(t, protoutil.HashSHA256)
	var keys []string
	var parts [][]byte
	for i := range 50 {
		keys = append(keys, fmt.Sprint("key", i))
		parts = append(parts, protoutil.HashSHA256.Sum([]byte(keys[i]))[:31])
	}
	for i := range 1 << 16 { // hashes in which the height of a block follows upon a part
		key := fmt.Sprint("odd", i)
		if hash := protoutil.HashSHA256.Sum([]byte(key)); hash[31] == 0 {
			keys, parts = append(keys, key), append(parts, hash[:31])
		}
	}
	purgeSets(t, s, 1, keys)
	purgeKeys(t, s, append(parts, nil)...)
	require.NoError(t, s.deleteDataMarkedForPurge())
	require.Len(t, storedKeys(t, s, 1), 1+len(keys))
	require.Equal(t, 1+len(keys), countKeys(t, s, hashedIndexKeyPrefix), "a later purge finds them")
	require.Zero(t, countKeys(t, s, purgeMarkerKeyPrefix))
}
