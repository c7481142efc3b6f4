// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"slices"

	"github.com/hyperledger/fabric/common/channelconfig"
)

// AddConfigCallbacks adds callbacks for changes of every channel's configuration, of channels too that exist already: those of
// a peer that starts again do before its gateway registers, which must learn of TLS roots that join later.
//
//fork:replace fix: the gateway of a restarted peer learns of TLS roots that join a channel
func (p *Peer) AddConfigCallbacks(callbacks ...channelconfig.BundleActor) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.configCallbacks = append(p.configCallbacks, callbacks...)
}

// runConfigCallbacks runs those that are registered by now.
func (p *Peer) runConfigCallbacks(bundle *channelconfig.Bundle) {
	p.mutex.RLock()
	callbacks := slices.Clone(p.configCallbacks)
	p.mutex.RUnlock()
	for _, callback := range callbacks {
		callback(bundle)
	}
}
