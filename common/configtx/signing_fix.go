// SPDX-License-Identifier: Apache-2.0

package configtx

import (
	"bytes"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspprotos "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/msp"
)

// mspKey is the name under which a group has the MSP of its organisation.
const mspKey = "MSP"

// ProposeConfigUpdate makes the configuration that an update asks for. Orderers ask for it before they order the update.
//
//fork:wrap fix: an update is not ordered that puts an identity to sign with into an MSP, which stops each node without its key for good, that would take far more memory than it has bytes, which ended an orderer, or in which an organisation takes more of policies, endpoints and bytes than a channel can bear
func (vi *ValidatorImpl) ProposeConfigUpdate(update *cb.Envelope) (*cb.ConfigEnvelope, error) {
	if err := checkCost(update); err != nil {
		return nil, err
	}
	proposed, err := vi.upstreamProposeConfigUpdate(update)
	if err != nil {
		return nil, err
	}
	was, is := vi.configProto.GetChannelGroup(), proposed.Config.ChannelGroup
	if err := checkVerifying(vi.namespace, was, is); err != nil {
		return nil, err
	}
	if err := newLimits(was).check(vi.namespace, was, is); err != nil {
		return nil, err
	}
	return proposed, nil
}

// checkVerifying looks at changed MSPs only, so that a channel that has a refused one can have others changed.
func checkVerifying(path string, was, is *cb.ConfigGroup) error {
	value := is.GetValues()[mspKey]
	if value != nil && !bytes.Equal(value.Value, was.GetValues()[mspKey].GetValue()) {
		config := &mspprotos.MSPConfig{}
		if err := proto.Unmarshal(value.Value, config); err != nil {
			return fmt.Errorf("the MSP of %s: %w", path, err)
		}
		if _, signs := msp.Verifying(config); signs {
			return fmt.Errorf("the MSP of %s has an identity to sign with, which belongs to its owner's nodes alone: "+
				"remove the field signing_identity (of Idemix: signer) from its configuration", path)
		}
	}
	for name, group := range is.GetGroups() {
		if err := checkVerifying(path+"/"+name, was.GetGroups()[name], group); err != nil {
			return err
		}
	}
	return nil
}
