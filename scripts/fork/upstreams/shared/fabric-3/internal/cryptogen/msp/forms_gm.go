// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto"
	"path/filepath"

	"github.com/hyperledger/fabric/internal/cryptogen/ca"
	"github.com/hyperledger/fabric/internal/cryptogen/csp"
)

// newIdentityKey makes the private key of an identity that signCA will certify,
// SM2 if the CA's is and of keyAlg otherwise, and stores it as priv_sk in dir.
// Of the SM2 key only the public half is meant for use by the caller.
func newIdentityKey(dir string, signCA *ca.CA, keyAlg string) (crypto.PrivateKey, error) {
	if !signCA.IsGM() {
		return csp.GeneratePrivateKey(dir, keyAlg)
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
func GenerateVerifyingMSP(baseDir string, signCA, tlsCA *ca.CA, nodeOUs bool, keyAlg string) error {
	if err := upstreamGenerateVerifyingMSP(baseDir, signCA, tlsCA, nodeOUs, keyAlg); err != nil {
		return err
	}
	return AddGMTLSRoot(baseDir, signCA, tlsCA)
}
