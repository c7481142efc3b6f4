// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/protoutil"
)

// TestPurgeOfNoKey: a hash that belongs to no key purges nothing, and is in the hashed state what upstream makes of it.
func TestPurgeOfNoKey(t *testing.T) {
	hash := protoutil.HashSHA256.Sum([]byte("key"))
	purged := map[string]bool{"": false, string(hash[:31]): false, string(hash) + "\x01": false, string(hash): true}
	for hash, is := range purged {
		tx := &transaction{rwset: &rwsetutil.TxRwSet{NsRwSets: []*rwsetutil.NsRwSet{
			hashes("ns", "coll", &kvrwset.HashedRWSet{HashedWrites: []*kvrwset.KVWriteHash{{KeyHash: []byte(hash), IsDelete: true, IsPurge: true}}}),
		}}}
		tx.rwset.NsRwSets[0].KvRwSet = &kvrwset.KVRWSet{}
		v := &validator{db: states(t)["LevelDB"], hashFunc: testHashFunc}
		updates, markers, err := v.validateAndPrepareBatch(&block{num: 2, txs: []*transaction{tx}}, true)
		require.NoError(t, err)
		require.Zero(t, tx.validationCode)
		require.NotNil(t, updates.hashUpdates.UpdateMap["ns"].GetUpdates("coll")[hash], "%d bytes", len(hash))
		require.Equal(t, is, len(markers) == 1, "%d bytes", len(hash))
	}
}
