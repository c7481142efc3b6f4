// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/hyperledger/fabric/gossip/api"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/stretchr/testify/require"
)

// A member whose identity is purged is a member no more: nobody tries to reach it by its old identity.
func TestPurgedIdentityIsNoMember(t *testing.T) {
	port1, grpc1, certs1, dial1, _ := util.CreateGRPCLayer()
	g1 := newGossipInstanceWithGRPC(1, port1, grpc1, certs1, dial1, 100)
	defer g1.Stop()
	port2, grpc2, certs2, dial2, _ := util.CreateGRPCLayer()
	g2 := newGossipInstanceWithGRPC(2, port2, grpc2, certs2, dial2, 100, port1)
	id := common.PKIidType(fmt.Sprintf("127.0.0.1:%d", port2))
	require.Eventually(t, func() bool { return g1.disc.Lookup(id) != nil && len(g1.Peers()) == 1 }, time.Minute, 10*time.Millisecond)

	g2.Stop() // it says nothing any more that could make it a member again
	g1.Node.mcs.(*naiveCryptoService).revoke(id)
	g1.SuspectPeers(func(api.PeerIdentityType) bool { return true })
	require.Eventually(t, func() bool { return g1.disc.Lookup(id) == nil }, time.Minute, 10*time.Millisecond,
		"the peer still knows the member by its old identity")
}
