// SPDX-License-Identifier: Apache-2.0

package txmgr

import (
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"

	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
)

// checkIfPvtWriteIsStale reports whether a private write that came later is to be left out. Upstream compares the value with its hash only
// where the versions differ, and never whether it is a deletion.
//
//fork:wrap fix: reconciled private data change a key only to what the chain says of it
func checkIfPvtWriteIsStale(key *privacyenabledstate.HashedCompositeKey, write *privacyenabledstate.PvtKVWrite, db *privacyenabledstate.DB) (bool, error) {
	stale, err := upstreamCheckIfPvtWriteIsStale(key, write, db)
	if stale || err != nil {
		return stale, err
	}
	state, err := db.GetValueHash(key.Namespace, key.CollectionName, []byte(key.KeyHash))
	if err != nil {
		return true, err
	}
	hashed := &kvrwset.KVWriteHash{} // of a key that is not there
	if state != nil {
		hashed.ValueHash = state.Value
	}
	return !rwsetutil.FitsHash(db.HashFunction(), &kvrwset.KVWrite{IsDelete: write.IsDelete, Value: write.Value}, hashed), nil
}
