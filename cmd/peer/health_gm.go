// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"

	"github.com/spf13/viper"

	"github.com/hyperledger/fabric/core/config"
	"github.com/hyperledger/fabric/internal/health"
	"github.com/hyperledger/fabric/internal/peer/common"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// main checks the health of the peer that runs with the same configuration when it is called with --health alone.
//
//fork:wrap gm: a container without a shell needs a health check in the binary itself
func main() {
	if health.Requested(os.Args) {
		health.Exit(operationsService)
	}
	upstreamMain()
}

// operationsService reads core.yaml and the CORE_ environment as the peer does.
func operationsService() (health.Service, error) {
	viper.SetEnvPrefix(common.CmdRoot)
	viper.AutomaticEnv()
	viper.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	if err := common.InitConfig(common.CmdRoot); err != nil {
		return health.Service{}, err
	}
	const gm = "operations.tls.gm."
	files := comm.Files{
		Cert: config.GetPath("operations.tls.cert.file"), Key: config.GetPath("operations.tls.key.file"),
		SignCert: config.GetPath(gm + "signCert.file"), SignKey: config.GetPath(gm + "signKey.file"),
		EncCert: config.GetPath(gm + "encCert.file"), EncKey: config.GetPath(gm + "encKey.file"),
		GMKeyPassword: config.GetPath(gm + "keyPassword.file"),
	}
	return health.Service{
		Address:    viper.GetString("operations.listenAddress"),
		TLS:        viper.GetBool("operations.tls.enabled"),
		Mode:       viper.GetString("operations.tls.mode"),
		Protocols:  viper.GetStringSlice(gm + "protocols"),
		ClientAuth: viper.GetBool("operations.tls.clientAuthRequired"),
		Load:       files.Pairs,
	}, nil
}
