// SPDX-License-Identifier: Apache-2.0

package gmtls

// ChainCache keeps verified chains. It may be shared by many configurations.
type ChainCache struct{ capacity int }

// NewChainCache returns a cache for the chains of up to capacity peers. With a
// capacity below 1 it keeps nothing.
func NewChainCache(capacity int) *ChainCache { return &ChainCache{capacity} }
