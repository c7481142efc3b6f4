// SPDX-License-Identifier: Apache-2.0

package deliverservice

import (
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/core/config/tlsconfig"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// loadDeliverServiceConfig adds the peer's live client source, which the node registers before it asks for this configuration,
// to what upstream read, so that the deliver client dials in the peer's client mode.
//
//fork:wrap gm: the deliver client follows peer.tls.clientMode and live certificates
func (c *DeliverServiceConfig) loadDeliverServiceConfig() {
	c.upstreamLoadDeliverServiceConfig()
	source := comm.LookupSource(tlsstatus.PeerClient)
	if source == nil || !c.SecOpts.UseTLS {
		return
	}
	c.SecOpts.Source = source
	if c.SecOpts.RequireClientCert {
		c.SecOpts.Certificate = source.Material().PEM()
	}
}

func readClientPEM(path string) ([]byte, error) {
	return tlsconfig.ReadStandardPEM(path, tlsconfig.ClientIsGMOnly("peer"))
}
