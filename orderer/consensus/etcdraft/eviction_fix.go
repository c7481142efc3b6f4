// SPDX-License-Identifier: Apache-2.0

package etcdraft

import (
	"github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/orderer/common/cluster"
)

// evictionRetries is how often a node tries to pull the block by which it learns whether it is still a consenter.
const evictionRetries = 12

// pullLastConfig is for a node that suspects its eviction. The last block is the one of which the others claim the greatest number, which
// may not exist. The node asks again later, so it does not wait for it as long as for a block that it needs.
func pullLastConfig(puller BlockPuller) (*common.Block, error) {
	if ledger, ok := puller.(*LedgerBlockPuller); ok {
		if remote, ok := ledger.BlockPuller.(*cluster.BlockPuller); ok {
			was := remote.MaxPullBlockRetries
			remote.MaxPullBlockRetries = evictionRetries
			defer func() { remote.MaxPullBlockRetries = was }()
		}
	}
	return cluster.PullLastConfigBlock(puller)
}
