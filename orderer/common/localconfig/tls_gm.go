// SPDX-License-Identifier: Apache-2.0

package localconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/hyperledger/fabric/common/viperutil"
	coreconfig "github.com/hyperledger/fabric/core/config"
	"github.com/hyperledger/fabric/core/config/tlsconfig"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/pkg/comm/tlsadmin"
	"github.com/hyperledger/fabric/internal/settings"
	"gopkg.in/yaml.v3"
)

// TLS holds what a listener and a dialer need for TLCP (GB/T 38636) in addition to TLS. All fields are flat, so that
// environment variables reach them in configuration files that do not name them. An absent field means stock behaviour.
//
//fork:fields gm: keys of TLCP for the orderer; the decoder refuses keys that the struct does not know
type TLS struct {
	// Mode of the listener: "tls" (also when empty), "dual" (TLS and TLCP on one port) or "gm" (TLCP only).
	Mode string
	// ClientMode is the protocol for dialing, "tls" (also when empty) or "gm". It is read from General.TLS alone, where it
	// governs connections to other orderers; no other section dials.
	ClientMode string
	// GMSignCertificate and the next three name the PEM files of the SM2 signing and encryption pairs. All four or none.
	GMSignCertificate string
	GMSignPrivateKey  string
	GMEncCertificate  string
	GMEncPrivateKey   string
	// GMKeyPasswordFile holds in its first line the password of the two keys, if they are encrypted. That of General.TLS
	// opens the keys of General.Cluster too.
	GMKeyPasswordFile string
	// GMCipherSuites are the TLCP suites to use, by their names in the standard such as ECC_SM4_GCM_SM3, best first; empty: all.
	GMCipherSuites []string
	// GMProtocols are what the GM modes of a listener mean, "TLCP" and "TLS13"; empty: TLCP. The cluster's own listener has
	// those of General.TLS.
	GMProtocols []string
	// GMHybridKeyExchange makes TLS 1.3 prefer the key exchange with ML-KEM; that of General.TLS in what is dialed, too.
	GMHybridKeyExchange bool
	// GMClientProtocol is what is dialed with ClientMode gm, "TLCP" (also when empty) or "TLS13". It is read from General.TLS
	// alone.
	GMClientProtocol string
	// DrainGrace is how long connections of a protocol that a live switch has abolished may continue; 0 means 60 s.
	DrainGrace time.Duration
	// CheckRevocation checks the certificates of peers by the revocation lists of the channels' MSPs and of the files
	// RevocationLists. In General.TLS both cover the cluster's own listener and dialers too.
	CheckRevocation bool
	RevocationLists []string
	// HandshakesPerAddress bounds the failed handshakes of one address at a listener; 0 means 64.
	HandshakesPerAddress int
}

// Operations holds who may change the protection of the node's channels.
//
//fork:fields gm: the key that restricts who may change modes and certificates at the page /tls
type Operations struct {
	// Operators are SHA-256 fingerprints of client certificates; empty: nobody.
	Operators []string
}

// Cluster holds the TLCP settings of the connections between orderers.
//
//fork:fields gm: keys of TLCP for the orderer; the decoder refuses keys that the struct does not know
type Cluster struct {
	// Mode of the cluster's own listener, as TLS.Mode. A cluster that shares the general listener has that one's mode.
	Mode string
	// GMServer* name the SM2 pairs of the cluster's own listener. All four or none.
	GMServerSignCertificate string
	GMServerSignPrivateKey  string
	GMServerEncCertificate  string
	GMServerEncPrivateKey   string
	// GMClient* name the SM2 pairs presented to other orderers; when absent those of General.TLS are. All four or none.
	GMClientSignCertificate string
	GMClientSignPrivateKey  string
	GMClientEncCertificate  string
	GMClientEncPrivateKey   string
	// GMCipherSuites are the TLCP suites between orderers, as TLS.GMCipherSuites; when absent those of General.TLS are used.
	// A shared listener has those of General.TLS always.
	GMCipherSuites []string
}

// load refuses TLS settings that contradict each other, naming the key to mend. Without the check a typing error
// in a mode would surface as a listener that speaks another protocol than was meant.
//
//fork:wrap gm: validate the TLS modes once, where every user of the configuration gets it
func (c *configCache) load() (*TopLevel, error) {
	conf, err := c.upstreamLoad()
	if err != nil {
		if misspelt := checkKeys(); misspelt != nil {
			return nil, misspelt
		}
		return nil, err
	}
	if err := conf.validateTLS(); err != nil {
		return nil, fmt.Errorf("invalid TLS configuration in orderer.yaml or the ORDERER_ environment: %w", err)
	}
	if err := settings.Orderer.CheckEnvironment(os.Environ()); err != nil {
		return nil, err
	}
	for _, note := range conf.unusedPairs() {
		logger.Info(note)
	}
	return conf, nil
}

// checkKeys names the key that was probably meant by one that the decoder refuses.
func checkKeys() error {
	parser := viperutil.New()
	parser.SetConfigName("orderer")
	if err := parser.ReadInConfig(); err != nil {
		return nil // the decoder has said it
	}
	text, err := os.ReadFile(parser.ConfigFileUsed())
	if err != nil {
		return nil
	}
	var content map[string]any
	if err := yaml.Unmarshal(text, &content); err != nil {
		return nil
	}
	return settings.Orderer.CheckKeys(parser.ConfigFileUsed(), settings.Keys(content))
}

// completeInitialization resolves the GM paths like the standard paths of the same section: those of General.TLS and of the cluster's
// client against the configuration directory; those of the cluster's listener, Operations and Admin are used as they stand.
//
//fork:wrap gm: resolve the paths of the GM pairs
func (c *TopLevel) completeInitialization(configDir string) {
	tls := &c.General.TLS
	std := [2]string{tls.Certificate, tls.PrivateKey}
	c.upstreamCompleteInitialization(configDir)

	for _, path := range []*string{
		&tls.GMSignCertificate, &tls.GMSignPrivateKey, &tls.GMEncCertificate, &tls.GMEncPrivateKey, &tls.GMKeyPasswordFile,
		&c.General.Cluster.GMClientSignCertificate, &c.General.Cluster.GMClientSignPrivateKey,
		&c.General.Cluster.GMClientEncCertificate, &c.General.Cluster.GMClientEncPrivateKey,
	} {
		if *path != "" {
			coreconfig.TranslatePathInPlace(configDir, path)
		}
	}
	for i := range tls.RevocationLists {
		coreconfig.TranslatePathInPlace(configDir, &tls.RevocationLists[i])
	}
	if tls.Mode == string(comm.ModeGM) {
		c.dropAbsentStandardPair(std)
	}
}

// dropAbsentStandardPair empties General.TLS.Certificate and PrivateKey when they were not given, where upstream
// puts the configuration directory in place of an empty path, and when neither file exists, because the sample file gives
// defaults that the environment cannot empty. validateClientMode then says whether the node can do without.
func (c *TopLevel) dropAbsentStandardPair(given [2]string) {
	tls := &c.General.TLS
	if given[0] == "" && given[1] == "" {
		tls.Certificate, tls.PrivateKey = "", ""
		return
	}
	if absent(tls.Certificate) && absent(tls.PrivateKey) {
		logger.Infof("General.TLS.Certificate and PrivateKey (%s, %s) do not exist: the listener in mode gm does without",
			tls.Certificate, tls.PrivateKey)
		tls.Certificate, tls.PrivateKey = "", ""
	}
}

func absent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// HasGMPair reports whether the files of an SM2 pair are named.
func (t TLS) HasGMPair() bool { return t.GMSignCertificate != "" }

// HasGMServerPair reports whether the files of an SM2 pair for the cluster's own listener are named.
func (c Cluster) HasGMServerPair() bool { return c.GMServerSignCertificate != "" }

// HasGMClientPair reports whether the files of an SM2 pair for connections to other orderers are named.
func (c Cluster) HasGMClientPair() bool { return c.GMClientSignCertificate != "" }

// validateTLS checks every section that takes a mode.
func (c *TopLevel) validateTLS() error {
	if err := c.General.TLS.validate("General.TLS"); err != nil {
		return err
	}
	if err := c.validateClientMode(); err != nil {
		return err
	}
	if err := c.General.Cluster.validate(); err != nil {
		return err
	}
	if _, err := tlsadmin.ParseOperators(c.Operations.Operators); err != nil {
		return fmt.Errorf("Operations.Operators: %w", err)
	}
	for _, section := range []struct {
		name string
		tls  *TLS
	}{{"Operations.TLS", &c.Operations.TLS}, {"Admin.TLS", &c.Admin.TLS}} {
		if section.tls.ClientMode != "" {
			return fmt.Errorf("%s.ClientMode is set, but only General.TLS.ClientMode has a meaning: remove it", section.name)
		}
		if section.tls.GMClientProtocol != "" {
			return fmt.Errorf("%s.GMClientProtocol is set, but only General.TLS.GMClientProtocol has a meaning: remove it", section.name)
		}
		if err := section.tls.validate(section.name); err != nil {
			return err
		}
	}
	return c.validateKafka()
}

// listener returns the settings of a section for the rules that the peer has too.
func (t *TLS) listener(section string) tlsconfig.Listener {
	key := func(name, value string) tlsconfig.Setting {
		return tlsconfig.Setting{Key: section + "." + name, Value: value}
	}
	return tlsconfig.Listener{
		Mode: key("Mode", t.Mode), Enabled: t.Enabled, EnabledKey: section + ".Enabled",
		Certificate: key("Certificate", t.Certificate),
		Pair: tlsconfig.Pair{
			key("GMSignCertificate", t.GMSignCertificate), key("GMSignPrivateKey", t.GMSignPrivateKey),
			key("GMEncCertificate", t.GMEncCertificate), key("GMEncPrivateKey", t.GMEncPrivateKey),
		},
		CipherSuites: t.GMCipherSuites, SuitesKey: section + ".GMCipherSuites",
		Revocation: tlsconfig.Revocation{
			Check: t.CheckRevocation, CheckKey: section + ".CheckRevocation",
			Lists: t.RevocationLists, ListsKey: section + ".RevocationLists",
		},
		Protocols: t.GMProtocols, ProtocolsKey: section + ".GMProtocols",
	}
}

// validate checks the listener's side of a section.
func (t *TLS) validate(section string) error {
	if n := t.HandshakesPerAddress; n < 0 || n > comm.MaxHandshakes {
		return fmt.Errorf("%s.HandshakesPerAddress is %d: use 1 to %d, or leave it out", section, n, comm.MaxHandshakes)
	}
	if err := tlsconfig.CheckDrainGrace(section+".DrainGrace", t.DrainGrace); err != nil {
		return err
	}
	return t.listener(section).Check()
}

// validateClientMode checks that the orderer has the certificates that it is told to dial with.
func (c *TopLevel) validateClientMode() error {
	tls := &c.General.TLS
	mode, err := comm.ParseClientMode(tls.ClientMode)
	if err != nil {
		return fmt.Errorf("General.TLS.ClientMode: %w", err)
	}
	if err := comm.CheckGMProtocols(nil, tls.GMClientProtocol); err != nil {
		return fmt.Errorf("General.TLS.GMClientProtocol: %w", err)
	}
	if mode != comm.ClientGM {
		if tls.Enabled && tls.Mode == string(comm.ModeGM) && tls.Certificate == "" && c.General.Cluster.ClientCertificate == "" {
			return errors.New(`General.TLS.Mode is "gm" without a TLS certificate, but General.TLS.ClientMode is "tls" (the default): ` +
				`set General.TLS.ClientMode to "gm", or give General.TLS.Certificate and PrivateKey, as files that exist`)
		}
		return nil
	}
	if !tls.Enabled {
		return errors.New(`General.TLS.ClientMode is "gm" but General.TLS.Enabled is false: set it to true`)
	}
	if !tls.HasGMPair() && !c.General.Cluster.HasGMClientPair() {
		return errors.New(`General.TLS.ClientMode is "gm" but neither General.Cluster.GMClientSignCertificate ` +
			`nor General.TLS.GMSignCertificate (with three companions each) is given`)
	}
	return nil
}

// listener returns the settings of the cluster's own listener, which is always protected.
func (c *Cluster) listener() tlsconfig.Listener {
	return tlsconfig.Listener{
		Mode: tlsconfig.Setting{Key: clusterSection + "Mode", Value: c.Mode}, Enabled: true,
		Certificate: tlsconfig.Setting{Key: clusterSection + "ServerCertificate", Value: c.ServerCertificate},
		Pair: clusterPair("GMServer", c.GMServerSignCertificate, c.GMServerSignPrivateKey,
			c.GMServerEncCertificate, c.GMServerEncPrivateKey),
		CipherSuites: c.GMCipherSuites, SuitesKey: clusterSection + "GMCipherSuites",
	}
}

func (c *Cluster) clientPair() tlsconfig.Pair {
	return clusterPair("GMClient", c.GMClientSignCertificate, c.GMClientSignPrivateKey,
		c.GMClientEncCertificate, c.GMClientEncPrivateKey)
}

const clusterSection = "General.Cluster."

func clusterPair(prefix, signCert, signKey, encCert, encKey string) tlsconfig.Pair {
	prefix = clusterSection + prefix
	return tlsconfig.Pair{
		{Key: prefix + "SignCertificate", Value: signCert}, {Key: prefix + "SignPrivateKey", Value: signKey},
		{Key: prefix + "EncCertificate", Value: encCert}, {Key: prefix + "EncPrivateKey", Value: encKey},
	}
}

func (c *Cluster) validate() error {
	if err := c.clientPair().Check(); err != nil {
		return err
	}
	listener := c.listener()
	if c.ListenPort == 0 && c.ListenAddress == "" {
		if c.Mode != "" || c.HasGMServerPair() {
			if _, err := comm.ParseServerMode(c.Mode); err != nil {
				return fmt.Errorf("%s: %w", listener.Mode.Key, err)
			}
			return errors.New("General.Cluster.Mode and GMServer* need the cluster's own listener: set General.Cluster.ListenAddress " +
				"and ListenPort, or use General.TLS.Mode for the shared listener")
		}
	}
	return listener.Check()
}

// unusedPairs says which TLCP pairs are given that no mode uses.
func (c *TopLevel) unusedPairs() []string {
	general, cluster := c.General.TLS.listener("General.TLS"), c.General.Cluster.listener()
	clientMode := tlsconfig.Setting{Key: "General.TLS.ClientMode", Value: c.General.TLS.ClientMode}
	modes := []tlsconfig.Setting{general.Mode}
	if !c.General.Cluster.HasGMClientPair() {
		modes = append(modes, clientMode)
	}
	notes := []string{
		tlsconfig.Unused(general.Pair, modes...),
		tlsconfig.Unused(cluster.Pair, cluster.Mode),
		tlsconfig.Unused(c.General.Cluster.clientPair(), clientMode),
	}
	for section, tls := range map[string]*TLS{"Operations.TLS": &c.Operations.TLS, "Admin.TLS": &c.Admin.TLS} {
		listener := tls.listener(section)
		notes = append(notes, tlsconfig.Unused(listener.Pair, listener.Mode))
	}
	return slices.DeleteFunc(notes, func(note string) bool { return note == "" })
}
