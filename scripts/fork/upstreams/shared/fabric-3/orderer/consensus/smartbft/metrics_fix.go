// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// updateRuntimeConfig follows each block that is added to the ledger, also those that come from other orderers after an outage.
//
//fork:wrap fix: the metrics of the last block and of the number of consenters follow every block, not only those that the orderer agreed on and the first
func (c *BFTChain) updateRuntimeConfig(block *cb.Block) types.Reconfig {
	c.Metrics.CommittedBlockNumber.Set(float64(block.Header.Number))
	reconfig := c.upstreamUpdateRuntimeConfig(block)
	c.Metrics.ClusterSize.Set(float64(len(c.RuntimeConfig.Load().(RuntimeConfig).Nodes)))
	return reconfig
}
