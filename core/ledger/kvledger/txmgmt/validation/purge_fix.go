// SPDX-License-Identifier: Apache-2.0

package validation

import "slices"

// getUpdates returns the purged keys. A hash of another length belongs to no key, but upstream looks for data by what begins with it, and so
// would delete those of other keys, whose policies nobody has asked. The hashed state has such a key as upstream has it.
//
//fork:wrap fix: a short hash purges no keys of others
func (p *pvtdataPurgeTracker) getUpdates() []*AppInitiatedPurgeUpdate {
	return slices.DeleteFunc(p.upstreamGetUpdates(), func(u *AppInitiatedPurgeUpdate) bool {
		return len(u.CompositeKey.KeyHash) != lengthOfKeyHash
	})
}

const lengthOfKeyHash = 32 // by SHA-256 and SM3
