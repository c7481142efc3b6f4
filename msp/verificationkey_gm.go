// SPDX-License-Identifier: Apache-2.0

package msp

import "github.com/hyperledger/fabric/bccsp"

// VerificationKey returns the public key that verifies signatures of an identity of an X.509 MSP, and nil for other
// identities.
func VerificationKey(id Identity) bccsp.Key {
	switch id := id.(type) {
	case *identity:
		return id.pk
	case interface{ Unwrap() Identity }:
		return VerificationKey(id.Unwrap())
	}
	return nil
}
