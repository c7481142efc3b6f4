// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"encoding/pem"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// BytesToX509Cert parses a certificate, PEM or DER.
//
//fork:wrap gm: certificates of SM2 keys
func BytesToX509Cert(text []byte) (*x509.Certificate, error) {
	der := text
	if block, _ := pem.Decode(text); block != nil {
		der = block.Bytes
	}
	if !x509.NamesGM(der) {
		return upstreamBytesToX509Cert(text)
	}
	return x509.ParseCertificate(der)
}

// parseCertificate is what upstream's code that also needs crypto/x509 calls.
func parseCertificate(der []byte) (*x509.Certificate, error) { return x509.ParseCertificate(der) }
