// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"slices"

	"github.com/hyperledger/fabric/gossip/discovery"
	privdatacommon "github.com/hyperledger/fabric/gossip/privdata/common"
)

// getPurgedCollections returns which private data nobody is asked for, as they were purged by the heights that others state. A block does not
// wait for such data: peers that catch up would wait at each block for what all have purged. Each peer states its own height, which may be
// false, so what was not asked for is recorded as missing (later in commit_fix.go). Reconciliation keeps nobody waiting, and the ledger
// forgets what it misses by its own height, so it asks whatever others say.
//
//fork:wrap fix: a peer that states a false height keeps no private data from others
func (p *puller) getPurgedCollections(members []discovery.NetworkMember, filters digestToFilterMapping) []privdatacommon.DigKey {
	return slices.DeleteFunc(p.upstreamGetPurgedCollections(members, filters), ofReconciliation)
}

// ofReconciliation: its digests name no transaction.
func ofReconciliation(digest privdatacommon.DigKey) bool { return digest.TxId == "" }
