// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb"
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

// results are as many of a range, and then an end or an error.
type results struct {
	reads []*kvrwset.KVRead
	err   error
}

func (r *results) Next() (*statedb.VersionedKV, error) {
	if len(r.reads) == 0 {
		return nil, r.err
	}
	read := r.reads[0]
	r.reads = r.reads[1:]
	return &statedb.VersionedKV{
		CompositeKey:   &statedb.CompositeKey{Namespace: "ns", Key: read.Key},
		VersionedValue: &statedb.VersionedValue{Version: rwsetutil.NewVersion(read.Version)},
	}, nil
}

func (*results) Close() {}

// TestFailuresAreNoVerdicts: a database that cannot be read, or a hash that cannot be computed, on one peer is an error there, and no verdict
// on a transaction, in which it would differ from the other peers.
func TestFailuresAreNoVerdicts(t *testing.T) {
	var reads []*kvrwset.KVRead
	for i := range 4 {
		reads = append(reads, rwsetutil.NewKVRead(fmt.Sprintf("key%d", i), version.NewHeight(1, uint64(i))))
	}
	failure := errors.New("a failure of this peer alone")
	for name, c := range map[string]struct {
		results *results
		failing int // call of the hash function; 0: none
	}{
		"a result":          {&results{reads[:3], failure}, 0},
		"the first result":  {&results{nil, failure}, 0},
		"a hash on the way": {&results{reads, nil}, 1},
		"a hash at the end": {&results{reads, nil}, 2},
		"nothing":           {&results{reads, nil}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			info := &kvrwset.RangeQueryInfo{}
			rwsetutil.SetMerkelSummary(info, buildTestHashResults(t, 2, reads))
			calls := 0
			v := &rangeQueryHashValidator{hashFunc: func(data []byte) ([]byte, error) {
				if calls++; calls == c.failing {
					return nil, failure
				}
				return testHashFunc(data)
			}}
			require.NoError(t, v.init(info, c.results))
			valid, err := v.validate()
			if name == "nothing" {
				require.NoError(t, err)
				require.True(t, valid)
				return
			}
			require.ErrorIs(t, err, failure)
			require.False(t, valid)
		})
	}
}
