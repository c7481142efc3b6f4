// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// DefaultSigAlgo returns the algorithm by which a key signs certificates.
//
//fork:wrap gm: an SM2 key signs over SM3
func DefaultSigAlgo(priv crypto.Signer) x509.SignatureAlgorithm {
	if x509.IsSM2(priv.Public()) {
		return x509.SM2WithSM3
	}
	return upstreamDefaultSigAlgo(priv)
}
