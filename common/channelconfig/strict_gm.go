// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"fmt"
	"slices"

	"github.com/golang/protobuf/proto"
	mspprotos "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/msp"
)

// ProposeMSP sets up one MSP of a channel's configuration.
//
//fork:wrap gm: a node with BCCSP.GM.Strict takes part only in channels whose MSPs are all SM2; no node's keys or clock decide whether it takes an MSP of a channel
func (bh *MSPConfigHandler) ProposeMSP(mspConfig *mspprotos.MSPConfig) (msp.MSP, error) {
	if gm.Strict() {
		if err := onlySM2(mspConfig); err != nil {
			return nil, err
		}
	}
	return bh.proposeVerifying(mspConfig)
}

// onlySM2 refuses an MSP with a CA whose key is not SM2. What such a CA signs, and whether it signs its own certificate with SM2, is
// verified with its key. CAs of TLS may be there: a node that speaks no TLS has no use for them.
func onlySM2(mspConfig *mspprotos.MSPConfig) error {
	if mspConfig.Type != int32(msp.FABRIC) {
		return fmt.Errorf("an MSP of type %d is not SM2 only, as %s demands", mspConfig.Type, gm.StrictKey)
	}
	config := &mspprotos.FabricMSPConfig{}
	if err := proto.Unmarshal(mspConfig.Config, config); err != nil {
		return fmt.Errorf("unmarshal the configuration of an MSP: %w", err)
	}
	for _, text := range slices.Concat(config.RootCerts, config.IntermediateCerts) {
		cert, err := gmx509.ParseCertificatePEM(text)
		if err != nil {
			return fmt.Errorf("MSP %s: %w", config.Name, err)
		}
		if !gmx509.IsSM2(cert.PublicKey) {
			return fmt.Errorf("MSP %s has the CA %s, whose key is not SM2, and %s allows only SM2", config.Name, cert.Subject, gm.StrictKey)
		}
	}
	return nil
}
