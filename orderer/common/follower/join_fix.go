// SPDX-License-Identifier: Apache-2.0

//fork:file fix: an orderer that joins or follows a channel does not depend on what one other orderer claims

package follower

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/orderer/common/cluster"
	"github.com/hyperledger/fabric/orderer/common/types"
	"github.com/hyperledger/fabric/protoutil"
)

// namedByLast reports whether no further block came and the last configuration that was pulled makes this node a consenter. The follower then
// ends, although it has not reached the height that was its target: that is a number which another orderer has sent, and may be one that no
// channel reaches. While blocks come, later configurations may remove the node, or give it another number.
func (c *Chain) namedByLast(pulling error) bool {
	if !errors.Is(pulling, cluster.ErrRetryCountExhausted) || c.lastConfig == nil {
		return false
	}
	member, err := c.clusterConsenter.IsChannelMember(c.lastConfig)
	return err == nil && member
}

// checkJoined compares a pulled block with the one that the node was given to join with, if it has the same number. The blocks below
// come from the other orderers, the first one too, by which signatures are verified. If they do not lead to the given block, they stay
// in the ledger, and pulling again changes nothing.
func (c *Chain) checkJoined(block *common.Block) error {
	if c.joinBlock == nil || block.Header.Number != c.joinBlock.Header.Number {
		return nil
	}
	number := block.Header.Number
	if !bytes.Equal(block.Header.PreviousHash, c.joinBlock.Header.PreviousHash) {
		c.logger.Errorf("The blocks below [%d] are not those of the block that this node joined with: another orderer has sent false ones, or the block to join with is of another channel. "+
			"Remove the channel from this node and join again.", number)
		c.setStatus(types.StatusFailed)
		c.halt()
		return ErrChainStopped
	}
	if !bytes.Equal(protoutil.BlockHeaderHash(block.Header), protoutil.BlockHeaderHash(c.joinBlock.Header)) {
		return fmt.Errorf("the pulled block [%d] is not the one that this node joined with", number)
	}
	return nil
}
