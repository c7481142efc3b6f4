// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"maps"

	"github.com/hyperledger/fabric/gossip/common"
	privdatacommon "github.com/hyperledger/fabric/gossip/privdata/common"
)

// Whoever can have a transaction ordered, valid or not, chooses which private data a peer misses. Reconciliation begins with the newest of
// these, and upstream ends it at the first that cannot be asked for: the honest ones behind them never came. What nobody gives is put
// behind the others by the ledger.

// FetchReconciledItems asks others for private data of past blocks. If none of them may have these, that is an answer. Without any peer of
// the channel there is none, and the cycle ends as in upstream: it begins again when there may be some.
//
//fork:wrap fix: private data that no other peer may have do not keep reconciliation from those behind them
func (p *puller) FetchReconciledItems(wanted privdatacommon.Dig2CollectionConfig) (*privdatacommon.FetchedPvtDataContainer, error) {
	found, err := p.upstreamFetchReconciledItems(wanted)
	if err != nil && len(p.PeersOfChannel(common.ChannelID(p.channel))) > 0 {
		p.logger.Infof("Of %d private data that are missing, none can be had from the peers that are there: %s", len(wanted), err)
		return &privdatacommon.FetchedPvtDataContainer{}, nil
	}
	return found, err
}

// computeReconciliationFilters says who can be asked for what, one by one.
//
//fork:wrap fix: private data of a collection that cannot be read do not keep reconciliation from the others
func (p *puller) computeReconciliationFilters(wanted privdatacommon.Dig2CollectionConfig) (digestToFilterMapping, error) {
	filters := make(digestToFilterMapping)
	for digest, config := range wanted {
		filter, err := p.upstreamComputeReconciliationFilters(privdatacommon.Dig2CollectionConfig{digest: config})
		if err != nil {
			p.logger.Warningf("Private data of collection %s of %s that block %d lacks are not asked for: %s", digest.Collection, digest.Namespace,
				digest.BlockSeq, err)
			continue
		}
		maps.Copy(filters, filter)
	}
	return filters, nil
}
