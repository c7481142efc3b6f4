// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"os"
	"slices"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/fabhttp"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/core/operations"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/pkg/comm/tlsadmin"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/orderer/common/localconfig"
	"github.com/hyperledger/fabric/orderer/common/metadata"
)

// initializeServerConfig gives the general listener live material: standard and SM2 pairs and a mode, all of which can change
// while it serves.
//
//fork:wrap gm: serve TLCP in addition to TLS, or instead of it
func initializeServerConfig(conf *localconfig.TopLevel, metricsProvider metrics.Provider) comm.ServerConfig {
	config := upstreamInitializeServerConfig(upstreamView(conf), metricsProvider)
	if !config.SecOpts.UseTLS {
		return config
	}
	t := conf.General.TLS
	files := generalFiles(conf)
	files.ServerRootCAs = t.RootCAs
	if t.ClientAuthRequired {
		files.ClientRootCAs = t.ClientRootCAs
	}
	attachSource(&config.SecOpts, comm.SourceConfig{
		Role:           tlsstatus.OrdererGeneral,
		Load:           files.Load,
		ServerMode:     listenerMode(t.Mode),
		ModeKey:        "General.TLS.Mode",
		GMCipherSuites: t.GMCipherSuites,
		GMProtocols:    t.GMProtocols,
		GMProtocolsKey: "General.TLS.GMProtocols",
		GMHybrid:       t.GMHybridKeyExchange,
		DrainGrace:     t.DrainGrace,

		HandshakesPerAddress: t.HandshakesPerAddress,
		CheckRevocation:      t.CheckRevocation,
	}, t.HasGMPair())
	return config
}

// configureClusterListener lets upstream create the listener; newClusterServer adds the live material.
//
//fork:wrap gm: a cluster listener with only SM2 pairs has no other certificate to read
func configureClusterListener(conf *localconfig.TopLevel, generalConf comm.ServerConfig, loadPEM loadPEMFunc) (comm.ServerConfig, *comm.GRPCServer) {
	return upstreamConfigureClusterListener(conf, generalConf, func(file string) ([]byte, error) {
		if file == "" && conf.General.Cluster.HasGMServerPair() {
			return nil, nil
		}
		return loadPEM(file)
	})
}

// newClusterServer creates the cluster's own listener from what upstream has configured, with live material.
func newClusterServer(address string, config *comm.ServerConfig, conf *localconfig.TopLevel) (*comm.GRPCServer, error) {
	c := conf.General.Cluster
	attachSource(&config.SecOpts, comm.SourceConfig{
		Role: tlsstatus.OrdererClusterServer,
		Load: comm.Files{
			Cert:          c.ServerCertificate,
			Key:           c.ServerPrivateKey,
			SignCert:      c.GMServerSignCertificate,
			SignKey:       c.GMServerSignPrivateKey,
			EncCert:       c.GMServerEncCertificate,
			EncKey:        c.GMServerEncPrivateKey,
			GMKeyPassword: conf.General.TLS.GMKeyPasswordFile,
			ClientRootCAs: c.RootCAs,
			ConfigKeys:    configKeys(conf),

			RevocationLists: conf.General.TLS.RevocationLists,
			ListCAs:         listCAs(conf),
		}.Load,
		ServerMode:     listenerMode(c.Mode),
		ModeKey:        "General.Cluster.Mode",
		GMCipherSuites: clusterSuites(conf),
		GMProtocols:    conf.General.TLS.GMProtocols,
		GMProtocolsKey: "General.TLS.GMProtocols",
		GMHybrid:       conf.General.TLS.GMHybridKeyExchange,
		DrainGrace:     conf.General.TLS.DrainGrace,

		HandshakesPerAddress: conf.General.TLS.HandshakesPerAddress,
		CheckRevocation:      conf.General.TLS.CheckRevocation,
	}, c.HasGMServerPair())
	return comm.NewGRPCServer(address, *config)
}

// initializeClusterClientConfig gives the dialers to other orderers live material and their mode.
//
//fork:wrap gm: dial other orderers over TLS or TLCP, as General.TLS.ClientMode says
func initializeClusterClientConfig(conf *localconfig.TopLevel) (comm.ClientConfig, bool) {
	view := upstreamView(conf)
	config, reuse := upstreamInitializeClusterClientConfig(view)
	if !config.SecOpts.UseTLS {
		return config, reuse
	}
	t, c := conf.General.TLS, conf.General.Cluster
	files := generalFiles(conf)
	if c.ClientCertificate != "" || c.ClientPrivateKey != "" || !reuse {
		files.Cert, files.Key = c.ClientCertificate, c.ClientPrivateKey
	}
	if c.HasGMClientPair() {
		files.SignCert, files.SignKey = c.GMClientSignCertificate, c.GMClientSignPrivateKey
		files.EncCert, files.EncKey = c.GMClientEncCertificate, c.GMClientEncPrivateKey
	}
	files.ServerRootCAs = c.RootCAs
	mode := comm.ClientTLS
	if t.ClientMode == string(comm.ClientGM) {
		mode = comm.ClientGM
	}
	attachSource(&config.SecOpts, comm.SourceConfig{
		Role:       tlsstatus.OrdererClusterClient,
		Load:       files.Load,
		ClientMode: mode,
		ModeKey:    "General.TLS.ClientMode",
		// The other consenters know this one by the certificate in the channel configuration.
		RedialForCertificate: true,
		GMCipherSuites:       clusterSuites(conf),
		GMClientProtocol:     t.GMClientProtocol,
		GMProtocolsKey:       "General.TLS.GMClientProtocol",
		GMHybrid:             t.GMHybridKeyExchange,
		DrainGrace:           t.DrainGrace,
		CheckRevocation:      t.CheckRevocation,
	}, files.SignCert != "")
	return config, reuse
}

// reuseListener counts SM2 pairs of the cluster's own listener as its certificates.
//
//fork:wrap gm: a cluster listener may have only SM2 pairs
func reuseListener(conf *localconfig.TopLevel) bool {
	return upstreamReuseListener(upstreamView(conf))
}

// needsSource reports whether the orderer would be less protected, without a source, than its configuration says.
func needsSource(config comm.SourceConfig, err error) bool {
	var roots *comm.RootsError
	return len(config.GMCipherSuites) > 0 || config.CheckRevocation || config.HandshakesPerAddress != 0 || gm.Strict() || errors.As(err, &roots)
}

// attachSource puts live material into the options: pairs, roots and modes as the files have them now, and after a reload
// as they have them then. Roots of the options that came from the same files are dropped, or a root that a reload removes
// would stay trusted. A file of roots that cannot be read stops the orderer, and so does a failure where the settings need the
// source. Any other failure is left for the listener or dialer to report, as in stock Fabric.
func attachSource(opts *comm.SecureOptions, config comm.SourceConfig, hasGM bool) {
	source, err := comm.NewSource(config)
	if err != nil && (hasGM || needsSource(config, err)) {
		logger.Fatalf("Failed to set up TLS of %s: %s", config.Role, err)
	}
	if err != nil {
		logger.Warnf("TLS certificates of %s cannot be reloaded or switched while the orderer runs: %s", config.Role, err)
		return
	}
	opts.Source, opts.Certificate = source, source.Material().PEM()
	if config.ClientMode == "" {
		opts.ClientRootCAs = nil
	} else {
		opts.ServerRootCAs = nil
	}
}

// clusterSuites are the TLCP suites between orderers.
func clusterSuites(conf *localconfig.TopLevel) []string {
	if suites := conf.General.Cluster.GMCipherSuites; len(suites) > 0 {
		return suites
	}
	return conf.General.TLS.GMCipherSuites
}

// listenerMode is the mode of a listener; localconfig has checked the value.
func listenerMode(value string) comm.ServerMode {
	if value == "" {
		return comm.ModeTLS
	}
	return comm.ServerMode(value)
}

// upstreamView is a copy of the configuration for upstream's functions, in which the signing certificate of an SM2 pair takes
// the place of a standard one that is not given: upstream reads the files of the standard pair, or dials without TLS. What
// upstream reads is replaced by the live material, which is loaded by the configuration itself.
func upstreamView(conf *localconfig.TopLevel) *localconfig.TopLevel {
	view := *conf
	t, c := &view.General.TLS, &view.General.Cluster
	if t.Certificate == "" && t.PrivateKey == "" {
		t.Certificate, t.PrivateKey = t.GMSignCertificate, t.GMSignPrivateKey
	}
	if c.ServerCertificate == "" && c.ServerPrivateKey == "" {
		c.ServerCertificate, c.ServerPrivateKey = c.GMServerSignCertificate, c.GMServerSignPrivateKey
	}
	if c.ClientCertificate == "" && c.ClientPrivateKey == "" && t.ClientMode == string(comm.ClientGM) {
		c.ClientCertificate, c.ClientPrivateKey = c.GMClientSignCertificate, c.GMClientSignPrivateKey
		if !c.HasGMClientPair() {
			c.ClientCertificate, c.ClientPrivateKey = t.GMSignCertificate, t.GMSignPrivateKey
		}
	}
	return &view
}

func generalFiles(conf *localconfig.TopLevel) comm.Files {
	t := conf.General.TLS
	return comm.Files{
		Cert:     t.Certificate,
		Key:      t.PrivateKey,
		SignCert: t.GMSignCertificate,
		SignKey:  t.GMSignPrivateKey,
		EncCert:  t.GMEncCertificate,
		EncKey:   t.GMEncPrivateKey,

		GMKeyPassword:   t.GMKeyPasswordFile,
		RevocationLists: t.RevocationLists,
		ListCAs:         listCAs(conf),
		ConfigKeys:      configKeys(conf),
	}
}

// listCAs are the CAs that General.TLS.RevocationLists may be of: those lists serve clients and other orderers, whose roots may differ.
func listCAs(conf *localconfig.TopLevel) []string {
	cas := slices.Concat(conf.General.TLS.RootCAs, conf.General.Cluster.RootCAs)
	if conf.General.TLS.ClientAuthRequired {
		cas = append(cas, conf.General.TLS.ClientRootCAs...)
	}
	return cas
}

// sectionKeys names the keys of a section that give files.
func sectionKeys(f comm.Files, section string, t localconfig.TLS) comm.Files {
	f = f.Named(
		section+".GMSignCertificate", t.GMSignCertificate, section+".GMSignPrivateKey", t.GMSignPrivateKey,
		section+".GMEncCertificate", t.GMEncCertificate, section+".GMEncPrivateKey", t.GMEncPrivateKey,
		section+".GMKeyPasswordFile", t.GMKeyPasswordFile,
		section+".Certificate", t.Certificate, section+".PrivateKey", t.PrivateKey,
	)
	for _, file := range t.RootCAs {
		f = f.Named(section+".RootCAs", file)
	}
	for _, file := range t.ClientRootCAs {
		f = f.Named(section+".ClientRootCAs", file)
	}
	for _, file := range t.RevocationLists {
		f = f.Named(section+".RevocationLists", file)
	}
	return f
}

// configKeys names the keys of General.Cluster and General.TLS that give files.
func configKeys(conf *localconfig.TopLevel) map[string]string {
	c := conf.General.Cluster
	const section = "General.Cluster."
	f := comm.Files{}.Named(
		section+"GMClientSignCertificate", c.GMClientSignCertificate, section+"GMClientSignPrivateKey", c.GMClientSignPrivateKey,
		section+"GMClientEncCertificate", c.GMClientEncCertificate, section+"GMClientEncPrivateKey", c.GMClientEncPrivateKey,
		section+"GMServerSignCertificate", c.GMServerSignCertificate, section+"GMServerSignPrivateKey", c.GMServerSignPrivateKey,
		section+"GMServerEncCertificate", c.GMServerEncCertificate, section+"GMServerEncPrivateKey", c.GMServerEncPrivateKey,
		section+"ClientCertificate", c.ClientCertificate, section+"ClientPrivateKey", c.ClientPrivateKey,
		section+"ServerCertificate", c.ServerCertificate, section+"ServerPrivateKey", c.ServerPrivateKey,
	)
	for _, file := range c.RootCAs {
		f = f.Named(section+"RootCAs", file)
	}
	return sectionKeys(f, "General.TLS", conf.General.TLS).ConfigKeys
}

// newOperationsSystem adds the endpoint that shows and switches TLS modes, and makes SIGHUP reload the certificates. The
// endpoint demands a verified client certificate even where the operations server has no TLS and so cannot have one: whoever
// reaches an open port must not be able to change how the node is protected. Operations.Operators names who may make changes.
//
//fork:replace gm: the operations server serves TLCP, and manages TLS material at /tls
func newOperationsSystem(ops localconfig.Operations, metrics localconfig.Metrics) *operations.System {
	operators, err := tlsadmin.ParseOperators(ops.Operators)
	if err != nil {
		logger.Panicf("Operations.Operators: %s", err) // localconfig has refused it
	}
	statsd := operations.Statsd(metrics.Statsd)
	system := operations.NewSystem(operations.Options{
		Options: httpOptions(tlsstatus.OrdererOperations, "Operations.TLS", ops.ListenAddress, ops.TLS),
		Metrics: operations.MetricsOptions{Provider: metrics.Provider, Statsd: &statsd},
		Version: metadata.Version,
	})
	comm.UseMetrics(system.Provider)
	sw.UseMetrics(system.Provider)
	system.RegisterHandler(tlsstatus.Path, tlsadmin.NewHandler(tlsstatus.OrdererOperations, operators), true)
	system.RegisterHandler(tlsstatus.SelfTestPath, tlsadmin.NewSelfTestHandler(operators), true)
	tlsadmin.RegisterKeyHealth(system)
	tlsadmin.ReloadOnHangup()
	return system
}

// localMSP ends the start of an orderer whose identity cannot be loaded with the line that upstream has logged about it, and without the
// stack of the panic that upstream ends with. An error in the program stays a panic.
func localMSP(conf *localconfig.TopLevel) msp.MSP {
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case string:
			os.Exit(1)
		default:
			panic(reason)
		}
	}()
	return loadLocalMSP(conf)
}

// newAdminServer makes the server of the channel participation API.
//
//fork:replace gm: the admin server serves TLCP
func newAdminServer(admin localconfig.Admin) *fabhttp.Server {
	options := httpOptions(tlsstatus.OrdererAdmin, "Admin.TLS", admin.ListenAddress, admin.TLS)
	options.TLS.ClockShift = admin.TLS.TLSHandshakeTimeShift
	return fabhttp.NewServer(options)
}

func httpOptions(role, section, address string, t localconfig.TLS) fabhttp.Options {
	return fabhttp.Options{
		Logger:        flogging.MustGetLogger(role),
		ListenAddress: address,
		TLS: fabhttp.TLS{
			Enabled:            t.Enabled,
			CertFile:           t.Certificate,
			KeyFile:            t.PrivateKey,
			ClientCertRequired: t.ClientAuthRequired,
			ClientCACertFiles:  t.ClientRootCAs,
			Role:               role,
			Mode:               t.Mode,
			ModeKey:            section + ".Mode",
			RootCACertFiles:    t.RootCAs,
			ConfigKeys:         sectionKeys(comm.Files{}, section, t).ConfigKeys,
			GMSignCertFile:     t.GMSignCertificate,
			GMSignKeyFile:      t.GMSignPrivateKey,
			GMEncCertFile:      t.GMEncCertificate,
			GMEncKeyFile:       t.GMEncPrivateKey,
			GMKeyPasswordFile:  t.GMKeyPasswordFile,
			GMCipherSuites:     t.GMCipherSuites,
			GMProtocols:        t.GMProtocols,
			GMProtocolsKey:     section + ".GMProtocols",
			GMHybrid:           t.GMHybridKeyExchange,
			DrainGrace:         t.DrainGrace,

			CheckRevocation:     t.CheckRevocation,
			RevocationListFiles: t.RevocationLists,

			HandshakesPerAddress: t.HandshakesPerAddress,
		},
	}
}
