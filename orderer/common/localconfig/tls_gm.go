// SPDX-License-Identifier: Apache-2.0

package localconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	coreconfig "github.com/hyperledger/fabric/core/config"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// TLS holds what a listener and a dialer need for TLCP (GB/T 38636) beside TLS. All fields are flat, so that
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
	// DrainGrace is how long connections of a protocol that a live switch has abolished may go on; 0 means 60 s.
	DrainGrace time.Duration
	// HandshakesPerAddress bounds the failed handshakes of one address at a listener; 0 means 64.
	HandshakesPerAddress int
}

// Operations holds who may change the protection of the node's channels.
//
//fork:fields gm: the key that restricts who may change modes and certificates at the page /tls
type Operations struct {
	// Operators are SHA-256 fingerprints of client certificates; empty: every client whose certificate is verified.
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
		return nil, err
	}
	if err := conf.validateTLS(); err != nil {
		return nil, fmt.Errorf("invalid TLS configuration in orderer.yaml or the ORDERER_ environment: %w", err)
	}
	return conf, nil
}

// completeInitialization resolves the GM paths like the standard ones beside them: those of General.TLS and of the cluster's
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

// HasGMPair tells whether the files of an SM2 pair are named.
func (t TLS) HasGMPair() bool { return t.GMSignCertificate != "" }

// HasGMServerPair tells whether the files of an SM2 pair for the cluster's own listener are named.
func (c Cluster) HasGMServerPair() bool { return c.GMServerSignCertificate != "" }

// HasGMClientPair tells whether the files of an SM2 pair for connections to other orderers are named.
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
	for _, section := range []struct {
		name string
		tls  *TLS
	}{{"Operations.TLS", &c.Operations.TLS}, {"Admin.TLS", &c.Admin.TLS}, {"Kafka.TLS", &c.Kafka.TLS}} {
		if section.tls.ClientMode != "" {
			return fmt.Errorf("%s.ClientMode is set, but only General.TLS.ClientMode has a meaning: remove it", section.name)
		}
		if err := section.tls.validate(section.name); err != nil {
			return err
		}
	}
	if c.Kafka.TLS.Mode != "" || c.Kafka.TLS.HandshakesPerAddress != 0 || c.Kafka.TLS.HasGMPair() || c.Kafka.TLS.GMKeyPasswordFile != "" || len(c.Kafka.TLS.GMCipherSuites) > 0 {
		return errors.New("Kafka.TLS takes no Mode, GM pairs, suites and limits: connections to Kafka brokers are always TLS")
	}
	return nil
}

// validate checks the listener's side of a section.
func (t *TLS) validate(section string) error {
	mode, err := comm.ParseServerMode(t.Mode)
	if err != nil {
		return fmt.Errorf("%s.Mode: %w", section, err)
	}
	if n := t.HandshakesPerAddress; n < 0 || n > comm.MaxHandshakes {
		return fmt.Errorf("%s.HandshakesPerAddress is %d: use 1 to %d, or leave it out", section, n, comm.MaxHandshakes)
	}
	if err := allOrNone(section+".GM", t.GMSignCertificate, t.GMSignPrivateKey, t.GMEncCertificate, t.GMEncPrivateKey); err != nil {
		return err
	}
	if mode == comm.ModeTLS {
		return nil
	}
	if !t.Enabled {
		return fmt.Errorf("%s.Mode is %q but %s.Enabled is false: the listener would be unprotected", section, t.Mode, section)
	}
	return validatePairs(section+".Mode", mode, t.Certificate != "", section+".Certificate and PrivateKey",
		t.HasGMPair(), section+".GMSignCertificate and its three companions")
}

// validateClientMode checks that the orderer has the certificates that it is told to dial with.
func (c *TopLevel) validateClientMode() error {
	tls := &c.General.TLS
	mode, err := comm.ParseClientMode(tls.ClientMode)
	if err != nil {
		return fmt.Errorf("General.TLS.ClientMode: %w", err)
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

func (c *Cluster) validate() error {
	mode, err := comm.ParseServerMode(c.Mode)
	if err != nil {
		return fmt.Errorf("General.Cluster.Mode: %w", err)
	}
	if err := allOrNone("General.Cluster.GMServer", c.GMServerSignCertificate, c.GMServerSignPrivateKey,
		c.GMServerEncCertificate, c.GMServerEncPrivateKey); err != nil {
		return err
	}
	if err := allOrNone("General.Cluster.GMClient", c.GMClientSignCertificate, c.GMClientSignPrivateKey,
		c.GMClientEncCertificate, c.GMClientEncPrivateKey); err != nil {
		return err
	}
	if c.ListenPort == 0 && c.ListenAddress == "" {
		if c.Mode != "" || c.HasGMServerPair() {
			return errors.New("General.Cluster.Mode and GMServer* need the cluster's own listener: set General.Cluster.ListenAddress " +
				"and ListenPort, or use General.TLS.Mode for the shared listener")
		}
		return nil
	}
	if mode == comm.ModeTLS {
		return nil
	}
	return validatePairs("General.Cluster.Mode", mode, c.ServerCertificate != "", "General.Cluster.ServerCertificate and ServerPrivateKey",
		c.HasGMServerPair(), "General.Cluster.GMServerSignCertificate and its three companions")
}

func validatePairs(key string, mode comm.ServerMode, hasStd bool, std string, hasGM bool, gm string) error {
	if !hasGM {
		return fmt.Errorf("%s is %q but no SM2 certificates are given: set %s", key, mode, gm)
	}
	if mode == comm.ModeDual && !hasStd {
		return fmt.Errorf("%s is %q but no TLS certificate is given: set %s", key, mode, std)
	}
	return nil
}

// allOrNone names the first file missing from a half-given set of SM2 pairs.
func allOrNone(prefix, signCert, signKey, encCert, encKey string) error {
	files := []struct{ key, value string }{
		{"SignCertificate", signCert}, {"SignPrivateKey", signKey}, {"EncCertificate", encCert}, {"EncPrivateKey", encKey},
	}
	given, missing := 0, ""
	for _, f := range files {
		if f.value != "" {
			given++
		} else if missing == "" {
			missing = f.key
		}
	}
	if given != 0 && given != len(files) {
		return fmt.Errorf("%s%s is missing: SignCertificate, SignPrivateKey, EncCertificate and EncPrivateKey go together", prefix, missing)
	}
	return nil
}
