// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/hyperledger/fabric/gossip/api"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/stretchr/testify/require"
)

// dialling counts the goroutines that try to reach a peer.
func dialling(t *testing.T) int {
	t.Helper()
	var stacks bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&stacks, 2))
	return bytes.Count(stacks.Bytes(), []byte("created by github.com/hyperledger/fabric/gossip/discovery.(*gossipDiscoveryImpl).Connect "))
}

// TestAnchorPeersHaveABound: an organisation cannot have a peer dial as many endpoints as it likes, not at once and not by one
// configuration after the other. The first ones are reached, and each has its turn again when others are over.
func TestAnchorPeersHaveABound(t *testing.T) {
	attempts := discoveryConfig.MaxConnectionAttempts
	discoveryConfig.MaxConnectionAttempts = 2
	defer func() { discoveryConfig.MaxConnectionAttempts = attempts }()
	port1, grpc1, certs1, dial1, _ := util.CreateGRPCLayer()
	g1 := newGossipInstanceWithGRPC(1, port1, grpc1, certs1, dial1, 100)
	defer g1.Stop()
	port2, grpc2, certs2, dial2, _ := util.CreateGRPCLayer()
	g2 := newGossipInstanceWithGRPC(2, port2, grpc2, certs2, dial2, 100)
	defer g2.Stop()
	before := dialling(t)
	join := func(from int, first ...api.AnchorPeer) {
		anchors := first
		for i := range 600 {
			anchors = append(anchors, api.AnchorPeer{Host: fmt.Sprintf("127.1.%d.%d", from, i%250), Port: 1 + i/250}) // nobody listens there
		}
		g1.JoinChan(&joinChanMsg{members2AnchorPeers: map[string][]api.AnchorPeer{string(orgInChannelA): anchors}}, common.ChannelID("A"))
	}
	join(1, api.AnchorPeer{Host: "127.0.0.1", Port: port2})
	for from := 2; from < 5; from++ {
		join(from)
	}
	require.Greater(t, dialling(t), before)
	require.LessOrEqual(t, dialling(t), before+maxAnchorPeers)
	id := common.PKIidType(fmt.Sprintf("127.0.0.1:%d", port2))
	require.Eventually(t, func() bool { return g1.disc.Lookup(id) != nil }, time.Minute, 10*time.Millisecond)

	// Those that earlier tests left may have ended meanwhile.
	require.Eventually(t, func() bool { return dialling(t) <= before }, time.Minute, 10*time.Millisecond)
	g1.anchors.mu.Lock()
	require.Empty(t, g1.anchors.tried)
	g1.anchors.mu.Unlock()
	join(5)
	require.Greater(t, dialling(t), before)
}
