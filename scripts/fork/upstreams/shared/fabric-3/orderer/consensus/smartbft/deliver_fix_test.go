// SPDX-License-Identifier: Apache-2.0

//fork:file fix: an orderer that cannot apply a decision says so and ends

package smartbft_test

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/orderer/consensus/smartbft"
	"github.com/hyperledger/fabric/protoutil"
)

// TestUndeliverable: what was decided and cannot be written ends the orderer, and does not leave it waiting for itself.
func TestUndeliverable(t *testing.T) {
	network, nodes, _ := startWithKeys(t, "testchannel")
	order(t, network, "one", 2)
	decision := nodes[3].Chain.BlockToDecision(nodes[3].State.GetLastBlock())
	decision.Signatures[1].Msg = []byte("junk")
	requireEnd := func() {
		ended := make(chan any)
		go func() {
			defer func() { ended <- recover() }()
			nodes[3].Chain.Deliver(decision.Proposal, decision.Signatures)
		}()
		require.Contains(t, <-ended, "This orderer ends, as it cannot apply what was decided: ")
	}
	requireEnd()
	require.Equal(t, 2, nodes[3].State.GetLedgerHeight())

	decision = nodes[3].Chain.BlockToDecision(nodes[3].State.GetLastBlock())
	changePayload(t, &decision.Proposal, func(b *smartbft.ByteBufferTuple, _ *cb.BlockMetadata) {
		block := proto.Clone(nodes[3].State.GetBlock(0)).(*cb.Block)
		withoutOrderers(t, block)
		b.A = protoutil.MarshalOrPanic(block.Data)
	})
	requireEnd()
}

// withoutOrderers takes the orderers out of a configuration.
func withoutOrderers(t *testing.T, block *cb.Block) {
	env := protoutil.UnmarshalEnvelopeOrPanic(block.Data.Data[0])
	payload := protoutil.UnmarshalPayloadOrPanic(env.Payload)
	config, err := protoutil.UnmarshalConfigEnvelope(payload.Data)
	require.NoError(t, err)
	delete(config.Config.ChannelGroup.Groups, "Orderer")
	payload.Data = protoutil.MarshalOrPanic(config)
	env.Payload = protoutil.MarshalOrPanic(payload)
	block.Data.Data[0] = protoutil.MarshalOrPanic(env)
}
