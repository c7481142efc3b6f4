// SPDX-License-Identifier: Apache-2.0

package cache

import (
	pmsp "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/msp"
)

// keptAtMost bounds in bytes an identity or a principal that is kept. Certificates of nodes and users have one or two thousand.
const keptAtMost = 16 << 10

// DeserializeIdentity returns the identity that serialized holds. A large one is made each time: nobody has verified its chain yet, so
// it may come from a stranger, and would stay until others have taken its place.
//
//fork:wrap fix: the identities that an MSP keeps before it has verified them have a bound in bytes
func (c *cachedMSP) DeserializeIdentity(serialized []byte) (msp.Identity, error) {
	if len(serialized) <= keptAtMost {
		return c.upstreamDeserializeIdentity(serialized)
	}
	id, err := c.MSP.DeserializeIdentity(serialized)
	if err != nil {
		return nil, err
	}
	return &cachedIdentity{Identity: id, cache: c}, nil
}

// SatisfiesPrincipal reports whether the identity is one of the principal, which a transaction may have set as the policy of a key.
//
//fork:wrap fix: the principals that an MSP keeps have a bound in bytes
func (c *cachedMSP) SatisfiesPrincipal(id msp.Identity, principal *pmsp.MSPPrincipal) error {
	if len(principal.GetPrincipal()) <= keptAtMost {
		return c.upstreamSatisfiesPrincipal(id, principal)
	}
	return c.MSP.SatisfiesPrincipal(id, principal)
}
