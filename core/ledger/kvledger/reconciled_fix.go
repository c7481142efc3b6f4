// SPDX-License-Identifier: Apache-2.0

package kvledger

import (
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
)

// applyValidTxPvtDataOfOldBlocks brings private data that came later into the state. Of several writes of a key, the newest counts, and it is
// left out if it does not fit the state. So writes that their transaction has not hashed are left out first: they would displace others that fit.
//
//fork:wrap fix: private writes that the transaction has not hashed change no keys of others
func (l *kvLedger) applyValidTxPvtDataOfOldBlocks(data map[uint64][]*ledger.TxPvtData) error {
	fitting := make(map[uint64][]*ledger.TxPvtData, len(data))
	for number, transactions := range data {
		if l.bootSnapshotMetadata != nil && number <= l.bootSnapshotMetadata.LastBlockNumber { // each write was compared, as there is no block
			fitting[number] = transactions
			continue
		}
		for _, tx := range transactions {
			public, err := retrieveRwsetForTx(number, tx.SeqInBlock, l.blockStore)
			if err != nil {
				return err
			}
			private, err := rwsetutil.TxPvtRwSetFromProtoMsg(tx.WriteSet)
			if err != nil {
				return err
			}
			set, err := rwsetutil.LeaveOutUnhashed(l.pvtdataStore.HashFunction(), public, private).ToProtoMsg()
			if err != nil {
				return err
			}
			fitting[number] = append(fitting[number], &ledger.TxPvtData{SeqInBlock: tx.SeqInBlock, WriteSet: set})
		}
	}
	return l.upstreamApplyValidTxPvtDataOfOldBlocks(fitting)
}
