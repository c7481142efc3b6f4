// SPDX-License-Identifier: Apache-2.0

package derhelpers

import (
	"crypto"
	"fmt"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// ParsePrivateKeyDER reads a private key.
//
//fork:wrap gm: SM2 keys
func ParsePrivateKeyDER(der []byte) (crypto.Signer, error) {
	if !x509.NamesGM(der) {
		return upstreamParsePrivateKeyDER(der)
	}
	key, err := x509.ParsePrivateKey(der)
	if err != nil {
		return nil, err
	}
	priv, ok := x509.AsSM2(key)
	if !ok {
		return nil, fmt.Errorf("a private key that names an SM2 curve is %T", key)
	}
	return priv, nil
}
