// SPDX-License-Identifier: Apache-2.0

//fork:file fix: one lying consenter cannot give another one a false last block in a change of the view, and so stop the channel

package smartbft_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/orderer/consensus/smartbft"
	"github.com/hyperledger/fabric/protoutil"
)

// lastDecision is what a consenter with this last block says in a change to view 1.
func lastDecision(d *types.Decision) *smartbftprotos.ViewData {
	data := &smartbftprotos.ViewData{NextView: 1, LastDecision: &smartbftprotos.Proposal{
		Header: d.Proposal.Header, Payload: d.Proposal.Payload, Metadata: d.Proposal.Metadata,
		VerificationSequence: uint64(d.Proposal.VerificationSequence),
	}}
	for _, s := range d.Signatures {
		data.LastDecisionSignatures = append(data.LastDecisionSignatures, &smartbftprotos.Signature{Signer: s.ID, Value: s.Value, Msg: s.Msg})
	}
	return data
}

type lie struct {
	change func(*types.Decision)
	want   string
}

// lies change what nobody signs in a decision, with the reasons for which they are refused.
func lies(t *testing.T) []lie {
	entry := func(index cb.BlockMetadataIndex) func(*types.Decision) {
		return func(d *types.Decision) {
			changePayload(t, &d.Proposal, func(_ *smartbft.ByteBufferTuple, m *cb.BlockMetadata) { m.Metadata[index] = []byte{1} })
		}
	}
	transaction := func(raw []byte) func(*types.Decision) {
		return func(d *types.Decision) {
			changePayload(t, &d.Proposal, func(b *smartbft.ByteBufferTuple, _ *cb.BlockMetadata) {
				b.A = protoutil.MarshalOrPanic(&cb.BlockData{Data: [][]byte{raw}})
			})
		}
	}
	sign := func(signers ...uint64) func(*types.Decision) {
		return func(d *types.Decision) {
			for _, id := range signers {
				d.Signatures = append(d.Signatures, types.Signature{ID: id, Msg: []byte("junk")})
			}
		}
	}
	return []lie{
		{transaction(protoutil.MarshalOrPanic(createEndorserTxEnvelope("false", "testchannel"))), "decision 2: data hash is"},
		{transaction(configUpdate(t)), "decision 2: data hash is"},
		{func(d *types.Decision) { d.Proposal.VerificationSequence++ }, "decision 2: expected verification sequence 0, but proposal has 1"},
		{entry(cb.BlockMetadataIndex_TRANSACTIONS_FILTER), "the metadata of block 2, or the form of its payload"},
		{func(d *types.Decision) { sign(d.Signatures[0].ID)(d) }, "decision 2 has two signatures of consenter"},
		{sign(8, 9), "decision 2 has 5 signatures, and there are 4 consenters"},
	}
}

// TestFalseLastDecision: a consenter that lacks the last block takes it over from another one in a change of the view only if it is true. The
// next leader is given false ones first, and then changes the view with the others.
func TestFalseLastDecision(t *testing.T) {
	network, nodes, verifier := startWithKeys(t, "testchannel")
	order(t, network, "one", 2)
	nodes[2].Stop()
	order(t, network, "two", 3)
	lagging, err := createBFTChainUsingMocks(t, nodes[2], network.configInfo)
	require.NoError(t, err)
	lagging.UseKeys(key(lagging.IdentityOf(2)), verifier)
	lagging.ClusterService = nodes[1].Chain.ClusterService
	decision := func() *types.Decision { return nodes[3].Chain.BlockToDecision(nodes[3].State.GetBlock(2)) }
	sign := func(id uint64, data *smartbftprotos.ViewData) *smartbftprotos.SignedViewData {
		raw := protoutil.MarshalOrPanic(data)
		signature, err := key(lagging.IdentityOf(id)).Sign(raw)
		require.NoError(t, err)
		return &smartbftprotos.SignedViewData{RawViewData: raw, Signer: id, Signature: signature}
	}
	viewData := func(data *smartbftprotos.ViewData) *smartbftprotos.Message {
		return &smartbftprotos.Message{Content: &smartbftprotos.Message_ViewData{ViewData: sign(1, data)}}
	}
	proof := func(of, others *smartbftprotos.ViewData) *smartbftprotos.Message {
		parts := []*smartbftprotos.SignedViewData{sign(3, others), sign(4, others), sign(1, of)}
		return &smartbftprotos.Message{Content: &smartbftprotos.Message_NewView{NewView: &smartbftprotos.NewView{SignedViewData: parts}}}
	}

	var untrue []*smartbftprotos.Message
	for _, lie := range lies(t) {
		d := decision()
		lie.change(d)
		untrue = append(untrue, viewData(lastDecision(d)))
		require.ErrorContains(t, lagging.CheckViewChange(1, viewData(lastDecision(d))), lie.want)
		require.ErrorContains(t, lagging.CheckViewChange(1, proof(lastDecision(d), lastDecision(decision()))), "view data of consenter 1: ")
	}
	later := lastDecision(decision())
	later.LastDecision.Metadata = protoutil.MarshalOrPanic(&smartbftprotos.ViewMetadata{LatestSequence: 3})
	require.ErrorContains(t, lagging.CheckViewChange(1, viewData(later)), "the last decision in it is 3, and that of this orderer is 1")
	require.NoError(t, lagging.CheckViewChange(1, viewData(lastDecision(decision()))))
	honest := proof(lastDecision(decision()), lastDecision(decision()))
	given, err := lagging.JudgeViewChange(1, honest)
	require.NoError(t, err)
	require.Same(t, honest, given)
	given, err = lagging.JudgeViewChange(4, proof(later, lastDecision(decision())))
	require.NoError(t, err)
	requireCallToSync(t, given, 3)

	nodes[2].lock.Lock() // as Restart does
	nodes[2].Chain = lagging
	lagging.Start()
	nodes[2].IsConnectedToNetwork, nodes[2].IsStarted = true, true
	nodes[2].lock.Unlock()
	for _, id := range []uint64{1, 3} { // it enters view 1 by two votes, before the others
		lagging.HandleMessage(id, &smartbftprotos.Message{Content: &smartbftprotos.Message_ViewChange{ViewChange: &smartbftprotos.ViewChange{NextView: 1}}})
	}
	for _, m := range slices.Repeat(untrue, 2) {
		lagging.HandleMessage(1, m)
	}
	time.Sleep(time.Second)
	require.Equal(t, 2, nodes[2].State.GetLedgerHeight())

	nodes[1].Stop()
	require.Eventually(t, func() bool {
		return nodes[2].Chain.EstablishedView() > 0 && nodes[3].Chain.EstablishedView() > 0 && nodes[4].Chain.EstablishedView() > 0
	}, 2*time.Minute, 50*time.Millisecond)
	order(t, network, "three", 4)
	for _, id := range []uint64{2, 4} {
		require.True(t, proto.Equal(nodes[3].State.GetBlock(2).Data, nodes[id].State.GetBlock(2).Data))
	}
}

// requireCallToSync requires a proof by which the library can learn that it lags, and take nothing over.
func requireCallToSync(t *testing.T, m *smartbftprotos.Message, sequence uint64) {
	require.Len(t, m.GetNewView().GetSignedViewData(), 1)
	data, decision := &smartbftprotos.ViewData{}, &smartbftprotos.ViewMetadata{}
	require.NoError(t, proto.Unmarshal(m.GetNewView().SignedViewData[0].RawViewData, data))
	require.NoError(t, proto.Unmarshal(data.LastDecision.Metadata, decision))
	require.EqualValues(t, 1, data.NextView)
	require.Equal(t, sequence, decision.LatestSequence)
	require.Empty(t, data.LastDecisionSignatures)
	require.Empty(t, data.LastDecision.Payload)
}

// TestBlockWhileJudging: view data with the next block, which comes from another consenter while it is judged, are not lost. They are sent once.
func TestBlockWhileJudging(t *testing.T) {
	network, nodes, verifier := startWithKeys(t, "testchannel")
	order(t, network, "one", 2)
	nodes[2].Stop()
	order(t, network, "two", 3)
	block := nodes[3].State.GetBlock(2)
	data := &smartbftprotos.SignedViewData{RawViewData: protoutil.MarshalOrPanic(lastDecision(nodes[3].Chain.BlockToDecision(block))), Signer: 1}
	signature, err := key(nodes[3].Chain.IdentityOf(1)).Sign(data.RawViewData)
	require.NoError(t, err)
	data.Signature = signature
	for _, m := range []*smartbftprotos.Message{
		{Content: &smartbftprotos.Message_ViewData{ViewData: data}},
		{Content: &smartbftprotos.Message_NewView{NewView: &smartbftprotos.NewView{SignedViewData: []*smartbftprotos.SignedViewData{data}}}},
	} {
		lagging, err := createBFTChainUsingMocks(t, nodes[2], network.configInfo)
		require.NoError(t, err)
		lagging.UseKeys(key(lagging.IdentityOf(2)), verifier)
		lagging.WhileJudging(block)
		require.NoError(t, lagging.CheckViewChange(1, m))
	}
}

// TestUndecidedLastDecision: what costs little is judged first. Nobody has a consenter verify the transactions of a block that no quorum
// has decided, nor in a view that is established.
func TestUndecidedLastDecision(t *testing.T) {
	network, nodes, verifier := startWithKeys(t, "testchannel")
	order(t, network, "one", 2)
	nodes[2].Stop()
	order(t, network, "two", 3)
	lagging, err := createBFTChainUsingMocks(t, nodes[2], network.configInfo)
	require.NoError(t, err)
	lagging.UseKeys(key(lagging.IdentityOf(2)), verifier)
	lagging.WhileJudging(nil) // which would end in a panic
	for want, change := range map[string]func(*smartbftprotos.ViewData){
		"decision 2 has 2 signatures, and a quorum is 3": func(d *smartbftprotos.ViewData) { d.LastDecisionSignatures = d.LastDecisionSignatures[:2] },
		"decision 2: signature of consenter":             func(d *smartbftprotos.ViewData) { d.LastDecisionSignatures[2].Value = []byte("x") },
		"it is about view 0, and view 0 is established":  func(d *smartbftprotos.ViewData) { d.NextView = 0 },
	} {
		data := lastDecision(nodes[3].Chain.BlockToDecision(nodes[3].State.GetBlock(2)))
		change(data)
		m := &smartbftprotos.SignedViewData{RawViewData: protoutil.MarshalOrPanic(data), Signer: 1}
		require.ErrorContains(t, lagging.CheckViewChange(1, &smartbftprotos.Message{Content: &smartbftprotos.Message_ViewData{ViewData: m}}), want)
	}
}
