// SPDX-License-Identifier: Apache-2.0

package keyd

// Forget makes Health forget the keys and generators of earlier tests, which have gone.
func Forget() {
	usedMu.Lock()
	used = map[string]*Key{}
	usedMu.Unlock()
	sourcesMu.Lock()
	sources = nil
	sourcesMu.Unlock()
}
