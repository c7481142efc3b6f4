// SPDX-License-Identifier: Apache-2.0

package pvtstatepurgemgmt

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/bookkeeping"
	btltestutil "github.com/hyperledger/fabric/core/ledger/pvtdatapolicy/testutil"
)

// TestImportOfManyExpiringKeys imports keys of three blocks and two collections, mixed. They are written together, and none is missing.
func TestImportOfManyExpiringKeys(t *testing.T) {
	env := bookkeeping.NewTestEnv(t)
	t.Cleanup(env.Cleanup)
	policy := btltestutil.SampleBTLPolicy(map[[2]string]uint64{{"ns", "coll0"}: 1, {"ns", "coll1"}: 2})
	builder := NewPurgeMgrBuilder("ledger", policy, env.TestProvider)
	const n, blocks, collections = 6000, 3, 2
	expected, writes := map[string][]string{}, 0
	for i := range n {
		block, collection, hash := uint64(i%blocks), fmt.Sprint("coll", i%collections), fmt.Sprint("hash", i)
		require.NoError(t, builder.ConsumeSnapshotData("ns", collection, []byte(hash), nil, version.NewHeight(block, uint64(i))))
		entry := fmt.Sprint(block, collection)
		expected[entry] = append(expected[entry], hash)
		if builder.waiting == 0 {
			writes++
		}
	}
	require.NoError(t, builder.Done())
	require.Less(t, writes, 100)

	stored := map[string][]string{}
	for block := range uint64(blocks) {
		for i := range uint64(collections) {
			info, err := builder.expKeeper.retrieveByExpiryKey(&expiryInfoKey{committingBlk: block, expiryBlk: block + i + 2})
			require.NoError(t, err)
			for collection, keys := range info.pvtdataKeys.Map["ns"].Map {
				for _, key := range keys.List {
					require.Empty(t, key.Key)
					entry := fmt.Sprint(block, collection)
					stored[entry] = append(stored[entry], string(key.Hash))
				}
			}
		}
	}
	require.Equal(t, expected, stored)
}
