// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"fmt"

	"github.com/hyperledger/fabric/bccsp/gm"
)

// refuseInStrict says that a node with BCCSP.GM.Strict speaks the protocols of mode gm alone, or returns nil. It is called where modes are set, so that a
// node does not start with another mode, and again at each handshake, for connections that have no mode.
func refuseInStrict(what string, approved bool) error {
	if approved || !gm.Strict() {
		return nil
	}
	return fmt.Errorf("comm: %s, and this node speaks only GM protocols because of %s: set the mode to gm", what, gm.StrictKey)
}

// refuseHybridInStrict says that a node with BCCSP.GM.Strict does not agree on keys by ML-KEM, which is no approved algorithm, or returns nil.
func refuseHybridInStrict(role string, hybrid bool) error {
	if !hybrid || !gm.Strict() {
		return nil
	}
	return fmt.Errorf("comm: %s would agree on keys by SM2 and ML-KEM, and this node uses only approved algorithms because of %s: turn hybridKeyExchange off",
		role, gm.StrictKey)
}

// RefusePlain returns an error if this node must not speak without protection.
func RefusePlain(what string) error {
	return refuseInStrict(what+" would be without protection", false)
}
