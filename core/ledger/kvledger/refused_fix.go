// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/common/ledger/blkstorage"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/core/ledger/pvtdatastorage"
	"github.com/hyperledger/fabric/internal/pkg/txflags"
	"github.com/hyperledger/fabric/protoutil"
)

// bytesOfRefused returns how many bytes of private data a peer keeps for each collection of a transaction that validation has refused, and
// whether it has. Nobody need have endorsed it, so it could have the members of any collection store 100 MB for 2 KB, for ever. It has no more
// than its own size, in equal parts, as collections come one by one. Upstream keeps the data in case that a verdict was wrong and the peer
// validates the block anew; what is larger is missing then. Conflicts of reads are no refusal: the endorsements were judged.
func bytesOfRefused(block *common.Block, tx uint64) (int, bool) {
	metadata, envelopes := block.GetMetadata().GetMetadata(), block.GetData().GetData()
	if len(metadata) <= int(common.BlockMetadataIndex_TRANSACTIONS_FILTER) {
		return 0, false
	}
	flags := txflags.ValidationFlags(metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER])
	if tx >= uint64(len(flags)) || tx >= uint64(len(envelopes)) {
		return 0, false
	}
	switch flags.Flag(int(tx)) {
	case peer.TxValidationCode_VALID, peer.TxValidationCode_MVCC_READ_CONFLICT, peer.TxValidationCode_PHANTOM_READ_CONFLICT:
		return 0, false
	}
	action, err := protoutil.GetActionFromEnvelope(envelopes[tx])
	if err != nil {
		return 0, true
	}
	set := &rwsetutil.TxRwSet{}
	if err := set.FromProtoBytes(action.Results); err != nil {
		return 0, true
	}
	return len(envelopes[tx]) / max(1, set.NumCollections()), true
}

// extractValidPvtDataForBlock returns what is right of the private data that came later for a block. Of a refused transaction, what is too
// large becomes empty, as if it were purged: it is not missing any more, or it would be fetched again and again.
//
//fork:wrap fix: private data of refused transactions have a bound
func extractValidPvtDataForBlock(received *ledger.ReconciledPvtdata, blocks *blkstorage.BlockStore, store *pvtdatastorage.Store, lastOfSnapshot uint64) ([]*ledger.TxPvtData, error) {
	valid, err := upstreamExtractValidPvtDataForBlock(received, blocks, store, lastOfSnapshot)
	if err != nil || len(valid) == 0 || received.BlockNum <= lastOfSnapshot {
		return valid, err
	}
	block, err := blocks.RetrieveBlockByNumber(received.BlockNum)
	if err != nil {
		return nil, err
	}
	for _, data := range valid {
		bound, refused := bytesOfRefused(block, data.SeqInBlock)
		for _, namespace := range data.WriteSet.NsPvtRwset {
			for i, c := range namespace.CollectionPvtRwset {
				if refused && len(c.Rwset) > bound {
					logSkippedCollection(namespace.Namespace, c.CollectionName, received.BlockNum, data.SeqInBlock, "The transaction is refused, and smaller")
					namespace.CollectionPvtRwset[i] = &rwset.CollectionPvtReadWriteSet{CollectionName: c.CollectionName}
				}
			}
		}
	}
	return valid, nil
}
