// SPDX-License-Identifier: Apache-2.0

package comm

import "github.com/hyperledger/fabric/gossip/common"

// Forget tells whoever listens to IdentitySwitch that the PKI-ID stands for nobody any more. It does not block.
func (c *commImpl) Forget(pkiID common.PKIidType) {
	go func() {
		select {
		case c.identityChanges <- pkiID:
		case <-c.exitChan:
		}
	}()
}
