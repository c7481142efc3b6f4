// SPDX-License-Identifier: Apache-2.0

package endorsement

import (
	"github.com/hyperledger/fabric-protos-go/discovery"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/interest"
	"github.com/hyperledger/fabric/gossip/common"
)

// PeersForEndorsement returns which peers can endorse together what is asked for.
//
//fork:wrap fix: the policies of keys in an interest, which clients and other peers send, cannot occupy a peer
func (ea *endorsementAnalyzer) PeersForEndorsement(channelID common.ChannelID, asked *peer.ChaincodeInterest) (*discovery.EndorsementDescriptor, error) {
	if _, err := interest.Check(asked); err != nil {
		return nil, err
	}
	return ea.upstreamPeersForEndorsement(channelID, asked)
}
