// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
)

// Verifying returns the configuration of an MSP without the identity that its owner signs with, and whether it had one. Nodes verify with
// the MSPs of a channel and never sign with them. A configuration that cannot be read is returned as it is; no MSP can be set up from it.
func Verifying(config *m.MSPConfig) (verifying *m.MSPConfig, signs bool) {
	var inner proto.Message
	switch config.GetType() {
	case int32(FABRIC):
		fabric := &m.FabricMSPConfig{}
		if err := proto.Unmarshal(config.GetConfig(), fabric); err != nil || fabric.SigningIdentity == nil {
			return config, false
		}
		fabric.SigningIdentity = nil
		inner = fabric
	case int32(IDEMIX):
		idemix := &m.IdemixMSPConfig{}
		if err := proto.Unmarshal(config.GetConfig(), idemix); err != nil || idemix.Signer == nil {
			return config, false
		}
		idemix.Signer = nil
		inner = idemix
	default:
		return config, false
	}
	encoded, err := proto.Marshal(inner)
	if err != nil {
		return config, false
	}
	return &m.MSPConfig{Type: config.Type, Config: encoded}, true
}
