// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/internal/health"
	"github.com/hyperledger/fabric/internal/pkg/comm"
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
	section := conf.Operations.TLS
	files := comm.Files{
		Cert: section.Certificate, Key: section.PrivateKey,
		SignCert: section.GMSignCertificate, SignKey: section.GMSignPrivateKey,
		EncCert: section.GMEncCertificate, EncKey: section.GMEncPrivateKey,
		GMKeyPassword: section.GMKeyPasswordFile,
	}
	return health.Service{
		Address:    conf.Operations.ListenAddress,
		TLS:        section.Enabled,
		Mode:       section.Mode,
		Protocols:  section.GMProtocols,
		ClientAuth: section.ClientAuthRequired,
		Load:       files.Pairs,
	}, nil
}
