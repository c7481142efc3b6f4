// SPDX-License-Identifier: Apache-2.0

package blocksprovider

import (
	"errors"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	gossipcommon "github.com/hyperledger/fabric/gossip/common"
	"github.com/stretchr/testify/require"
)

type noBlocks struct{ asked *common.Block }

func (v *noBlocks) VerifyBlock(_ gossipcommon.ChannelID, _ uint64, block *common.Block) error {
	v.asked = block
	return errors.New("no block of the channel")
}

// An orderer may send anything.
func TestBlockWithoutHeader(t *testing.T) {
	verifier := &noBlocks{}
	block := &common.Block{}
	d := &Deliverer{ChannelID: "trade", BlockVerifier: verifier}
	require.Error(t, d.processMsg(&orderer.DeliverResponse{Type: &orderer.DeliverResponse_Block{Block: block}}))
	require.Same(t, block, verifier.asked, "which refuses a block without a header")
}
