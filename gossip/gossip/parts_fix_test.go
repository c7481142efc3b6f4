// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"testing"

	"github.com/golang/protobuf/proto"
	pg "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/stretchr/testify/require"
)

// asked is a message of a peer whose handshake has succeeded.
type asked struct {
	protoext.ReceivedMessage
	message *protoext.SignedGossipMessage
}

func (a asked) GetGossipMessage() *protoext.SignedGossipMessage { return a.message }

func (a asked) GetConnectionInfo() *protoext.ConnectionInfo {
	return &protoext.ConnectionInfo{ID: []byte("member")}
}

// TestMemberWithoutMembership: a request for members whose sender says nothing about itself goes no further, and does not end
// the peer.
func TestMemberWithoutMembership(t *testing.T) {
	for _, test := range []struct {
		member *pg.Member
		passed int
	}{
		{nil, 0},
		{&pg.Member{PkiId: []byte("member")}, 1},
	} {
		self, err := proto.Marshal(&pg.GossipMessage{Content: &pg.GossipMessage_AliveMsg{
			AliveMsg: &pg.AliveMessage{Membership: test.member, Timestamp: &pg.PeerTime{}},
		}})
		require.NoError(t, err)
		request, err := protoext.NoopSign(&pg.GossipMessage{Tag: pg.GossipMessage_EMPTY, Content: &pg.GossipMessage_MemReq{
			MemReq: &pg.MembershipRequest{SelfInformation: &pg.Envelope{Payload: self}},
		}})
		require.NoError(t, err)
		incoming := make(chan protoext.ReceivedMessage, 1)
		g := &Node{logger: util.GetLogger("parts", ""), discAdapter: &discoveryAdapter{incChan: incoming}}
		require.NotPanics(t, func() { g.handleMessage(asked{message: request}) })
		require.Len(t, incoming, test.passed)
	}
}
