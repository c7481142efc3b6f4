// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"fmt"
	"testing"
	"time"

	pg "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/gossip/api"
	"github.com/hyperledger/fabric/gossip/comm"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/gossip/identity"
	"github.com/hyperledger/fabric/gossip/metrics"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/stretchr/testify/require"
)

// TestMemberThatReadsNothing: a member that asks without end and takes no answers does not stop the gossip of a peer with others,
// neither while it asks nor when it is gone.
func TestMemberThatReadsNothing(t *testing.T) {
	port, grpc, certs, dial, _ := util.CreateGRPCLayer()
	victim := newGossipInstanceWithGRPC(0, port, grpc, certs, dial, 100)
	defer victim.Stop()

	evil := silentMember(t)
	target := &comm.RemotePeer{Endpoint: fmt.Sprintf("127.0.0.1:%d", port), PKIID: common.PKIidType(fmt.Sprintf("127.0.0.1:%d", port))}
	flood := func(end time.Time) {
		for nonce := uint64(0); time.Now().Before(end); nonce++ {
			hello, err := protoext.NoopSign(&pg.GossipMessage{Tag: pg.GossipMessage_EMPTY, Nonce: nonce, Content: &pg.GossipMessage_Hello{
				Hello: &pg.GossipHello{Nonce: nonce, MsgType: pg.PullMsgType_IDENTITY_MSG},
			}})
			if err != nil {
				panic(err)
			}
			evil.Send(hello, target)
			if nonce%10 == 0 {
				time.Sleep(2 * time.Millisecond)
			}
		}
	}
	flood(time.Now().Add(5 * time.Second))

	join := func(id int) {
		port2, grpc2, certs2, dial2, _ := util.CreateGRPCLayer()
		honest := newGossipInstanceWithGRPC(id, port2, grpc2, certs2, dial2, 100, port)
		t.Cleanup(honest.Stop)
		require.Eventually(t, func() bool {
			for _, p := range victim.Peers() {
				if p.InternalEndpoint == fmt.Sprintf("127.0.0.1:%d", port2) {
					return true
				}
			}
			return false
		}, 30*time.Second, 100*time.Millisecond, "the peer takes no messages of others any more")
	}
	go flood(time.Now().Add(10 * time.Second))
	join(1)
	evil.Stop()
	join(2)
}

// silentMember is a peer that authenticates itself and never reads what comes.
func silentMember(t *testing.T) comm.Comm {
	port, grpc, certs, dial, _ := util.CreateGRPCLayer()
	self := api.PeerIdentityType(fmt.Sprintf("127.0.0.1:%d", port))
	ids := identity.NewIdentityMapper(&naiveCryptoService{}, self, func(common.PKIidType, api.PeerIdentityType) {}, &orgCryptoService{})
	member, err := comm.NewCommInstance(grpc.Server(), certs, ids, self, dial, &orgCryptoService{},
		metrics.NewGossipMetrics(&disabled.Provider{}).CommMetrics, comm.CommConfig{
			DialTimeout: comm.DefDialTimeout, ConnTimeout: comm.DefConnTimeout, RecvBuffSize: 20, SendBuffSize: 200,
		})
	require.NoError(t, err)
	go grpc.Start()
	t.Cleanup(grpc.Stop)
	member.Accept(func(interface{}) bool { return true })
	return member
}
