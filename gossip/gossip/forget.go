// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"time"

	"github.com/hyperledger/fabric/gossip/api"
	"github.com/hyperledger/fabric/gossip/common"
)

// forget ends what this peer keeps of an identity that the store purges: its replication, and, if the identity is no longer
// valid, its membership. With the membership kept, the peer would continue to connect to the endpoint of that member, look for
// an identity that is gone, and hang up; a peer that has renewed its certificate would stay cut off at the same
// endpoint. An identity that is purged since nobody has used it for long stays a member.
func (g *Node) forget(pkiID common.PKIidType, identity api.PeerIdentityType) {
	g.certPuller.Remove(string(pkiID))
	if g.valid(identity) {
		return
	}
	if c, ok := g.comm.(interface{ Forget(common.PKIidType) }); ok {
		c.Forget(pkiID)
	}
}

func (g *Node) valid(identity api.PeerIdentityType) bool {
	end, err := g.mcs.Expiration(identity)
	if err != nil || !end.IsZero() && !time.Now().Before(end) {
		return false
	}
	return g.mcs.ValidateIdentity(identity) == nil
}
