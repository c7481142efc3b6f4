// SPDX-License-Identifier: Apache-2.0

package ca

import (
	"crypto"
	"crypto/ecdsa"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// issue signs a certificate and writes it to baseDir, as this upstream does for its own.
func issue(baseDir, name string, template, parent *x509.Certificate, pub *ecdsa.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	return genCertificate(baseDir, name, template, parent, pub, signer)
}
