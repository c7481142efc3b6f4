// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"fmt"

	"github.com/golang/protobuf/proto"
	mspprotos "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/msp"
)

// proposeVerifying sets up an MSP without the identity that its owner signs with, which a channel has no use for. With it, a node's keys
// and clock would decide whether the node takes the MSP, and a node that does not take what was ordered stops for good. Orderers order
// no such MSP (configtx.ProposeConfigUpdate); this is for those that were ordered before, or by others.
func (bh *MSPConfigHandler) proposeVerifying(config *mspprotos.MSPConfig) (msp.MSP, error) {
	verifying, signs := msp.Verifying(config)
	if !signs {
		return bh.setUp(config)
	}
	alone := &MSPConfigHandler{version: bh.version, idMap: map[string]*pendingMSPConfig{}, bccsp: bh.bccsp}
	proposed, err := alone.setUp(verifying)
	if err != nil {
		return nil, err
	}
	id, err := proposed.GetIdentifier()
	if err != nil {
		return nil, err
	}
	// As upstream, compare all that the organisation's groups have, the identity too.
	if pending := bh.idMap[id]; pending != nil && !proto.Equal(pending.mspConfig, config) {
		return nil, fmt.Errorf("the configuration defines two different MSPs %s", id)
	} else if pending == nil {
		bh.idMap[id] = &pendingMSPConfig{mspConfig: config, msp: proposed}
	}
	return proposed, nil
}
