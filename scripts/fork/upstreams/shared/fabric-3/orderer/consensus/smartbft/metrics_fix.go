// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// updateRuntimeConfig follows each block that is added to the ledger, also those that come from other orderers after an outage.
//
//fork:wrap fix: the metric of the last block counts blocks that were fetched from other orderers
func (c *BFTChain) updateRuntimeConfig(block *cb.Block) types.Reconfig {
	c.Metrics.CommittedBlockNumber.Set(float64(block.Header.Number))
	return c.upstreamUpdateRuntimeConfig(block)
}
