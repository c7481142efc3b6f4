// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/x509"

	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// stdChains converts chains; known holds the certificates converted before and
// is added to. No chains make nil.
func stdChains(chains [][]*smx509.Certificate, known map[*smx509.Certificate]*x509.Certificate) ([][]*x509.Certificate, error) {
	if len(chains) == 0 {
		return nil, nil
	}
	std := make([][]*x509.Certificate, len(chains))
	for i, chain := range chains {
		std[i] = make([]*x509.Certificate, len(chain))
		for j, c := range chain {
			if known[c] == nil {
				cert, err := gmx509.FromEngine(c)
				if err != nil {
					return nil, err
				}
				known[c] = cert
			}
			std[i][j] = known[c]
		}
	}
	return std, nil
}
