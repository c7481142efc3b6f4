// SPDX-License-Identifier: Apache-2.0

package pvtdatastorage

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	btltestutil "github.com/hyperledger/fabric/core/ledger/pvtdatapolicy/testutil"
	"github.com/hyperledger/fabric/protoutil"
)

// TestIndexByFunction: the store finds a private key by its hash, which a transaction that purges the key names, whether the data came
// with their block or later. The hash no longer finds the key once it has expired or is purged.
func TestIndexByFunction(t *testing.T) {
	const present, late = "key-ns-present", "key-ns-late" // the keys that produceSamplePvtdata writes
	for f, sum := range map[protoutil.HashFunction]func(string) []byte{
		protoutil.HashSHA256: func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] },
		protoutil.HashSM3:    func(s string) []byte { h := sm3.Sum([]byte(s)); return h[:] },
	} {
		t.Run(f.String(), func(t *testing.T) {
			policy := btltestutil.SampleBTLPolicy(map[[2]string]uint64{{"ns", "present"}: 2, {"ns", "late"}: 0})
			env := NewTestStoreEnv(t, "index", policy, pvtDataConf()) // removes data at every second block
			defer env.Cleanup()
			store := env.TestStore
			store.SetHashFunction(f)
			rawKey := func(coll, key string) string {
				found, err := store.FetchPrivateDataRawKey("ns", coll, sum(key))
				require.NoError(t, err)
				return found
			}
			missing := ledger.TxMissingPvtData{}
			missing.Add(1, "ns", "late", true)

			require.NoError(t, store.Commit(0, nil, nil, nil))
			written := []*ledger.TxPvtData{produceSamplePvtdata(t, 0, []string{"ns:present"})}
			require.NoError(t, store.Commit(1, written, missing, nil))
			require.Equal(t, present, rawKey("present", present))
			require.Empty(t, rawKey("late", late))

			reconciled := []*ledger.TxPvtData{produceSamplePvtdata(t, 1, []string{"ns:late"})}
			require.NoError(t, store.CommitPvtDataOfOldBlocks(map[uint64][]*ledger.TxPvtData{1: reconciled}, nil))
			require.Equal(t, late, rawKey("late", late))

			require.NoError(t, store.Commit(2, nil, nil, nil))
			require.True(t, hasKey(t, store, late))
			require.NoError(t, store.Commit(3, nil, nil, []*PurgeMarker{{Ns: "ns", Coll: "late", PvtkeyHash: sum(late)}}))
			require.Equal(t, late, rawKey("late", late), "it is removed at the next block")
			require.False(t, hasKey(t, store, late), "it is still given out")
			require.Equal(t, present, rawKey("present", present), "it lives for two blocks")
			require.NoError(t, store.Commit(4, nil, nil, nil))
			for _, gone := range [][2]string{{"present", present}, {"late", late}} {
				require.Eventually(t, func() bool { return rawKey(gone[0], gone[1]) == "" }, 10*time.Second, 10*time.Millisecond,
					"%s is still in the index", gone[1])
			}
		})
	}
}

// hasKey reports whether the store gives out a private key with the data of block 1.
func hasKey(t *testing.T, store *Store, key string) bool {
	t.Helper()
	data, err := store.GetPvtDataByBlockNum(1, nil)
	require.NoError(t, err)
	for _, tx := range data {
		set, err := rwsetutil.TxPvtRwSetFromProtoMsg(tx.WriteSet)
		require.NoError(t, err)
		for _, write := range set.NsPvtRwSet[0].CollPvtRwSets[0].KvRwSet.Writes {
			if write.Key == key {
				return true
			}
		}
	}
	return false
}
