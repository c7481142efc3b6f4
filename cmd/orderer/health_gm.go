// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/internal/health"
	"github.com/hyperledger/fabric/orderer/common/localconfig"
)

// main checks the health of the orderer that runs with the same configuration when it is called with --health alone.
//
//fork:wrap gm: a container without a shell needs a health check in the binary itself
func main() {
	if health.Requested(os.Args) {
		health.Exit(operationsService)
	}
	upstreamMain()
}

// operationsService reads orderer.yaml and the ORDERER_ environment as the orderer does.
func operationsService() (health.Service, error) {
	flogging.ActivateSpec("error") // loading tells of every default
	conf, err := localconfig.Load()
	if err != nil {
		return health.Service{}, err
	}
	tls := conf.Operations.TLS
	return health.Service{
		Address:         conf.Operations.ListenAddress,
		TLS:             tls.Enabled,
		Mode:            tls.Mode,
		Certificate:     tls.Certificate,
		PrivateKey:      tls.PrivateKey,
		SignCertificate: tls.GMSignCertificate,
		SignPrivateKey:  tls.GMSignPrivateKey,
		EncCertificate:  tls.GMEncCertificate,
		EncPrivateKey:   tls.GMEncPrivateKey,

		GMKeyPasswordFile: tls.GMKeyPasswordFile,
	}, nil
}
