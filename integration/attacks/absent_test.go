// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/discovery"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hyperledger/fabric/integration/network"
)

// ask sends a message to a service, and returns the error by which the call ended, nil if there is an answer. The node must give one of both.
func ask(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string, message, answer proto.Message) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	require.NoError(t, err, method)
	_ = stream.SendMsg(message) // its error says less than that of RecvMsg
	_ = stream.CloseSend()
	err = stream.RecvMsg(answer)
	require.NotContains(t, []codes.Code{codes.Unavailable, codes.DeadlineExceeded}, status.Code(err), "%s: %v: %v", method, message, err)
	return err
}

// envelopes lack parts, or have some that cannot be read. Nobody has signed some of them, a member the others.
func (c *claims) envelopes() (all []*common.Envelope) {
	for _, payload := range []*common.Payload{{}, {Header: &common.Header{}}, {Header: c.propose().header}} {
		all = append(all, &common.Envelope{Payload: encode(c.t, payload)})
	}
	all = append(all, &common.Envelope{}, &common.Envelope{Payload: []byte{0xff}})
	for _, change := range []func(*common.Header){
		func(h *common.Header) { h.ChannelHeader = nil },
		func(h *common.Header) { h.ChannelHeader = []byte{0xff} },
		func(h *common.Header) { h.SignatureHeader = nil },
		func(h *common.Header) { h.SignatureHeader = []byte{0xff} },
		func(h *common.Header) { h.SignatureHeader = encode(c.t, &common.SignatureHeader{Nonce: []byte{1}}) },
	} {
		p := c.propose()
		change(p.header)
		all = append(all, p.signed(c.t, nil))
	}
	return append(all, c.headed(nil, func(h *common.ChannelHeader) { h.ChannelId = "" }), c.headed(nil, func(h *common.ChannelHeader) { h.ChannelId = "nosuch" }))
}

// configurations are changes of the channel without parts, which a member has signed.
func (c *claims) configurations() (all []*common.Envelope) {
	add := func(kind common.HeaderType, data []byte) *common.Envelope {
		all = append(all, c.headed(data, func(h *common.ChannelHeader) { h.Type = int32(kind) }))
		return all[len(all)-1]
	}
	empty := &common.ConfigGroup{}
	var update *common.Envelope
	for _, of := range []*common.ConfigUpdate{
		{}, {ChannelId: c.n.Channel}, {ChannelId: c.n.Channel, WriteSet: empty}, {ChannelId: c.n.Channel, ReadSet: empty, WriteSet: &common.ConfigGroup{
			Version: 1, Groups: map[string]*common.ConfigGroup{"Application": empty, "Orderer": empty, "": empty},
			Values: map[string]*common.ConfigValue{"Capabilities": {}, "": {}}, Policies: map[string]*common.ConfigPolicy{"Admins": {}, "": {}},
		}},
	} {
		for _, signatures := range [][]*common.ConfigSignature{nil, {{}}} {
			update = add(common.HeaderType_CONFIG_UPDATE, encode(c.t, &common.ConfigUpdateEnvelope{ConfigUpdate: encode(c.t, of), Signatures: signatures}))
		}
	}
	for _, kind := range []common.HeaderType{common.HeaderType_CONFIG_UPDATE, common.HeaderType_CONFIG, common.HeaderType_ORDERER_TRANSACTION} {
		add(kind, nil)
		add(kind, []byte{0xff})
	}
	for _, last := range []*common.Envelope{nil, {}, update} {
		add(common.HeaderType_CONFIG, encode(c.t, &common.ConfigEnvelope{LastUpdate: last}))
		add(common.HeaderType_CONFIG, encode(c.t, &common.ConfigEnvelope{Config: &common.Config{ChannelGroup: empty}, LastUpdate: last}))
	}
	return all
}

// seeks are requests for blocks, which do not say which.
func (c *claims) seeks() (all []*common.Envelope) {
	newest := &orderer.SeekPosition{Type: &orderer.SeekPosition_Newest{Newest: &orderer.SeekNewest{}}}
	for _, what := range []*orderer.SeekInfo{{}, {Start: newest}, {Stop: newest}, {Start: &orderer.SeekPosition{}, Stop: &orderer.SeekPosition{}}} {
		all = append(all, seek(c.t, c.n, c.user, what))
	}
	timeless := c.headed(encode(c.t, &orderer.SeekInfo{Start: newest, Stop: newest}), func(h *common.ChannelHeader) { h.Timestamp = nil })
	unreadable := c.headed([]byte{0xff}, func(h *common.ChannelHeader) { h.Timestamp = timestamppb.Now() })
	return append(append(all, timeless, unreadable), c.envelopes()...)
}

// with is an envelope with a field of so many bytes that envelopes do not have.
func with(envelope *common.Envelope, size int) *common.Envelope {
	field := protowire.AppendTag(nil, 1000, protowire.BytesType)
	envelope.ProtoReflect().SetUnknown(protowire.AppendBytes(field, make([]byte, size)))
	return envelope
}

// checkOrderer: what lacks parts, or has fields that nobody signs, ends no orderer, and brings no more into a block than the channel allows.
func checkOrderer(ctx context.Context, t *testing.T, n *network.Network) {
	c := &claims{t, n, userOf(t, n, n.Peers[0], "User1")}
	node := n.Nodes(network.Orderer)[0]
	conn := dial(t, n, node, n.Peers[0], "User1")
	for _, envelope := range append(c.envelopes(), c.configurations()...) {
		var answer orderer.BroadcastResponse
		require.NoError(t, ask(ctx, t, conn, orderer.AtomicBroadcast_Broadcast_FullMethodName, envelope, &answer))
		require.NotEqual(t, common.Status_SUCCESS, answer.Status, "%v", envelope)
	}
	for _, envelope := range c.seeks() {
		requireNoBlock(ctx, t, conn, orderer.AtomicBroadcast_Deliver_FullMethodName, envelope)
	}
	for _, step := range []*orderer.StepRequest{
		{}, {Payload: &orderer.StepRequest_ConsensusRequest{ConsensusRequest: &orderer.ConsensusRequest{}}},
		{Payload: &orderer.StepRequest_ConsensusRequest{ConsensusRequest: &orderer.ConsensusRequest{Channel: n.Channel, Payload: []byte{0xff}}}},
		{Payload: &orderer.StepRequest_SubmitRequest{SubmitRequest: &orderer.SubmitRequest{}}},
		{Payload: &orderer.StepRequest_SubmitRequest{SubmitRequest: &orderer.SubmitRequest{Channel: n.Channel, Payload: &common.Envelope{}}}},
	} {
		require.Error(t, ask(ctx, t, conn, orderer.Cluster_Step_FullMethodName, step, &orderer.StepResponse{}))
	}
	for _, step := range []*orderer.ClusterNodeServiceStepRequest{ // of Fabric 3
		{}, {Payload: &orderer.ClusterNodeServiceStepRequest_NodeAuthrequest{NodeAuthrequest: &orderer.NodeAuthRequest{}}},
		{Payload: &orderer.ClusterNodeServiceStepRequest_NodeConrequest{NodeConrequest: &orderer.NodeConsensusRequest{}}},
		{Payload: &orderer.ClusterNodeServiceStepRequest_NodeTranrequest{NodeTranrequest: &orderer.NodeTransactionOrderRequest{}}},
	} {
		require.Error(t, ask(ctx, t, conn, orderer.ClusterNodeService_Step_FullMethodName, step, &orderer.ClusterNodeServiceStepResponse{}))
	}

	most, preferred := 64<<20, 4<<20 // of the network's channel
	answer := broadcast(ctx, t, n, with(c.propose().signed(t, nil), most))
	require.Equal(t, common.Status_BAD_REQUEST, answer.Status, answer.Info)
	var ids []string
	var large []*common.Envelope
	for i := range 2 {
		p := propose(t, n, c.user, network.ChaincodeName, createAsset(fmt.Sprintf("large %d", i))...)
		agreed, endorsements := outcome(ctx, t, n, p)
		ids, large = append(ids, p.txID), append(large, with(p.transaction(t, agreed, endorsements...), preferred/2+1))
	}
	together(ctx, t, n, large...)
	for _, node := range n.Nodes(network.Peer) {
		for _, id := range ids {
			block := blockOf(ctx, t, n, node, id)
			require.Len(t, block.Data.Data, 1, "the block is larger than the channel prefers")
			require.Equal(t, []byte{byte(valid)}, block.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER])
		}
	}
}

// requireNoBlock demands that a node answers a request for blocks with a refusal.
func requireNoBlock(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string, envelope *common.Envelope) {
	t.Helper()
	var answer peer.DeliverResponse // that of an orderer has the same fields
	require.NoError(t, ask(ctx, t, conn, method, envelope, &answer))
	require.NotEqual(t, common.Status_UNKNOWN, answer.GetStatus(), "%s: %v: %v", method, envelope, &answer)
	require.NotEqual(t, common.Status_SUCCESS, answer.GetStatus(), "%s: %v", method, envelope)
}

// proposals lack parts, or have some that cannot be read.
func (c *claims) proposals() (all []*peer.SignedProposal) {
	add := func(p *peer.Proposal) {
		raw := encode(c.t, p)
		all = append(all, &peer.SignedProposal{ProposalBytes: raw, Signature: c.user.sign(c.t, raw)})
	}
	all = append(all, &peer.SignedProposal{}, &peer.SignedProposal{ProposalBytes: []byte{0xff}}, &peer.SignedProposal{Signature: []byte{1}})
	for _, input := range []*peer.ChaincodeInvocationSpec{{}, {ChaincodeSpec: &peer.ChaincodeSpec{}}} {
		p := c.propose()
		add(&peer.Proposal{Header: encode(c.t, p.header), Payload: encode(c.t, &peer.ChaincodeProposalPayload{Input: encode(c.t, input)})})
	}
	for _, change := range []func(*common.ChannelHeader){
		func(h *common.ChannelHeader) { h.Extension = nil },
		func(h *common.ChannelHeader) {
			h.Extension = encode(c.t, &peer.ChaincodeHeaderExtension{ChaincodeId: &peer.ChaincodeID{}})
		},
		func(h *common.ChannelHeader) { h.Timestamp, h.TxId = nil, "" },
		func(h *common.ChannelHeader) { h.Type = int32(common.HeaderType_CONFIG) },
	} {
		p := c.propose()
		header := &common.ChannelHeader{}
		require.NoError(c.t, proto.Unmarshal(p.header.ChannelHeader, header))
		change(header)
		p.header.ChannelHeader = encode(c.t, header)
		add(&peer.Proposal{Header: encode(c.t, p.header), Payload: p.input})
	}
	for _, change := range []func(*common.Header){
		func(h *common.Header) { h.ChannelHeader = nil }, func(h *common.Header) { h.SignatureHeader = nil },
	} {
		p := c.propose()
		change(p.header)
		add(&peer.Proposal{Header: encode(c.t, p.header), Payload: p.input})
	}
	for _, args := range [][]string{
		{"lscc"}, {"lscc", "deploy"}, {"lscc", "deploy", "nosuch", ""}, {"lscc", "upgrade", "nosuch", ""}, {"lscc", "deploy", c.n.Channel, ""},
		{"cscc"}, {"cscc", "JoinChain"}, {"cscc", "JoinChain", ""}, {"cscc", "GetConfigBlock"}, {"cscc", "GetConfigBlock", ""},
		{"qscc"}, {"qscc", "GetBlockByNumber", c.n.Channel}, {"qscc", "GetBlockByNumber", c.n.Channel, ""}, {"qscc", "GetBlockByHash", c.n.Channel, ""},
		{"_lifecycle"}, {"_lifecycle", "InstallChaincode", ""}, {"_lifecycle", "CommitChaincodeDefinition", ""},
		{"_lifecycle", "ApproveChaincodeDefinitionForMyOrg", ""}, {"_lifecycle", "QueryChaincodeDefinition", "\xff"},
	} {
		p := propose(c.t, c.n, c.user, args[0], args[1:]...)
		all = append(all, &peer.SignedProposal{ProposalBytes: p.raw, Signature: c.user.sign(c.t, p.raw)})
	}
	return all
}

// checkPeer: what lacks parts ends no service of a peer.
func checkPeer(ctx context.Context, t *testing.T, n *network.Network) {
	c := &claims{t, n, userOf(t, n, n.Peers[0], "User1")}
	conn := dial(t, n, n.Nodes(network.Peer)[0], n.Peers[0], "User1")
	for _, p := range c.proposals() {
		answer := &peer.ProposalResponse{}
		err := ask(ctx, t, conn, peer.Endorser_ProcessProposal_FullMethodName, p, answer)
		require.NotEmpty(t, refused(t, answer, err), "%v", p)
	}
	for _, method := range []string{peer.Deliver_Deliver_FullMethodName, peer.Deliver_DeliverFiltered_FullMethodName, peer.Deliver_DeliverWithPrivateData_FullMethodName} {
		for _, envelope := range c.seeks() {
			requireNoBlock(ctx, t, conn, method, envelope)
		}
	}
	member := c.user.serialize(t)
	for _, of := range []struct {
		method  string
		message proto.Message
	}{
		{gateway.Gateway_Evaluate_FullMethodName, &gateway.EvaluateRequest{}},
		{gateway.Gateway_Evaluate_FullMethodName, &gateway.EvaluateRequest{ProposedTransaction: &peer.SignedProposal{}}},
		{gateway.Gateway_Endorse_FullMethodName, &gateway.EndorseRequest{}},
		{gateway.Gateway_Endorse_FullMethodName, &gateway.EndorseRequest{ProposedTransaction: &peer.SignedProposal{}}},
		{gateway.Gateway_Submit_FullMethodName, &gateway.SubmitRequest{}},
		{gateway.Gateway_Submit_FullMethodName, &gateway.SubmitRequest{PreparedTransaction: &common.Envelope{}, ChannelId: n.Channel}},
		{gateway.Gateway_CommitStatus_FullMethodName, &gateway.SignedCommitStatusRequest{}},
		{gateway.Gateway_CommitStatus_FullMethodName, &gateway.SignedCommitStatusRequest{Request: encode(t, &gateway.CommitStatusRequest{ChannelId: n.Channel, Identity: member})}},
		{gateway.Gateway_ChaincodeEvents_FullMethodName, &gateway.SignedChaincodeEventsRequest{}},
		{gateway.Gateway_ChaincodeEvents_FullMethodName, &gateway.SignedChaincodeEventsRequest{Request: encode(t, &gateway.ChaincodeEventsRequest{ChannelId: n.Channel, Identity: member})}},
		{discovery.Discovery_Discover_FullMethodName, &discovery.SignedRequest{}},
		{discovery.Discovery_Discover_FullMethodName, &discovery.SignedRequest{Payload: encode(t, &discovery.Request{Queries: []*discovery.Query{{}}})}},
		{discovery.Discovery_Discover_FullMethodName, &discovery.SignedRequest{Payload: encode(t, &discovery.Request{Authentication: &discovery.AuthInfo{}})}},
		{peer.Snapshot_Generate_FullMethodName, &peer.SignedSnapshotRequest{}},
		{peer.Snapshot_QueryPendings_FullMethodName, &peer.SignedSnapshotRequest{Request: encode(t, &peer.SnapshotQuery{})}},
	} {
		if err := ask(ctx, t, conn, of.method, of.message, &common.Envelope{}); err == nil { // an answer of any type fits
			t.Logf("%s answers %v", of.method, of.message)
		}
	}
	requireRunning(t, n)
}
