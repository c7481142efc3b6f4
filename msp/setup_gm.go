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
// Stock nodes know no SM3: they refuse an MSP that names it for identifiers, and take one that names it as family, but no
// signature under it. In a channel that they may share, an MSP without an SM2 CA is judged as they judge it.
//
//fork:wrap gm: hash family SM3 is only for SM2 identities
func (msp *bccspmsp) setupCAs(conf *m.FabricMSPConfig) error {
	stock, err := msp.followsStock(conf)
	if err != nil {
		return err
	}
	if stock && msp.cryptoConfig.IdentityIdentifierHashFunction == bccsp.SM3 {
		return errors.Errorf("MSP %s names SM3 as hash of its identifiers, but none of its CAs is SM2; name SHA256", msp.name)
	}
	if err := msp.upstreamSetupCAs(conf); err != nil {
		return err
	}
	if stock || msp.cryptoConfig.SignatureHashFamily != bccsp.SM3 {
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
