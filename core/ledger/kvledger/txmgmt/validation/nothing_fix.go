// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
)

// prepareTxOps returns what a transaction does to each key. It leaves out keys that would get no value: those that an earlier transaction of the
// block has deleted, if this one only sets their metadata, and those that a malformed write set names so often that upstream's sum of the
// operations is zero again. As where the key was never there, nothing happens to it. Upstream ends every peer of the channel at such a
// block, so nobody judges it otherwise; two honest transactions are enough for the first.
//
//fork:wrap fix: metadata of a key that was deleted earlier in the block, or a key that is named many times, end no peer
func prepareTxOps(rwset *rwsetutil.TxRwSet, precedingUpdates *publicAndHashUpdates, db *privacyenabledstate.DB) (txOps, error) {
	ops, err := upstreamPrepareTxOps(rwset, precedingUpdates, db)
	for key, op := range ops {
		if op.value == nil && !op.isDelete() {
			delete(ops, key)
		}
	}
	return ops, err
}
