// SPDX-License-Identifier: Apache-2.0

package state

import (
	proto "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric/gossip/util"
)

// withoutPrivateData is the private data of a block that came with some that cannot be read: none. The orderers' signatures do not
// cover it, so any member can put it beside a real block. The block is committed, and the peer asks others for its private data.
// Upstream went on to the next block, whose commit then ended the peer.
func (s *GossipStateProviderImpl) withoutPrivateData(payload *proto.Payload, err error) util.PvtDataCollections {
	s.logger.Warningf("[%s] The private data that came with block [%d] is left out: %s", s.chainID, payload.SeqNum, err)
	return nil
}
