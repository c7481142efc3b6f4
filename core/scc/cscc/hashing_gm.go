// SPDX-License-Identifier: Apache-2.0

package cscc

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/protoutil"
)

// validateConfigBlock refuses a block by which the peer cannot join a channel.
//
//fork:wrap gm: the hashes of a first block are those of the algorithm that it names
func validateConfigBlock(block *common.Block, csp bccsp.BCCSP) error {
	if err := upstreamValidateConfigBlock(block, csp); err != nil {
		return err
	}
	if err := protoutil.CheckConfigBlockHash(block); err != nil {
		return fmt.Errorf("refusing to join: %w", err)
	}
	return nil
}
