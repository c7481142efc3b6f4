// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"slices"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"

	"github.com/hyperledger/fabric/core/ledger"
)

// CommitLegacy commits a block without private data that are no write set, or too large for a refused transaction. Whoever endorses a
// transaction may have put the hash of anything into it. Upstream stops each peer that has such data at this block. Neither is recorded as
// missing: the hash has no others.
//
//fork:wrap fix: private data that are no write set, or larger than a refused transaction, are left out; the first stopped each peer that had them
func (l *kvLedger) CommitLegacy(pvtdataAndBlock *ledger.BlockAndPvtData, commitOpts *ledger.CommitOptions) error {
	for _, data := range pvtdataAndBlock.PvtData {
		bound, refused := bytesOfRefused(pvtdataAndBlock.Block, data.SeqInBlock)
		for _, namespace := range data.WriteSet.GetNsPvtRwset() {
			namespace.CollectionPvtRwset = slices.DeleteFunc(namespace.CollectionPvtRwset, func(c *rwset.CollectionPvtReadWriteSet) bool {
				malformed := proto.Unmarshal(c.GetRwset(), &kvrwset.KVRWSet{}) != nil
				large := refused && len(c.GetRwset()) > bound
				if malformed || large {
					logger.Warningf("[%s] Private data of transaction %d of block %d for collection [%s:%s] are no write set, or larger than the transaction, which is refused",
						l.ledgerID, data.SeqInBlock, pvtdataAndBlock.Block.Header.Number, namespace.Namespace, c.CollectionName)
				}
				return malformed || large
			})
		}
	}
	return l.upstreamCommitLegacy(pvtdataAndBlock, commitOpts)
}
