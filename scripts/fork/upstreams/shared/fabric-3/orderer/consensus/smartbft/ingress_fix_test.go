// SPDX-License-Identifier: Apache-2.0

package smartbft_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	protos "github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	ab "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/mocks"
	"github.com/hyperledger/fabric/protoutil"
)

// receiveMessage also has the tests of this package say that no message of an honest consenter is too large.
//
//fork:wrap fix: no message of an honest consenter is refused for its size
func (n *Node) receiveMessage(sender uint64, message *protos.Message) {
	n.lock.RLock()
	chain := n.Chain
	n.lock.RUnlock()
	if err := chain.CheckSize(message); err != nil {
		panic(fmt.Sprintf("a message of consenter %d is refused: %v", sender, err))
	}
	n.upstreamReceiveMessage(sender, message)
}

// kinds has the messages of a network of size consenters whose blocks are full, and the first block is last.
func kinds(t *testing.T, consenters, blockSize int) (smartbft.RuntimeConfig, map[string]*protos.Message) {
	assembler, _, _ := proposing(t)
	rtc := assembler.RuntimeConfig.Load().(smartbft.RuntimeConfig)
	rtc.Nodes = make([]uint64, consenters)
	rtc.BFTConfig = types.Configuration{RequestBatchMaxBytes: uint64(blockSize)}
	requests := slices.Repeat([][]byte{nonConfigTx}, blockSize/len(nonConfigTx))
	made := assembler.AssembleProposal(protoutil.MarshalOrPanic(&protos.ViewMetadata{BlackList: make([]uint64, consenters)}), requests)
	proposal := &protos.Proposal{Header: made.Header, Payload: made.Payload, Metadata: made.Metadata, VerificationSequence: 1}
	require.Greater(t, len(proposal.Payload), blockSize-len(nonConfigTx))
	signatures := []*protos.Signature{}
	for i := range consenters {
		signatures = append(signatures, &protos.Signature{Signer: uint64(i), Value: make([]byte, 100), Msg: make([]byte, 60<<10)})
	}
	view := &protos.ViewData{LastDecision: proposal, LastDecisionSignatures: signatures, InFlightProposal: proposal, InFlightPrepared: true}
	part := &protos.SignedViewData{RawViewData: protoutil.MarshalOrPanic(view), Signer: 1, Signature: make([]byte, 100)}
	parts := slices.Repeat([]*protos.SignedViewData{part}, consenters)
	digest := strings.Repeat("0", 64)
	return rtc, map[string]*protos.Message{
		"pre-prepare": {Content: &protos.Message_PrePrepare{PrePrepare: &protos.PrePrepare{Proposal: proposal, PrevCommitSignatures: signatures}}},
		"prepare":     {Content: &protos.Message_Prepare{Prepare: &protos.Prepare{View: 1 << 60, Seq: 1 << 60, Digest: digest, Assist: true}}},
		"commit":      {Content: &protos.Message_Commit{Commit: &protos.Commit{View: 1, Digest: digest, Signature: signatures[0]}}},
		"view change": {Content: &protos.Message_ViewChange{ViewChange: &protos.ViewChange{NextView: 1 << 60}}},
		"view data":   {Content: &protos.Message_ViewData{ViewData: part}},
		"new view":    {Content: &protos.Message_NewView{NewView: &protos.NewView{SignedViewData: parts}}},
		"heartbeat":   {Content: &protos.Message_HeartBeat{HeartBeat: &protos.HeartBeat{}}},
		"beat back":   {Content: &protos.Message_HeartBeatResponse{HeartBeatResponse: &protos.HeartBeatResponse{View: 1 << 60}}},
		"state":       {Content: &protos.Message_StateTransferRequest{StateTransferRequest: &protos.StateTransferRequest{}}},
		"state back":  {Content: &protos.Message_StateTransferResponse{StateTransferResponse: &protos.StateTransferResponse{ViewNum: 1}}},
	}
}

// TestHonestSizes: each kind is taken with full blocks, also where the last block is from before AbsoluteMaxBytes was lowered.
func TestHonestSizes(t *testing.T) {
	for _, network := range []struct{ consenters, blockSize int }{{2, 4000}, {4, 10 << 20}, {16, 1 << 20}, {50, 100 << 10}} {
		rtc, messages := kinds(t, network.consenters, network.blockSize)
		for name, m := range messages {
			require.NoError(t, rtc.CheckSize(protoutil.MarshalOrPanic(m)), "%s of %d consenters", name, network.consenters)
		}
	}
	rtc, messages := kinds(t, 4, 10<<20)
	rtc.BFTConfig.RequestBatchMaxBytes = 1
	viewData := protoutil.MarshalOrPanic(messages["view data"])
	require.ErrorContains(t, rtc.CheckSize(viewData), "bytes, more than")
	rtc.LastBlock = makeNonConfigBlock(19, 10)
	rtc.LastBlock.Data.Data = [][]byte{make([]byte, 10<<20)}
	require.NoError(t, rtc.CheckSize(viewData))
}

// TestDishonestSizes: what is larger than any honest message of its kind, or has more parts, is not parsed.
func TestDishonestSizes(t *testing.T) {
	rtc, _ := kinds(t, 4, 1000)
	check := func(m *protos.Message) error { return rtc.CheckSize(protoutil.MarshalOrPanic(m)) }
	for _, size := range []int{(64 << 10) - 4, (64 << 10) - 3} { // with a tag, and a length of three bytes
		m := &protos.Message{Content: &protos.Message_ViewChange{ViewChange: &protos.ViewChange{Reason: strings.Repeat("x", size)}}}
		if size+4 <= 64<<10 {
			require.NoError(t, check(m))
		} else {
			require.ErrorContains(t, check(m), "kind 4 has 65537 bytes, more than 65536")
		}
	}
	large := &protos.Proposal{Payload: make([]byte, 3<<20)}
	viewData := func(data *protos.ViewData) *protos.SignedViewData {
		return &protos.SignedViewData{RawViewData: protoutil.MarshalOrPanic(data)}
	}
	unsigned := &protos.ViewData{LastDecisionSignatures: slices.Repeat([]*protos.Signature{{}}, 2000)}
	metadata := &protos.ViewData{InFlightProposal: &protos.Proposal{Metadata: make([]byte, 70_000)}}
	for text, m := range map[string]*protos.Message{
		"kind 1 has ":                        {Content: &protos.Message_PrePrepare{PrePrepare: &protos.PrePrepare{Proposal: large}}},
		"kind 5 has ":                        {Content: &protos.Message_ViewData{ViewData: viewData(&protos.ViewData{InFlightProposal: large})}},
		"more than 1028 of field 4":          {Content: &protos.Message_PrePrepare{PrePrepare: &protos.PrePrepare{PrevCommitSignatures: unsigned.LastDecisionSignatures}}},
		"field 1: more than 1028 of field 3": {Content: &protos.Message_ViewData{ViewData: viewData(unsigned)}},
		"field 4: field 3: 70000 bytes":      {Content: &protos.Message_ViewData{ViewData: viewData(metadata)}},
		"field 2: field 1: more than 1028": {Content: &protos.Message_NewView{NewView: &protos.NewView{
			SignedViewData: slices.Repeat([]*protos.SignedViewData{viewData(unsigned)}, 2),
		}}},
		"less than two":  {Content: &protos.Message_NewView{NewView: &protos.NewView{SignedViewData: slices.Repeat([]*protos.SignedViewData{viewData(metadata)}, 1)}}},
		"unexpected EOF": {},
	} {
		require.ErrorContains(t, check(m), text)
	}
	two := protoutil.MarshalOrPanic(&protos.Message{Content: &protos.Message_HeartBeat{HeartBeat: &protos.HeartBeat{View: 1}}})
	require.ErrorContains(t, rtc.CheckSize(bytes.Repeat(two, 2)), "one message of one kind")
}

// TestManyParts: a consenter is told that its message is too large before anything is allocated for the parts of it.
func TestManyParts(t *testing.T) {
	const channel = "testchannel"
	node := NewNetworkSetupInfo(t, channel, t.TempDir()).CreateNodes(4)[1]
	chains := &mocks.ReceiverGetter{}
	chains.On("ReceiverByChain", channel).Return(node.Chain)
	ingress := &smartbft.Ingress{ChainSelector: chains, Logger: flogging.MustGetLogger("test")}

	parts := bytes.Repeat([]byte{2<<3 | 2, 0}, 1_000_000)
	length := len(parts)
	payload := append([]byte{6<<3 | 2, byte(length) | 0x80, byte(length>>7) | 0x80, byte(length >> 14)}, parts...)
	send := func() error {
		return ingress.OnConsensus(channel, 2, &ab.ConsensusRequest{Channel: channel, Payload: payload})
	}
	require.ErrorContains(t, send(), "malformed message: more than 1028 of field 2")
	require.Less(t, testing.AllocsPerRun(1, func() { _ = send() }), 10_000.0)
}
