// SPDX-License-Identifier: Apache-2.0

package msp

import (
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/pkg/errors"
)

// setupCAs loads the root and intermediate CAs of the MSP.
//
//fork:wrap hash family SM3 is for SM2 identities alone
func (msp *bccspmsp) setupCAs(conf *m.FabricMSPConfig) error {
	if err := msp.upstreamSetupCAs(conf); err != nil {
		return err
	}
	if msp.cryptoConfig.SignatureHashFamily != bccsp.SM3 {
		return nil
	}
	for _, id := range append(append([]Identity{}, msp.rootCerts...), msp.intermediateCerts...) {
		if cert := id.(*identity).cert; !x509.IsSM2(cert.PublicKey) {
			return errors.Errorf("MSP %s names signature hash family SM3, but the key of its CA %s is not SM2; "+
				"set the family to SHA2, with which SM2 identities work as well", msp.name, cert.Subject)
		}
	}
	return nil
}
