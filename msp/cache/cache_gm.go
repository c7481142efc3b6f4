// SPDX-License-Identifier: Apache-2.0

package cache

import "github.com/hyperledger/fabric/msp"

// Unwrap returns the identity that the cache keeps.
func (id *cachedIdentity) Unwrap() msp.Identity { return id.Identity }
