// SPDX-License-Identifier: Apache-2.0

package blocksprovider

import (
	"errors"
	"io"
	"testing"

	"github.com/hyperledger/fabric-lib-go/common/flogging"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric/common/deliverclient"
	"github.com/hyperledger/fabric/common/deliverclient/orderers"
	"github.com/stretchr/testify/require"
)

// refusing verifies no block; asked is the last one.
type refusing struct {
	UpdatableBlockVerifier
	asked *common.Block
}

func (v *refusing) Clone() deliverclient.CloneableUpdatableBlockVerifier { return v }

func (v *refusing) VerifyBlock(block *common.Block) error { return v.VerifyBlockAttestation(block) }
func (v *refusing) VerifyBlockAttestation(block *common.Block) error {
	v.asked = block
	return errors.New("no block of the channel")
}

// oneBlock is an orderer that sends a block, and then ends.
type oneBlock struct {
	orderer.AtomicBroadcast_DeliverClient
	block *common.Block
}

func (o *oneBlock) Recv() (*orderer.DeliverResponse, error) {
	if o.block == nil {
		return nil, io.EOF
	}
	block := o.block
	o.block = nil
	return &orderer.DeliverResponse{Type: &orderer.DeliverResponse_Block{Block: block}}, nil
}

func (o *oneBlock) CloseSend() error { return nil }

// An orderer may send anything.
func TestBlockWithoutHeader(t *testing.T) {
	logger := flogging.MustGetLogger("test")
	block := &common.Block{}
	verifier := &refusing{}
	blocks := &BlockReceiver{updatableBlockVerifier: verifier, endpoint: &orderers.Endpoint{}, logger: logger}
	answer, _ := (&oneBlock{block: block}).Recv()
	_, _, err := blocks.processMsg(answer)
	require.Error(t, err)
	require.Same(t, block, verifier.asked, "which refuses a block without a header")

	verifier = &refusing{}
	NewBFTHeaderReceiver("trade", "orderer:7050", &oneBlock{block: block}, func() {}, verifier, nil, logger).DeliverHeaders()
	require.Same(t, block, verifier.asked)
}
