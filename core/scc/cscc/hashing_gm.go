// SPDX-License-Identifier: Apache-2.0

package cscc

import (
	"fmt"
	"strings"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/configtx"
	"github.com/hyperledger/fabric/protoutil"
)

// validateConfigBlock refuses a block by which the peer cannot join a channel.
//
//fork:wrap gm: the hashes of a first block are those of the algorithm that it names; a block without metadata, at which upstream ends, is refused
func validateConfigBlock(block *common.Block, csp bccsp.BCCSP) error {
	if n := len(block.GetMetadata().GetMetadata()); n <= int(common.BlockMetadataIndex_TRANSACTIONS_FILTER) {
		return fmt.Errorf("the block has %d metadata entries, and upstream reads the one at %d; use the first block as configtxgen or an orderer gave it",
			n, common.BlockMetadataIndex_TRANSACTIONS_FILTER)
	}
	if err := upstreamValidateConfigBlock(block, csp); err != nil {
		return err
	}
	if err := protoutil.CheckConfigBlockHash(block); err != nil {
		return fmt.Errorf("refusing to join: %w", err)
	}
	return checkName(block)
}

// checkName refuses a channel that no network can have. The name becomes the path of the ledger's folders, before its configuration is
// judged: a block for "x/../other" removed the ledger of channel other. Capital letters were legal once.
func checkName(block *common.Block) error {
	name, err := protoutil.GetChannelIDFromBlock(block)
	if err != nil {
		return err
	}
	if err := configtx.ValidateChannelID(strings.ToLower(name)); err != nil {
		return fmt.Errorf("refusing to join channel %q: %w", name, err)
	}
	return nil
}
