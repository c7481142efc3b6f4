// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"github.com/hyperledger/fabric/gossip/discovery"
	"github.com/hyperledger/fabric/gossip/filter"
	privdatacommon "github.com/hyperledger/fabric/gossip/privdata/common"
)

// getPurgedCollections returns which private data nobody is asked for, as they were purged by the heights that others state. Each peer states
// its own height, so one of them alone counts for nothing: it takes half of those that may have the data. A peer that commits old blocks
// would otherwise wait for what all have purged. Reconciliation keeps nobody waiting, and the ledger forgets what it misses by its own height,
// so it asks whatever others say.
//
//fork:wrap fix: a peer that states a false height keeps no private data from others
func (p *puller) getPurgedCollections(members []discovery.NetworkMember, filters digestToFilterMapping) []privdatacommon.DigKey {
	var purged []privdatacommon.DigKey
	for _, digest := range p.upstreamGetPurgedCollections(members, filters) {
		if digest.TxId == "" { // of reconciliation
			continue
		}
		isPurged, err := p.purgedFilter(digest)
		if err != nil {
			continue
		}
		may := filter.AnyMatch(members, filters[digest].anyPeer)
		if n := len(filter.AnyMatch(may, isPurged)); n > 0 && 2*n >= len(may) {
			purged = append(purged, digest)
		}
	}
	return purged
}
