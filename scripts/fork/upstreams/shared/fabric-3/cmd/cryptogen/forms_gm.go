// SPDX-License-Identifier: Apache-2.0

package main

import (
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/cryptogen/ca"
)

// newCA makes a standard CA.
func newCA(baseDir string, about ...string) (*ca.CA, error) {
	return ca.NewCA(baseDir, about[0], about[1], about[2], about[3], about[4], about[5], about[6], about[7], about[8])
}

// loadCertificate reads the certificate of a CA folder, nil where there is none.
func loadCertificate(dir string) (*x509.Certificate, error) { return ca.LoadCertificate(dir) }
