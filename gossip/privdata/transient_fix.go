// SPDX-License-Identifier: Apache-2.0

package privdata

import protostransientstore "github.com/hyperledger/fabric-protos-go/transientstore"

// StorePvtData keeps private data until their transaction is committed, or the ledger has left their height behind. The height is
// what the sender says, so it counts only as far as a sender may be ahead of this peer. Data that are purged before their
// transaction is committed, because this peer lags far behind, are asked for like others that did not come.
//
//fork:wrap fix: private data from another peer are purged some time, whatever height that peer names
func (c *coordinator) StorePvtData(txID string, privData *protostransientstore.TxPvtReadWriteSetWithConfigInfo, blkHeight uint64) error {
	if blkHeight > c.transientBlockRetention {
		height, err := c.LedgerHeight()
		if err != nil {
			return err
		}
		blkHeight = min(blkHeight, height+c.transientBlockRetention)
	}
	return c.upstreamStorePvtData(txID, privData, blkHeight)
}
