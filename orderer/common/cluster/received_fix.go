// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/protoutil"
)

// verifyReceived verifies what takes no key of one of the blocks that another orderer sent. Of most blocks, upstream 2.5 looks at no
// metadata at all.
func verifyReceived(index int, blocks []*common.Block) error {
	if err := VerifyBlockHash(index, blocks); err != nil {
		return err
	}
	if _, err := protoutil.ReceivedSignatures(blocks[index]); err != nil {
		return fmt.Errorf("metadata of block %d: %w", blocks[index].Header.Number, err)
	}
	return nil
}
