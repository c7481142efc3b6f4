// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"

	"github.com/hyperledger/fabric/common/fabhttp"
	"github.com/hyperledger/fabric/core/config"
	"github.com/hyperledger/fabric/core/operations"
	"github.com/hyperledger/fabric/core/peer"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/pkg/comm/tlsadmin"
	"github.com/spf13/viper"
)

// roleOperations names the operations server in the status that it shows.
const roleOperations = "peer.operations"

// newOperationsSystem adds the endpoint that shows, switches and reloads the TLS of this node's channels. It demands a verified
// client certificate always: without TLS on the operations server it refuses everybody.
//
//fork:wrap the operations server manages live TLS material
func newOperationsSystem(coreConfig *peer.Config) *operations.System {
	system := upstreamNewOperationsSystem(coreConfig)
	comm.UseMetrics(system.Provider)
	system.RegisterHandler(tlsadmin.URL, tlsadmin.NewHandler(), true)
	return system
}

// addPlatformSignals also makes SIGHUP reload TLS material, for as long as the node lives.
//
//fork:wrap SIGHUP reloads TLS material
func addPlatformSignals(sigs map[os.Signal]func()) map[os.Signal]func() {
	tlsadmin.ReloadOnHangup()
	return upstreamAddPlatformSignals(sigs)
}

// operationsTLS returns the TLS settings of the operations server: upstream's, and those of operations.tls that TLCP adds.
func operationsTLS(coreConfig *peer.Config) fabhttp.TLS {
	return fabhttp.TLS{
		Role:               roleOperations,
		Enabled:            coreConfig.OperationsTLSEnabled,
		Mode:               viper.GetString("operations.tls.mode"),
		CertFile:           coreConfig.OperationsTLSCertFile,
		KeyFile:            coreConfig.OperationsTLSKeyFile,
		GMSignCertFile:     config.GetPath("operations.tls.gm.signCert.file"),
		GMSignKeyFile:      config.GetPath("operations.tls.gm.signKey.file"),
		GMEncCertFile:      config.GetPath("operations.tls.gm.encCert.file"),
		GMEncKeyFile:       config.GetPath("operations.tls.gm.encKey.file"),
		ClientCertRequired: coreConfig.OperationsTLSClientAuthRequired,
		ClientCACertFiles:  coreConfig.OperationsTLSClientRootCAs,
		DrainGrace:         viper.GetDuration("operations.tls.drainGrace"),
	}
}
