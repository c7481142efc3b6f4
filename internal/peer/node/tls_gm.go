// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"

	"github.com/hyperledger/fabric/core/operations"
	"github.com/hyperledger/fabric/core/peer"
	"github.com/hyperledger/fabric/internal/pkg/comm/tlsadmin"
)

// newOperationsSystem adds the endpoint that shows, switches and reloads the TLS of this node's channels.
//
//fork:wrap the operations server manages live TLS material
func newOperationsSystem(coreConfig *peer.Config) *operations.System {
	system := upstreamNewOperationsSystem(coreConfig)
	system.RegisterHandler(tlsadmin.URL, tlsadmin.NewHandler(), coreConfig.OperationsTLSEnabled)
	return system
}

// addPlatformSignals also makes SIGHUP reload TLS material, for as long as the node lives.
//
//fork:wrap SIGHUP reloads TLS material
func addPlatformSignals(sigs map[os.Signal]func()) map[os.Signal]func() {
	tlsadmin.ReloadOnHangup()
	return upstreamAddPlatformSignals(sigs)
}
