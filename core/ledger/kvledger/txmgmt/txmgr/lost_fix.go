// SPDX-License-Identifier: Apache-2.0

package txmgr

import (
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
)

// LockBasedTxMgr finds the private key that a hash is of in the store of private data.
//
//fork:fields fix: a purge is done in the state of a peer that stopped before it
type LockBasedTxMgr struct {
	RawKey func(namespace, collection string, keyHash []byte) (string, error)
}

// CommitLostBlock brings the effects of a block into the state that lacks them. Its private data come from the store, without purged keys, and
// without the deletions of the block's own purges. Upstream takes them for wrong, so that a peer which stopped between the store and the
// state of a block with a purge could not be started any more, nor one that was to make its state again.
//
//fork:replace fix: a peer that has purged private data can make its state again from its blocks
func (txmgr *LockBasedTxMgr) CommitLostBlock(lost *ledger.BlockAndPvtData) error {
	for _, data := range lost.PvtData {
		data.FromStore = true
	}
	purges, _, _, err := txmgr.ValidateAndPrepare(lost, false)
	if err != nil {
		return err
	}
	keys := map[privacyenabledstate.PvtdataCompositeKey]*version.Height{}
	for _, purge := range purges {
		namespace, collection := purge.CompositeKey.Namespace, purge.CompositeKey.CollectionName
		key, err := txmgr.RawKey(namespace, collection, []byte(purge.CompositeKey.KeyHash))
		if err != nil {
			return err
		}
		if key != "" { // the store has never had it, or has no value of it any more
			keys[privacyenabledstate.PvtdataCompositeKey{Namespace: namespace, CollectionName: collection, Key: key}] = purge.Version
		}
	}
	txmgr.UpdateBatchWithAppInitiatedPvtKeysToPurge(keys)
	if number := lost.Block.Header.Number; number%1000 == 0 { // so that an operator sees how far it is
		logger.Infof("[%s] The state gets block %d again", txmgr.ledgerid, number)
	}
	return txmgr.Commit()
}
