// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/protoutil"
)

// TestUnhashedPrivateWrites: of a set whose hash is right, the private state gets what fits the hashed writes of the transaction.
func TestUnhashedPrivateWrites(t *testing.T) {
	db := states(t)["LevelDB"]
	for _, f := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
		t.Run(f.String(), func(t *testing.T) {
			db.SetHashFunction(f)
			put := func(key, value string) *kvrwset.KVWrite { return &kvrwset.KVWrite{Key: key, Value: []byte(value)} }
			remove := func(key string) *kvrwset.KVWrite { return &kvrwset.KVWrite{Key: key, IsDelete: true} }
			putHash := func(key, value string) *kvrwset.KVWriteHash {
				return &kvrwset.KVWriteHash{KeyHash: f.Sum([]byte(key)), ValueHash: f.Sum([]byte(value))}
			}
			removeHash := func(key string) *kvrwset.KVWriteHash {
				return &kvrwset.KVWriteHash{KeyHash: f.Sum([]byte(key)), IsDelete: true}
			}
			private := &rwset.TxPvtReadWriteSet{NsPvtRwset: []*rwset.NsPvtReadWriteSet{{Namespace: "ns", CollectionPvtRwset: []*rwset.CollectionPvtReadWriteSet{{
				CollectionName: "coll", Rwset: protoutil.MarshalOrPanic(&kvrwset.KVRWSet{Writes: []*kvrwset.KVWrite{
					put("fits", "value"), remove("removed"), put("emptied", ""), put("twice", "first"), put("twice", "second"),
					put("of others", "value"), remove("removed of others"), put("of another collection", "value"),
					put("another value", "value"), put("removed on chain", "value"), remove("there on chain"),
					{Key: "value and mark", Value: []byte("value"), IsDelete: true},
				}}),
			}}}}}
			stored := protoutil.MarshalOrPanic(private)
			collection := func(name string, set []byte, writes ...*kvrwset.KVWriteHash) *rwsetutil.CollHashedRwSet {
				return &rwsetutil.CollHashedRwSet{CollectionName: name, PvtRwSetHash: set, HashedRwSet: &kvrwset.HashedRWSet{HashedWrites: writes}}
			}
			tx := &transaction{rwset: &rwsetutil.TxRwSet{NsRwSets: []*rwsetutil.NsRwSet{
				{NameSpace: "another", CollHashedRwSets: []*rwsetutil.CollHashedRwSet{collection("coll", nil, putHash("of others", "value"))}},
				{NameSpace: "ns", CollHashedRwSets: []*rwsetutil.CollHashedRwSet{
					collection("coll", f.Sum(private.NsPvtRwset[0].CollectionPvtRwset[0].Rwset),
						putHash("fits", "value"), removeHash("removed"), putHash("emptied", ""), putHash("twice", "first"), putHash("twice", "second"),
						putHash("another value", "on chain"), removeHash("removed on chain"), putHash("there on chain", "value"),
						putHash("value and mark", "value")),
					collection("other", nil, putHash("of another collection", "value")),
				}},
			}}}
			batch, err := validateAndPreparePvtBatch(&block{num: 2, txs: []*transaction{tx}}, db, newPubAndHashUpdates(),
				map[uint64]*ledger.TxPvtData{0: {WriteSet: private}})
			require.NoError(t, err)
			got := map[string]string{}
			for key, write := range batch.UpdateMap["ns"].GetUpdates("coll") {
				require.Equal(t, version.NewHeight(2, 0), write.Version)
				got[key] = string(write.Value)
			}
			require.Equal(t, map[string]string{"fits": "value", "removed": "", "emptied": "", "twice": "second"}, got)
			require.Len(t, batch.UpdateMap, 1)
			require.Equal(t, stored, protoutil.MarshalOrPanic(private), "the set is stored as others have it")
		})
	}
}
