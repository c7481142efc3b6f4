// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"bytes"

	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
)

// Whoever can satisfy one endorsement policy alone chooses what stands in a read set. An error or a panic at its validation ends each peer of
// the channel at this block, at every start again. What no simulation writes is therefore a conflict, and the transaction invalid. No peer of
// stock Fabric gets past such a block, so nobody judges it otherwise.

// validateRangeQuery reports whether a range of the state is as the transaction has read it.
//
//fork:wrap fix: a range whose results are hashed in groups of none or one ends no peer
func (v *validator) validateRangeQuery(ns string, info *kvrwset.RangeQueryInfo, updates *privacyenabledstate.PubUpdateBatch) (bool, error) {
	if hashes := info.GetReadsMerkleHashes(); hashes != nil && hashes.MaxDegree < 2 {
		return false, nil
	}
	return v.upstreamValidateRangeQuery(ns, info, updates)
}

// convertToVersionHeight returns the height that a read names, nil if it names none.
//
//fork:replace fix: a key in a range that was read without a version ends no peer
func convertToVersionHeight(v *kvrwset.Version) *version.Height { return rwsetutil.NewVersion(v) }

// validate builds the tree of hashes over the present results, and compares its top level with that of the transaction as it grows.
//
//fork:replace fix: a tree that outgrows that of the transaction is a conflict; it could be an index out of range, even for an honest one
func (v *rangeQueryHashValidator) validate() (bool, error) {
	want := v.rqInfo.GetReadsMerkleHashes()
	for equal := 0; ; { // hashes of the top level that were compared
		result, err := v.itr.Next()
		if err != nil {
			return false, err
		}
		if result == nil {
			_, tree, err := v.resultsHelper.Done()
			return err == nil && merkleSummariesEqual(want, tree), err
		}
		if err := v.resultsHelper.AddResult(rwsetutil.NewKVRead(result.Key, result.Version)); err != nil {
			return false, err
		}
		tree := v.resultsHelper.GetMerkleSummary()
		switch n := len(tree.MaxLevelHashes); {
		case tree.MaxLevel < want.MaxLevel: // its top is not there yet
		case tree.MaxLevel > want.MaxLevel, n > len(want.MaxLevelHashes):
			return false, nil // more results than the transaction has read
		case n > equal:
			if !bytes.Equal(tree.MaxLevelHashes[equal], want.MaxLevelHashes[equal]) {
				return false, nil
			}
			equal++
		}
	}
}
