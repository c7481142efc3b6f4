// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"errors"
	"testing"
)

// BoundPools gives the pools of all channels another bound for a test.
func BoundPools(t *testing.T, size int) {
	real := poolBound
	poolBound = func(uint64) int { return size }
	t.Cleanup(func() { poolBound = real })
}

// CountPool returns the bytes of the requests in the pool.
func (c *BFTChain) CountPool() int { return c.countPool() }

// EmptyPool removes all requests.
func (c *BFTChain) EmptyPool() {
	c.consensus.Pool.Prune(func([]byte) error { return errors.New("removed") })
}
