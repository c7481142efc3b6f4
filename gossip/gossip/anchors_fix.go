// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"sync"

	"github.com/hyperledger/fabric/gossip/api"
	"github.com/hyperledger/fabric/gossip/discovery"
)

// maxAnchorPeers bounds the anchor peers of an organisation in a channel that a peer tries to reach at the same time. An organisation
// chooses its own, as many as fit into a configuration; each takes a goroutine that dials up to peer.gossip.maxConnectionAttempts times.
const maxAnchorPeers = 50

// Node knows which anchor peers it tries to reach.
//
//fork:fields fix: the anchor peers that an organisation has a peer dial have a bound
type Node struct {
	anchors anchorsTried
}

// anchorsTried are the endpoints of anchor peers that are being tried, by channel and organisation.
type anchorsTried struct {
	mu    sync.Mutex
	tried map[anchorOwner]map[string]bool // protected by mu
}

type anchorOwner struct{ channel, org string }

// begin reports whether the endpoint may be tried now: not if it is being tried already, nor if its owner has too many.
func (a *anchorsTried) begin(owner anchorOwner, endpoint string) (may, full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tried[owner][endpoint] {
		return false, false
	}
	if len(a.tried[owner]) >= maxAnchorPeers {
		return false, true
	}
	if a.tried == nil {
		a.tried = map[anchorOwner]map[string]bool{}
	}
	if a.tried[owner] == nil {
		a.tried[owner] = map[string]bool{}
	}
	a.tried[owner][endpoint] = true
	return true, false
}

func (a *anchorsTried) end(owner anchorOwner, endpoint string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if delete(a.tried[owner], endpoint); len(a.tried[owner]) == 0 {
		delete(a.tried, owner)
	}
}

// learnAnchorPeers has this peer reach the anchor peers of an organisation.
//
//fork:wrap fix: the anchor peers that an organisation has a peer dial have a bound
func (g *Node) learnAnchorPeers(channel string, org api.OrgIdentityType, peers []api.AnchorPeer) {
	if left := len(peers) - maxAnchorPeers; left > 0 {
		g.logger.Warningf("Organization %s has %d anchor peers in channel %s; the last %d are left out. Remove them from its configuration.",
			string(org), len(peers), channel, left)
		peers = peers[:maxAnchorPeers]
	}
	g.upstreamLearnAnchorPeers(channel, org, peers)
}

// connectAnchor connects to an anchor peer, until it is identified or the attempts are over.
func (g *Node) connectAnchor(channel string, org api.OrgIdentityType, endpoint string, identify func() (*discovery.PeerIdentification, error)) {
	owner := anchorOwner{channel, string(org)}
	may, full := g.anchors.begin(owner, endpoint)
	if full {
		g.logger.Warningf("Anchor peer %s of %s for channel %s is left out: %d others are being tried", endpoint, string(org), channel, maxAnchorPeers)
	}
	if !may {
		return
	}
	attempts := 0
	g.disc.Connect(discovery.NetworkMember{InternalEndpoint: endpoint, Endpoint: endpoint}, func() (*discovery.PeerIdentification, error) {
		found, err := identify()
		if attempts++; err == nil || attempts >= g.conf.MaxConnectionAttempts {
			g.anchors.end(owner, endpoint)
		}
		return found, err
	})
}
