// SPDX-License-Identifier: Apache-2.0

//fork:file perf: a peer parses each transaction of a block once while it commits the block

package privdata

import (
	"github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/gossip/util"
	"github.com/hyperledger/fabric/protoutil"
)

// StoreBlock validates and commits a block as upstream does.
//
//fork:wrap perf: what validates and commits a block shares what was parsed of its transactions
func (c *coordinator) StoreBlock(block *common.Block, privateDataSets util.PvtDataCollections) error {
	defer protoutil.ParseOnce(block.GetData())()
	return c.upstreamStoreBlock(block, privateDataSets)
}
