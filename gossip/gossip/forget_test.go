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

// An expired identity is not valid, whatever else holds; one without end is.
func TestValidityOfPurgedIdentities(t *testing.T) {
	id := api.PeerIdentityType("peer")
	for name, tc := range map[string]struct {
		end     time.Time
		revoked bool
		want    bool
	}{
		"without end":      {want: true},
		"not yet expired":  {end: time.Now().Add(time.Hour), want: true},
		"expired":          {end: time.Now().Add(-time.Millisecond)},
		"revoked":          {end: time.Now().Add(time.Hour), revoked: true},
		"revoked, endless": {revoked: true},
	} {
		mcs := &naiveCryptoService{expirationTimes: map[string]time.Time{string(id): tc.end}}
		if tc.revoked {
			mcs.revoke(common.PKIidType(id))
		}
		require.Equal(t, tc.want, (&Node{mcs: mcs}).valid(id), name)
	}
}
