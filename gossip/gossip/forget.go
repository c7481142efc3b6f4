// SPDX-License-Identifier: Apache-2.0

package gossip

import "github.com/hyperledger/fabric/gossip/common"

// forget ends what this peer keeps of an identity that is no longer valid: its replication, and its membership. With the
// membership kept, the peer would go on to connect to the endpoint of that member, look for an identity that
// the store has purged, and hang up; a peer that has renewed its certificate would stay cut off at the same endpoint.
func (g *Node) forget(pkiID common.PKIidType) {
	g.certPuller.Remove(string(pkiID))
	if c, ok := g.comm.(interface{ Forget(common.PKIidType) }); ok {
		c.Forget(pkiID)
	}
}
