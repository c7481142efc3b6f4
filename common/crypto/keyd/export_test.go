// SPDX-License-Identifier: Apache-2.0

package keyd

import "time"

// SetRandomTimeout changes how long an attempt to fetch random bytes may take, and returns what it was.
func SetRandomTimeout(limit time.Duration) time.Duration {
	before := randomTimeout
	randomTimeout = limit
	return before
}

// Forget makes Health forget the keys and generators of earlier tests, which have gone.
func Forget() {
	usedMu.Lock()
	clear(used)
	clear(watched)
	usedMu.Unlock()
	sourcesMu.Lock()
	sources = nil
	sourcesMu.Unlock()
}
