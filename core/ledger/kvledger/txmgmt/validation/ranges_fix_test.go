// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"testing"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/stretchr/testify/require"
)

// TestMalformedRanges puts into read sets what no simulation does: the transaction is invalid, and the peer continues.
func TestMalformedRanges(t *testing.T) {
	env := testEnvs[levelDBtestEnvName]
	env.Init(t)
	defer env.Cleanup()
	db := env.GetDBHandle("TestDB")
	const keys = 40
	read := func(i int) *kvrwset.KVRead {
		return rwsetutil.NewKVRead(fmt.Sprintf("key%02d", i), version.NewHeight(1, uint64(i)))
	}
	batch := privacyenabledstate.NewUpdateBatch()
	for i := range keys {
		batch.PubUpdates.Put("ns", read(i).Key, []byte("value"), version.NewHeight(1, uint64(i)))
	}
	require.NoError(t, db.ApplyPrivacyAwareUpdates(batch, version.NewHeight(1, keys)))

	reads := func(n int) (list []*kvrwset.KVRead) {
		for i := range n {
			list = append(list, read(i))
		}
		return list
	}
	raw := func(change func(list []*kvrwset.KVRead)) *kvrwset.RangeQueryInfo {
		info := &kvrwset.RangeQueryInfo{StartKey: "key", EndKey: "kez", ItrExhausted: true}
		list := reads(keys)
		change(list)
		rwsetutil.SetRawReads(info, list)
		return info
	}
	hashed := func(summary *kvrwset.QueryReadsMerkleSummary) *kvrwset.RangeQueryInfo {
		info := &kvrwset.RangeQueryInfo{StartKey: "key", EndKey: "kez", ItrExhausted: true}
		rwsetutil.SetMerkelSummary(info, summary)
		return info
	}
	cases := map[string]struct {
		info  *kvrwset.RangeQueryInfo
		valid bool
	}{
		"as they are":       {raw(func([]*kvrwset.KVRead) {}), true},
		"without a version": {raw(func(list []*kvrwset.KVRead) { list[7].Version = nil }), false},
		"groups of none":    {hashed(&kvrwset.QueryReadsMerkleSummary{}), false},
		"groups of one":     {hashed(&kvrwset.QueryReadsMerkleSummary{MaxDegree: 1, MaxLevel: 1, MaxLevelHashes: [][]byte{{1}}}), false},
		"no hashes":         {hashed(&kvrwset.QueryReadsMerkleSummary{MaxDegree: 2}), false},
		"a level too high":  {hashed(&kvrwset.QueryReadsMerkleSummary{MaxDegree: 2, MaxLevel: 1 << 31}), false},
	}
	// What a transaction has read of a range that has grown since then. With two in a group the tree reaches another level soon.
	for n := 3; n <= keys; n++ {
		for _, degree := range []int{2, 3, 5} {
			if n <= degree {
				continue
			}
			cases[fmt.Sprintf("%d of %d, in groups of %d", n, keys, degree)] = struct {
				info  *kvrwset.RangeQueryInfo
				valid bool
			}{hashed(buildTestHashResults(t, degree, reads(n))), n == keys}
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := &validator{db: db, hashFunc: testHashFunc}
			valid, err := v.validateRangeQuery("ns", c.info, privacyenabledstate.NewUpdateBatch().PubUpdates)
			require.NoError(t, err)
			require.Equal(t, c.valid, valid)
		})
	}
}
