// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"crypto/sha256"
	"math"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gossip"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/integration/network"
)

// settled has the peer take in what was sent, and reports whether it lets the stream be. Otherwise it has ended it.
func (g *gossiper) settled(channel string) bool {
	mac := sha256.Sum256(append(g.id(), channel...))
	g.send(&gossip.GossipMessage{
		Tag: gossip.GossipMessage_CHAN_OR_ORG, Content: &gossip.GossipMessage_StateInfoPullReq{StateInfoPullReq: &gossip.StateInfoPullRequest{Channel_MAC: mac[:]}},
	})
	answers := make(chan bool, 1)
	go func() {
		for {
			envelope, err := g.stream.Recv()
			m := &gossip.GossipMessage{}
			if err != nil || proto.Unmarshal(envelope.Payload, m) == nil && m.GetStateSnapshot() != nil {
				answers <- err == nil
				return
			}
		}
	}()
	select {
	case open := <-answers:
		return open
	case <-time.After(time.Minute):
		require.Fail(g.t, "the peer neither answers nor ends the stream")
	}
	return false
}

// withoutParts are messages without a part that code of peers reads before it looks whether it is there. Each ended a peer of stock Fabric, by
// itself or inside another message.
func withoutParts(t *testing.T, channel []byte) []*gossip.GossipMessage {
	chosen := func(m *gossip.GossipMessage, tag gossip.GossipMessage_Tag) *gossip.GossipMessage {
		m.Channel, m.Tag, m.Nonce = channel, tag, 1
		return m
	}
	block := &gossip.GossipMessage{Channel: channel, Tag: gossip.GossipMessage_CHAN_AND_ORG, Content: &gossip.GossipMessage_DataMsg{DataMsg: &gossip.DataMessage{}}}
	update := &gossip.DataUpdate{MsgType: gossip.PullMsgType_BLOCK_MSG, Data: []*gossip.Envelope{{Payload: encode(t, block)}}}
	alive := func(m *gossip.AliveMessage) *gossip.GossipMessage {
		return &gossip.GossipMessage{Tag: gossip.GossipMessage_EMPTY, Content: &gossip.GossipMessage_AliveMsg{AliveMsg: m}}
	}
	state := func(m *gossip.StateInfo) *gossip.GossipMessage {
		return chosen(&gossip.GossipMessage{Content: &gossip.GossipMessage_StateInfo{StateInfo: m}}, gossip.GossipMessage_CHAN_OR_ORG)
	}
	dead := &gossip.MembershipResponse{Dead: []*gossip.Envelope{{Payload: encode(t, block)}}}
	return []*gossip.GossipMessage{
		{Tag: gossip.GossipMessage_EMPTY, Content: &gossip.GossipMessage_MemRes{MemRes: dead}},
		alive(&gossip.AliveMessage{}), alive(&gossip.AliveMessage{Membership: &gossip.Member{}}), alive(&gossip.AliveMessage{Timestamp: &gossip.PeerTime{}}),
		state(&gossip.StateInfo{}), state(&gossip.StateInfo{Timestamp: &gossip.PeerTime{}}), state(&gossip.StateInfo{Properties: &gossip.Properties{}}),
		chosen(&gossip.GossipMessage{Content: &gossip.GossipMessage_LeadershipMsg{LeadershipMsg: &gossip.LeadershipMessage{}}}, gossip.GossipMessage_CHAN_AND_ORG),
		chosen(&gossip.GossipMessage{Content: &gossip.GossipMessage_DataUpdate{DataUpdate: update}}, gossip.GossipMessage_CHAN_AND_ORG),
	}
}

// empty are messages of each type without parts, with each tag.
func empty(channel []byte) (all []*gossip.GossipMessage) {
	types := (&gossip.GossipMessage{}).ProtoReflect().Descriptor().Oneofs().ByName("content").Fields()
	for tag := range gossip.GossipMessage_Tag_name {
		all = append(all, &gossip.GossipMessage{Channel: channel, Tag: gossip.GossipMessage_Tag(tag)})
		for i := range types.Len() {
			m := &gossip.GossipMessage{Nonce: 1, Tag: gossip.GossipMessage_Tag(tag)}
			if m.Tag != gossip.GossipMessage_EMPTY && m.Tag != gossip.GossipMessage_ORG_ONLY {
				m.Channel = channel
			}
			m.ProtoReflect().Set(types.Get(i), m.ProtoReflect().NewField(types.Get(i)))
			all = append(all, m)
		}
	}
	return all
}

// junk are messages whose parts lack parts, or cannot be read.
func junk(t *testing.T, channel []byte) (all []*gossip.GossipMessage) {
	add := func(tag gossip.GossipMessage_Tag, messages ...*gossip.GossipMessage) {
		for _, m := range messages {
			if m.Tag, m.Nonce = tag, uint64(len(all)+1); tag != gossip.GossipMessage_EMPTY { // an answer without a nonce is to no question
				m.Channel = channel
			}
			all = append(all, m)
		}
	}
	inside := []*gossip.Envelope{{}, {Payload: []byte{0xff}, SecretEnvelope: &gossip.SecretEnvelope{}}}
	for _, m := range withoutParts(t, channel) {
		inside = append(inside, &gossip.Envelope{Payload: encode(t, m)})
	}
	for _, envelope := range inside {
		one := []*gossip.Envelope{envelope}
		add(gossip.GossipMessage_EMPTY,
			&gossip.GossipMessage{Content: &gossip.GossipMessage_MemReq{MemReq: &gossip.MembershipRequest{SelfInformation: envelope}}},
			&gossip.GossipMessage{Content: &gossip.GossipMessage_MemRes{MemRes: &gossip.MembershipResponse{Alive: one}}},
			&gossip.GossipMessage{Content: &gossip.GossipMessage_MemRes{MemRes: &gossip.MembershipResponse{Dead: one}}},
			&gossip.GossipMessage{Content: &gossip.GossipMessage_DataUpdate{DataUpdate: &gossip.DataUpdate{MsgType: gossip.PullMsgType_IDENTITY_MSG, Data: one}}})
		add(gossip.GossipMessage_CHAN_OR_ORG, &gossip.GossipMessage{Content: &gossip.GossipMessage_StateSnapshot{StateSnapshot: &gossip.StateInfoSnapshot{Elements: one}}})
	}
	for tag, kind := range map[gossip.GossipMessage_Tag]gossip.PullMsgType{
		gossip.GossipMessage_CHAN_AND_ORG: gossip.PullMsgType_BLOCK_MSG, gossip.GossipMessage_EMPTY: gossip.PullMsgType_IDENTITY_MSG,
	} {
		add(tag, &gossip.GossipMessage{Content: &gossip.GossipMessage_Hello{Hello: &gossip.GossipHello{MsgType: kind}}},
			&gossip.GossipMessage{Content: &gossip.GossipMessage_DataDig{DataDig: &gossip.DataDigest{MsgType: kind, Digests: [][]byte{nil}}}},
			&gossip.GossipMessage{Content: &gossip.GossipMessage_DataReq{DataReq: &gossip.DataRequest{MsgType: kind, Digests: [][]byte{nil}}}})
	}
	last := []*gossip.Payload{{}, {SeqNum: math.MaxUint64}, {SeqNum: 1 << 20, Data: []byte{0xff}, PrivateData: [][]byte{{0xff}}}}
	add(gossip.GossipMessage_CHAN_OR_ORG,
		&gossip.GossipMessage{Content: &gossip.GossipMessage_StateRequest{StateRequest: &gossip.RemoteStateRequest{StartSeqNum: math.MaxUint64, EndSeqNum: 1}}},
		&gossip.GossipMessage{Content: &gossip.GossipMessage_StateResponse{StateResponse: &gossip.RemoteStateResponse{Payloads: last}}})
	for _, payload := range last {
		add(gossip.GossipMessage_CHAN_AND_ORG, &gossip.GossipMessage{Content: &gossip.GossipMessage_DataMsg{DataMsg: &gossip.DataMessage{Payload: payload}}})
	}
	for _, id := range []string{"", "a", "a\x00b"} {
		add(gossip.GossipMessage_CHAN_ONLY, &gossip.GossipMessage{Content: &gossip.GossipMessage_PrivateData{PrivateData: &gossip.PrivateDataMessage{Payload: &gossip.PrivatePayload{
			Namespace: network.ChaincodeName, CollectionName: "nowhere", TxId: id, PrivateRwset: []byte{0xff}, PrivateSimHeight: math.MaxUint64,
		}}}})
	}
	add(gossip.GossipMessage_CHAN_ONLY,
		&gossip.GossipMessage{Content: &gossip.GossipMessage_PrivateData{PrivateData: &gossip.PrivateDataMessage{Payload: &gossip.PrivatePayload{}}}},
		&gossip.GossipMessage{Content: &gossip.GossipMessage_PrivateReq{PrivateReq: &gossip.RemotePvtDataRequest{Digests: []*gossip.PvtDataDigest{{}}}}},
		&gossip.GossipMessage{Content: &gossip.GossipMessage_PrivateRes{PrivateRes: &gossip.RemotePvtDataResponse{Elements: []*gossip.PvtDataElement{{}, {Payload: [][]byte{{0xff}}}}}}})
	return all
}

// checkGossipParts: no message of a member ends a peer of another organisation.
func checkGossipParts(ctx context.Context, t *testing.T, n *network.Network) {
	org, other := n.Peers[0], n.Peers[1]
	target := other.PeersOf()[0]
	var g *gossiper
	taken := func(m *gossip.GossipMessage) bool {
		if g == nil { // as a new member, whom the peer does not take for the last one
			g = openGossip(ctx, t, n, target, org, authorityOf(t, n, org).issue(t, "peer", time.Now().Add(time.Hour)))
			g.introduce(nil)
		}
		g.send(m)
		open := g.settled(n.Channel)
		if !open {
			g = nil
		}
		requireRunning(t, n)
		return open
	}
	require.True(t, taken(&gossip.GossipMessage{Nonce: 1}))
	for _, m := range withoutParts(t, []byte(n.Channel)) {
		require.False(t, taken(m), "the connection stays that brought %v", m)
	}
	for _, m := range append(empty([]byte(n.Channel)), junk(t, []byte(n.Channel))...) {
		taken(m)
	}
	p := propose(t, n, userOf(t, n, org, "User1"), network.ChaincodeName, createAsset("after messages without parts")...)
	agreed, endorsements := outcome(ctx, t, n, p)
	require.Equal(t, common.Status_SUCCESS, broadcast(ctx, t, n, p.transaction(t, agreed, endorsements...)).Status)
	requireVerdict(ctx, t, n, valid, p.txID)
	requireRunning(t, n)
}
