// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"sync"
	"testing"

	proto "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/stretchr/testify/require"
)

// TestAliveOfForgotten: a member may be forgotten between the two looks that are taken at it when a message of it is handled. The
// first look finds it, the second one finds no times. It is a member again then.
func TestAliveOfForgotten(t *testing.T) {
	id := []byte("another")
	d := &gossipDiscoveryImpl{
		self: NetworkMember{PKIid: []byte("me")}, id2Member: map[string]*NetworkMember{string(id): {PKIid: id}}, lock: &sync.RWMutex{},
		aliveLastTS: map[string]*timestamp{}, deadLastTS: map[string]*timestamp{}, aliveMembership: util.NewMembershipStore(),
		deadMembership: util.NewMembershipStore(), logger: util.GetLogger("forgotten", ""),
	}
	m, err := protoext.NoopSign(&proto.GossipMessage{Content: &proto.GossipMessage_AliveMsg{AliveMsg: &proto.AliveMessage{
		Membership: &proto.Member{PkiId: id, Endpoint: "peer0.org1:7051"}, Timestamp: &proto.PeerTime{IncNum: 1, SeqNum: 1},
	}}})
	require.NoError(t, err)
	require.NotPanics(t, func() { d.handleAliveMessage(m) })
	require.NotNil(t, d.aliveMembership.MsgByID(id))
	require.Contains(t, d.aliveLastTS, string(id))
	require.Equal(t, "peer0.org1:7051", d.id2Member[string(id)].Endpoint)
}
