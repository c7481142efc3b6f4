// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"time"

	"github.com/hyperledger/fabric/gossip/discovery"
	"github.com/hyperledger/fabric/gossip/filter"
	privdatacommon "github.com/hyperledger/fabric/gossip/privdata/common"
)

// What a block lacks of private data is asked for before it is committed, so a member that lets others wait, or that lies to them, must
// cost them little: the wait has an end, and what did not come is recorded as missing, for reconciliation.

//fork:fields fix: the time at which a block is committed without what other peers did not give
type PvtdataProvider struct {
	pullUntil time.Time
}

// fetchInTime asks other peers until peer.gossip.pvtData.pullRetryThreshold is over. Upstream looks at the clock only after it asked all
// of them, and each that does not answer takes responseWaitTime.
func (pdp *PvtdataProvider) fetchInTime(wanted dig2sources) (*privdatacommon.FetchedPvtDataContainer, error) {
	if pdp.pullUntil.IsZero() {
		pdp.pullUntil = time.Now().Add(pdp.pullRetryThreshold)
	}
	p, ok := pdp.fetcher.(interface {
		fetchUntil(wanted dig2sources, end time.Time) (*privdatacommon.FetchedPvtDataContainer, error)
	})
	if !ok {
		return pdp.fetcher.fetch(wanted)
	}
	return p.fetchUntil(wanted, pdp.pullUntil)
}

// fetchUntil is fetch for which no peer is eligible after the end.
func (p *puller) fetchUntil(wanted dig2sources, end time.Time) (*privdatacommon.FetchedPvtDataContainer, error) {
	filters, err := p.computeFilters(wanted)
	if err != nil {
		return nil, err
	}
	before := func(f filter.RoutingFilter) filter.RoutingFilter {
		return func(member discovery.NetworkMember) bool { return time.Now().Before(end) && f(member) }
	}
	for digest, f := range filters {
		filters[digest] = collectionRoutingFilter{anyPeer: before(f.anyPeer), preferredPeer: before(f.preferredPeer)}
	}
	return p.fetchPrivateData(filters)
}

// later records private data as missing.
func (i *pvtdataRetrievalInfo) later(key rwSetKey) {
	i.resolvedAsToReconcileLater[key] = i.remainingEligibleMissingKeys[key]
	delete(i.remainingEligibleMissingKeys, key)
}
