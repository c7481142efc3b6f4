// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"hash"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

type sm3Hasher struct{}

// Hash returns SM3(msg), 32 bytes.
func (sm3Hasher) Hash(msg []byte, _ bccsp.HashOpts) ([]byte, error) {
	sum := sm3.Sum(msg)
	return sum[:], nil
}

// GetHash returns a new SM3 state.
func (sm3Hasher) GetHash(bccsp.HashOpts) (hash.Hash, error) {
	return sm3.New(), nil
}
