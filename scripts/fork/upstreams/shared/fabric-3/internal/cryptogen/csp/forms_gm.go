// SPDX-License-Identifier: Apache-2.0

package csp

import (
	"crypto"
	"crypto/ed25519"
)

// otherSigner returns the signer of a key of a kind that this upstream has in addition to ECDSA, nil for any other.
func otherSigner(key any) crypto.Signer {
	if key, ok := key.(ed25519.PrivateKey); ok {
		return &ED25519Signer{PrivateKey: key}
	}
	return nil
}
