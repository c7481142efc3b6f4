// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"crypto/ecdsa"
	"encoding/pem"
	"errors"
	"fmt"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// SanitizeX509Cert returns the certificate in PEM, its ECDSA signature brought to the lower of the two values of s. An SM2
// signature has one value alone (GB/T 32918.2, section 7): such a certificate keeps its bytes, and has to be in the form in which an
// MSP writes identities, as bytes are what nodes are told apart by.
//
//fork:wrap gm: a consenter's identity may be an SM2 certificate; one that is neither SM2 nor ECDSA is refused and not a panic
func SanitizeX509Cert(initialPEM []byte) ([]byte, error) {
	block, _ := pem.Decode(initialPEM)
	if block == nil {
		return nil, errors.New("the consenter's identity is not a certificate in PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the consenter's identity is not a certificate: %w", err)
	}
	if x509.IsSM2(cert.PublicKey) {
		if err := x509.CheckExactDER(cert); err != nil {
			return nil, fmt.Errorf("the consenter's identity %q: %w", cert.Subject, err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}), nil
	}
	if _, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok {
		return nil, fmt.Errorf("the consenter's identity %q has a key that is %T: give it an SM2 or an ECDSA certificate", cert.Subject, cert.PublicKey)
	}
	return upstreamSanitizeX509Cert(initialPEM)
}
