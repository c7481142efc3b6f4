// SPDX-License-Identifier: Apache-2.0

package node

import (
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/fabhttp"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/core/config"
	"github.com/hyperledger/fabric/core/config/tlsconfig"
	"github.com/hyperledger/fabric/core/operations"
	"github.com/hyperledger/fabric/core/peer"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/pkg/comm/tlsadmin"
	"github.com/spf13/viper"
)

// roleChaincode is a name that upstream's start can use without a further import.
const roleChaincode = tlsstatus.PeerChaincode

// newOperationsSystem adds the endpoint that shows, switches and reloads the TLS of this node's channels, and makes SIGHUP reload it for
// as long as the node lives. The endpoint demands a verified
// client certificate always: without TLS on the operations server it refuses everybody. operations.operators names who may make changes.
//
//fork:wrap gm: the operations server, and SIGHUP, manage live TLS material
func newOperationsSystem(coreConfig *peer.Config) *operations.System {
	operators, err := tlsconfig.Operators()
	if err != nil {
		logger.Panic(err) // tlsconfig.CheckPeer has refused it
	}
	system := upstreamNewOperationsSystem(coreConfig)
	comm.UseMetrics(system.Provider)
	sw.UseMetrics(system.Provider)
	system.RegisterHandler(tlsstatus.Path, tlsadmin.NewHandler(tlsstatus.PeerOperations, operators), true)
	system.RegisterHandler(tlsstatus.SelfTestPath, tlsadmin.NewSelfTestHandler(operators), true)
	tlsadmin.RegisterKeyHealth(system)
	tlsadmin.ReloadOnHangup() // before ledgers are opened, which may take hours: without it, a reload would end the peer
	return system
}

// operationsTLS returns the TLS settings of the operations server: upstream's, and those of operations.tls that TLCP adds.
func operationsTLS(coreConfig *peer.Config) fabhttp.TLS {
	const modeKey = "operations.tls.mode"
	perAddress, err := tlsconfig.HandshakesPerAddress("operations")
	if err != nil {
		logger.Panic(err) // tlsconfig.CheckPeer has refused it
	}
	grace, err := tlsconfig.DrainGrace("operations")
	if err != nil {
		logger.Panic(err) // tlsconfig.CheckPeer has refused it
	}
	revocation, err := tlsconfig.RevocationSettings("operations")
	if err != nil {
		logger.Panic(err) // tlsconfig.CheckPeer has refused it
	}
	var named comm.Files
	for _, name := range []string{"gm.signCert", "gm.signKey", "gm.encCert", "gm.encKey", "gm.keyPassword", "cert", "key"} {
		key := "operations.tls." + name + ".file"
		named = named.Named(key, config.GetPath(key))
	}
	for _, file := range coreConfig.OperationsTLSClientRootCAs {
		named = named.Named("operations.tls.clientRootCAs.files", file)
	}
	for _, file := range revocation.Lists {
		named = named.Named(revocation.ListsKey, file)
	}
	return fabhttp.TLS{
		ConfigKeys:         named.ConfigKeys,
		Role:               tlsstatus.PeerOperations,
		Enabled:            coreConfig.OperationsTLSEnabled,
		Mode:               viper.GetString(modeKey),
		ModeKey:            modeKey,
		CertFile:           coreConfig.OperationsTLSCertFile,
		KeyFile:            coreConfig.OperationsTLSKeyFile,
		GMSignCertFile:     config.GetPath("operations.tls.gm.signCert.file"),
		GMSignKeyFile:      config.GetPath("operations.tls.gm.signKey.file"),
		GMEncCertFile:      config.GetPath("operations.tls.gm.encCert.file"),
		GMEncKeyFile:       config.GetPath("operations.tls.gm.encKey.file"),
		GMKeyPasswordFile:  config.GetPath("operations.tls.gm.keyPassword.file"),
		GMCipherSuites:     viper.GetStringSlice("operations.tls.gm.cipherSuites"),
		GMProtocols:        viper.GetStringSlice("operations.tls.gm.protocols"),
		GMProtocolsKey:     "operations.tls.gm.protocols",
		GMHybrid:           viper.GetBool("operations.tls.gm.hybridKeyExchange"),
		ClientCertRequired: coreConfig.OperationsTLSClientAuthRequired,
		ClientCACertFiles:  coreConfig.OperationsTLSClientRootCAs,
		DrainGrace:         grace,

		CheckRevocation:     revocation.Check,
		RevocationListFiles: revocation.Lists,

		HandshakesPerAddress: perAddress,
	}
}

// newChaincodeCA returns the authority for the listener's certificate and for those that launched chaincode is given. They are of
// chaincode.tls.mode, tls, also when absent, or gm, which tlsconfig.CheckPeer has checked. It is independent of peer.tls.mode
// because stock chaincode speaks TLS alone.
func newChaincodeCA() (tlsgen.CA, error) {
	if chaincodeServerMode() == comm.ModeGM {
		return tlsgen.NewPairCA()
	}
	return tlsgen.NewCA()
}

func chaincodeProtocols() []string { return tlsconfig.ChaincodeProtocols() }

// launchedVariables are the variables of launched chaincode that upstream does not give it: the protocol to connect back by,
// for package gmshim, if the configuration says which.
func launchedVariables() []string {
	if protocols := chaincodeProtocols(); len(protocols) > 0 {
		return []string{"CHAINCODE_GM_PROTOCOLS=" + protocols[0]}
	}
	return nil
}

func chaincodeServerMode() comm.ServerMode {
	return comm.ServerMode(viper.GetString(tlsconfig.ChaincodeModeKey))
}
