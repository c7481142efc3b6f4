// SPDX-License-Identifier: Apache-2.0

package smartbft

import "github.com/hyperledger/fabric/orderer/consensus"

// WrapSupport has a chain that has not started write its blocks as a test says.
func (c *BFTChain) WrapSupport(wrap func(consensus.ConsenterSupport) consensus.ConsenterSupport) {
	c.support = wrap(c.support)
}
