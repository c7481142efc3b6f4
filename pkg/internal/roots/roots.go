// SPDX-License-Identifier: Apache-2.0

// Package roots reads trusted certificates for the kits under pkg.
package roots

import (
	"encoding/pem"
	"errors"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// SM2 returns the SM2 certificates of a bundle in PEM. Others may stand in it and are left out, since TLCP cannot use
// them; a bundle without any SM2 certificate, or with a damaged one, is an error.
func SM2(bundle []byte) (*smx509.CertPool, error) {
	pool, found := gmx509.NewCertPool(), false
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := gmx509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		if gmx509.IsSM2(cert.PublicKey) {
			pool.AddCert(cert)
			found = true
		}
	}
	if !found {
		return nil, errors.New("no SM2 certificate in the bundle, and TLCP can use no other")
	}
	return pool.SM(), nil
}
