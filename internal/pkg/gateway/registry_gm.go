// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"time"

	"github.com/hyperledger/fabric/common/channelconfig"
)

// staleGrace is how long calls over a connection that was taken out of the registry may continue.
const staleGrace = time.Minute

// configUpdate also gives up connections whose TLS roots are no longer those of the channel: they keep the roots of the time
// when they were made, and could never be made again with a root that was added later.
//
//fork:wrap gm: TLCP roots join the channel configuration while a network migrates
func (reg *registry) configUpdate(bundle *channelconfig.Bundle) {
	reg.upstreamConfigUpdate(bundle)
	application, ok := bundle.ApplicationConfig()
	if !ok {
		return
	}
	roots := map[string][][]byte{}
	for _, org := range application.Organizations() {
		roots[org.MSPID()] = append(append([][]byte{}, org.MSP().GetTLSRootCerts()...), org.MSP().GetTLSIntermediateCerts()...)
	}
	reg.configLock.Lock()
	defer reg.configLock.Unlock()
	for address, e := range reg.remoteEndorsers {
		if current, known := roots[e.mspid]; known && !sameRoots(current, e.tlsRootCerts) {
			delete(reg.remoteEndorsers, address)
			reg.closeLater(e.endpointConfig, e.closeConnection)
		}
	}
}

// closeStaleOrdererConnections gives up, too, orderers whose TLS roots have changed.
//
//fork:wrap gm: TLCP roots join the channel configuration while a network migrates
func (reg *registry) closeStaleOrdererConnections(channel string, channelOrderers []*endpointConfig) {
	reg.upstreamCloseStaleOrdererConnections(channel, channelOrderers)
	for _, ep := range channelOrderers {
		entry, found := reg.broadcastClients.Load(ep.address)
		if !found || sameRoots(entry.(*orderer).tlsRootCerts, ep.tlsRootCerts) {
			continue
		}
		if reg.broadcastClients.CompareAndDelete(ep.address, entry) {
			reg.closeLater(ep, entry.(*orderer).closeConnection)
		}
	}
}

// closeLater closes a connection when the calls over it have had time to end.
func (reg *registry) closeLater(ep *endpointConfig, closeConnection func() error) {
	reg.logger.Infow("TLS roots have changed, connecting again", "address", ep.address, "mspid", ep.mspid)
	time.AfterFunc(staleGrace, func() {
		if err := closeConnection(); err != nil {
			reg.logger.Warnw("Failed to close the connection with the old TLS roots", "address", ep.address, "err", err)
		}
	})
}

// sameRoots compares two sets of certificates.
func sameRoots(a, b [][]byte) bool {
	count := map[string]int{}
	for _, root := range a {
		count[string(root)] |= 1
	}
	for _, root := range b {
		count[string(root)] |= 2
	}
	for _, in := range count {
		if in != 3 {
			return false
		}
	}
	return true
}
