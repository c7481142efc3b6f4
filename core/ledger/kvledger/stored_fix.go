// SPDX-License-Identifier: Apache-2.0

package kvledger

import "github.com/hyperledger/fabric/core/ledger"

// recommitLostBlocks brings blocks into the databases that lack them.
//
//fork:wrap fix: a purge is done in the state of a peer that stopped before it
func (l *kvLedger) recommitLostBlocks(first, last uint64, databases ...recoverable) error {
	l.txmgr.RawKey = l.pvtdataStore.FetchPrivateDataRawKey
	return l.upstreamRecommitLostBlocks(first, last, databases...)
}

// convertTxPvtDataArrayToMap returns the private data that the store has of a block which the peer receives again, after it has reset its ledger.
//
//fork:wrap fix: a peer that has purged private data can make its state again from its blocks
func convertTxPvtDataArrayToMap(stored []*ledger.TxPvtData) ledger.TxPvtDataMap {
	for _, data := range stored {
		data.FromStore = true
	}
	return upstreamConvertTxPvtDataArrayToMap(stored)
}
