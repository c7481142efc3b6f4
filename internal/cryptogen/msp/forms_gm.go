// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/ecdsa"
	"path/filepath"

	"github.com/hyperledger/fabric/internal/cryptogen/ca"
	"github.com/hyperledger/fabric/internal/cryptogen/csp"
)

// newIdentityKey makes the private key of an identity that signCA will certify,
// in the CA's algorithm, and stores it as priv_sk in dir. Of the SM2 key only
// the embedded public half is meant for use by the caller.
func newIdentityKey(dir string, signCA *ca.CA) (*ecdsa.PrivateKey, error) {
	if !signCA.IsGM() {
		return csp.GeneratePrivateKey(dir)
	}
	key, err := csp.GenerateSM2PrivateKey(filepath.Join(dir, "priv_sk"))
	if err != nil {
		return nil, err
	}
	return &key.PrivateKey, nil
}

// GenerateVerifyingMSP writes an organisation's MSP folder.
//
//fork:wrap gm: an SM2 organisation announces its SM2 TLS CA in addition to the standard one
func GenerateVerifyingMSP(baseDir string, signCA, tlsCA *ca.CA, nodeOUs bool) error {
	if err := upstreamGenerateVerifyingMSP(baseDir, signCA, tlsCA, nodeOUs); err != nil {
		return err
	}
	return AddGMTLSRoot(baseDir, signCA, tlsCA)
}
