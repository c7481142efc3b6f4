// SPDX-License-Identifier: Apache-2.0

package comm

import "slices"

// AppRootCAsByChain returns the authorities of the application organisations of all channels (PEM).
func (cs *CredentialSupport) AppRootCAsByChain() [][]byte {
	cs.mutex.RLock()
	defer cs.mutex.RUnlock()
	var all [][]byte
	for _, roots := range cs.appRootCAsByChain {
		all = slices.Concat(all, roots)
	}
	return all
}
