// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/protoutil"
)

// pvtdataRetrievalInfo knows by which function write sets are hashed.
//
//fork:fields gm: private data from other peers are compared by the function of the channel
type pvtdataRetrievalInfo struct {
	hash protoutil.HashFunction
}

// computeEligibility says which private data of a block this peer is to have.
//
//fork:wrap gm: private data from other peers are compared by the function of the channel
func (ec *eligibilityComputer) computeEligibility(mspID string, pvtdata []*ledger.TxPvtdataInfo) (*pvtdataRetrievalInfo, error) {
	f, err := channelhash.Of(ec.channelID)
	if err != nil {
		return nil, err
	}
	info, err := ec.upstreamComputeEligibility(mspID, pvtdata)
	if err != nil {
		return nil, err
	}
	info.hash = f
	return info, nil
}
