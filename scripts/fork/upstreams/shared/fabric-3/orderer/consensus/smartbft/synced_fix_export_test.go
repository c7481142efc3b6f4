// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// StockDecision is what a consenter of stock Fabric has of a block.
func (c *BFTChain) StockDecision(block *cb.Block) *types.Decision {
	return c.upstreamBlockToDecision(block)
}
