// SPDX-License-Identifier: Apache-2.0

package protoext_test

import (
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/stretchr/testify/require"
)

func alive(m *gossip.AliveMessage) *gossip.GossipMessage {
	return &gossip.GossipMessage{Content: &gossip.GossipMessage_AliveMsg{AliveMsg: m}}
}

func stateInfo(m *gossip.StateInfo) *gossip.GossipMessage {
	return &gossip.GossipMessage{Content: &gossip.GossipMessage_StateInfo{StateInfo: m}}
}

func leadership(m *gossip.LeadershipMessage) *gossip.GossipMessage {
	return &gossip.GossipMessage{Content: &gossip.GossipMessage_LeadershipMsg{LeadershipMsg: m}}
}

func data(m *gossip.DataMessage) *gossip.GossipMessage {
	return &gossip.GossipMessage{Content: &gossip.GossipMessage_DataMsg{DataMsg: m}}
}

// pulled is the answer to a pull, with this message.
func pulled(m *gossip.GossipMessage) *gossip.GossipMessage {
	inside, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return &gossip.GossipMessage{Content: &gossip.GossipMessage_DataUpdate{DataUpdate: &gossip.DataUpdate{Data: []*gossip.Envelope{{Payload: inside}}}}}
}

// dead is the answer of who knows a member that is away, by this message.
func dead(m *gossip.GossipMessage) *gossip.GossipMessage {
	inside, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return &gossip.GossipMessage{Content: &gossip.GossipMessage_MemRes{MemRes: &gossip.MembershipResponse{Dead: []*gossip.Envelope{{Payload: inside}}}}}
}

// TestAbsentParts: a message without a part that the peer reads is refused by the name of that part. One that is taken in can be
// printed and compared with itself.
func TestAbsentParts(t *testing.T) {
	for name, test := range map[string]struct {
		message *gossip.GossipMessage
		want    string // the error; "": none
	}{
		"alive":                    {alive(&gossip.AliveMessage{Membership: &gossip.Member{}, Timestamp: &gossip.PeerTime{}}), ""},
		"alive without member":     {alive(&gossip.AliveMessage{Timestamp: &gossip.PeerTime{}}), "gossip message without AliveMsg.Membership"},
		"alive without time":       {alive(&gossip.AliveMessage{Membership: &gossip.Member{}}), "gossip message without AliveMsg.Timestamp"},
		"state":                    {stateInfo(&gossip.StateInfo{Timestamp: &gossip.PeerTime{}, Properties: &gossip.Properties{}}), ""},
		"state without time":       {stateInfo(&gossip.StateInfo{Properties: &gossip.Properties{}}), "gossip message without StateInfo.Timestamp"},
		"state without properties": {stateInfo(&gossip.StateInfo{Timestamp: &gossip.PeerTime{}}), "gossip message without StateInfo.Properties"},
		"leader":                   {leadership(&gossip.LeadershipMessage{Timestamp: &gossip.PeerTime{}}), ""},
		"leader without time":      {leadership(&gossip.LeadershipMessage{}), "gossip message without LeadershipMsg.Timestamp"},
		"block":                    {data(&gossip.DataMessage{Payload: &gossip.Payload{}}), ""},
		"pull":                     {pulled(data(&gossip.DataMessage{Payload: &gossip.Payload{}})), ""},
		"pull without payload":     {pulled(data(&gossip.DataMessage{})), "gossip message without DataMsg.Payload"},
		"dead":                     {dead(alive(&gossip.AliveMessage{Membership: &gossip.Member{}, Timestamp: &gossip.PeerTime{}})), ""},
		"dead without alive":       {dead(&gossip.GossipMessage{}), "gossip message without AliveMsg in MemRes.Dead"},
		"dead by another message":  {dead(leadership(&gossip.LeadershipMessage{})), "gossip message without AliveMsg in MemRes.Dead"},
		"nothing":                  {&gossip.GossipMessage{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := proto.Marshal(test.message)
			require.NoError(t, err)
			m, err := protoext.EnvelopeToGossipMessage(&gossip.Envelope{Payload: payload})
			if err == nil {
				require.NotPanics(t, func() {
					_ = m.String()
					protoext.NewGossipMessageComparator(1)(m, m)
				})
			}
			if test.want != "" {
				require.EqualError(t, err, test.want)
				require.Nil(t, m)
				return
			}
			require.NoError(t, err)
			require.True(t, proto.Equal(test.message, m.GossipMessage))
		})
	}
	_, err := protoext.EnvelopeToGossipMessage(&gossip.Envelope{Payload: []byte{255}})
	require.ErrorContains(t, err, "Failed unmarshalling")
}
