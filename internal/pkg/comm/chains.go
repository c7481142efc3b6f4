// SPDX-License-Identifier: Apache-2.0

package comm

import "maps"

// AppRootCAsByChain returns the authorities of the application organisations
// (PEM) by channel.
func (cs *CredentialSupport) AppRootCAsByChain() map[string][][]byte {
	cs.mutex.RLock()
	defer cs.mutex.RUnlock()
	return maps.Clone(cs.appRootCAsByChain)
}
