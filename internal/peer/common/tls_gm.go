// SPDX-License-Identifier: Apache-2.0

package common

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/core/config"
	"github.com/hyperledger/fabric/core/config/tlsconfig"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/settings"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
)

var (
	tlsMode     string
	encCertFile string
	encKeyFile  string

	// ordererModeKey is the flag or key that said orderer.tls.clientMode, for messages.
	ordererModeKey string
)

// InitConfig refuses a key or a variable that is a misspelt one of ours: Fabric ignores what it does not know, and the
// connections that it was to protect would not be. It has to be known here, where every command reads the configuration.
//
//fork:wrap gm: misspelt settings of TLCP are errors
func InitConfig(cmdRoot string) error {
	if err := upstreamInitConfig(cmdRoot); err != nil {
		return err
	}
	if err := settings.Core.CheckKeys(viper.ConfigFileUsed(), viper.AllKeys()); err != nil {
		return err
	}
	return settings.Core.CheckEnvironment(os.Environ())
}

// AddOrdererFlags adds the flags that TLCP needs to those of upstream. With --tlsmode gm, --certfile and --keyfile name the
// signing pair.
//
//fork:wrap gm: flags for TLCP towards the orderer
func AddOrdererFlags(cmd *cobra.Command) {
	upstreamAddOrdererFlags(cmd)
	flags := cmd.PersistentFlags()
	flags.StringVarP(&tlsMode, "tlsmode", "", "",
		"Protocol towards the orderer endpoint: tls, or gm for TLCP (default: peer.tls.clientMode, then tls)")
	for _, other := range []string{"tls-mode", "tlsMode"} { // as the commands osnadmin and discover have it
		flags.Var(misspelt{}, other, "")
		flags.MarkHidden(other)
	}
	flags.StringVarP(&encCertFile, "encCertfile", "", "",
		"Path to file containing the PEM-encoded TLCP encryption certificate that goes with --certfile, the signing certificate")
	flags.StringVarP(&encKeyFile, "encKeyfile", "", "",
		"Path to file containing the PEM-encoded private key of --encCertfile")
}

// misspelt is the value of a flag that only says how another command spells it.
type misspelt struct{}

func (misspelt) String() string   { return "" }
func (misspelt) Type() string     { return "string" }
func (misspelt) Set(string) error { return errors.New("this command spells it --tlsmode") }

// SetOrdererEnv also sets what the TLCP flags say. The orderer is dialed in the mode of --tlsmode, else as the peer is.
//
//fork:wrap gm: flags for TLCP towards the orderer
func SetOrdererEnv(cmd *cobra.Command, args []string) {
	upstreamSetOrdererEnv(cmd, args)
	mode := tlsMode
	ordererModeKey = "--tlsmode"
	for _, key := range []string{"orderer.tls.clientMode", "peer.tls.clientMode"} {
		if mode == "" {
			mode, ordererModeKey = viper.GetString(key), key
		}
	}
	viper.Set("orderer.tls.clientMode", mode)
	if encCertFile != "" || encKeyFile != "" {
		viper.Set("orderer.tls.gm.clientEncCert.file", encCertFile)
		viper.Set("orderer.tls.gm.clientEncKey.file", encKeyFile)
	}
}

// configFromEnv adds the protocol that PREFIX.tls.clientMode names.
//
//fork:wrap gm: commands dial in the mode that is configured for the node they address
func configFromEnv(prefix string) (address string, clientConfig comm.ClientConfig, err error) {
	if err := checkDialer(prefix); err != nil {
		return "", comm.ClientConfig{}, err
	}
	address, clientConfig, err = upstreamConfigFromEnv(prefix)
	if err != nil || !clientConfig.SecOpts.UseTLS {
		return address, clientConfig, err
	}
	if clientConfig.SecOpts.ClientMode, err = tlsconfig.ClientMode(prefix); err == nil {
		clientConfig.SecOpts.GMClientProtocol, err = gmClientProtocol(prefix)
	}
	return address, clientConfig, err
}

// gmClientProtocol returns PREFIX.tls.gm.clientProtocol, for the orderer that of the peer if it is absent.
func gmClientProtocol(prefix string) (string, error) {
	name, err := tlsconfig.GMClientProtocol(prefix)
	if name == "" && err == nil {
		return tlsconfig.GMClientProtocol("peer")
	}
	return name, err
}

// checkDialer refuses to connect without protection where the mode of PREFIX has TLCP, and values that cannot be read.
func checkDialer(prefix string) error {
	enabled, err := tlsconfig.Enabled(prefix)
	if err != nil {
		return err
	}
	mode, enabledKey := tlsconfig.ClientModeSetting(prefix), prefix+".tls.enabled"
	if prefix == "orderer" {
		enabledKey = "--tls"
		if ordererModeKey != "" {
			mode.Key = ordererModeKey
		}
		if tlsMode != "" && !enabled {
			return fmt.Errorf("--tlsmode %s is given without --tls: the connection to the orderer would be unprotected", tlsMode)
		}
	}
	return tlsconfig.CheckDialer(mode, enabled, enabledKey)
}

// newPeerClientForClientConfig adds the mode of peer.tls.clientMode to options that say none.
//
//fork:wrap gm: commands dial in the mode that is configured for the node they address
func newPeerClientForClientConfig(address string, clientConfig comm.ClientConfig) (*PeerClient, error) {
	if err := checkDialer("peer"); err != nil {
		return nil, err
	}
	if clientConfig.SecOpts.UseTLS && clientConfig.SecOpts.ClientMode == "" {
		mode, err := tlsconfig.ClientMode("peer")
		if err != nil {
			return nil, err
		}
		clientConfig.SecOpts.ClientMode = mode
		if clientConfig.SecOpts.GMClientProtocol, err = tlsconfig.GMClientProtocol("peer"); err != nil {
			return nil, err
		}
	}
	return upstreamNewPeerClientForClientConfig(address, clientConfig)
}

// GetClientCertificate returns the client certificate of the mode in use, an empty one when no client authentication is
// configured.
//
//fork:wrap gm: crypto/tls cannot make a pair of an SM2 certificate
func GetClientCertificate() (tls.Certificate, error) {
	if !viper.GetBool("peer.tls.clientAuthRequired") || !tlsconfig.ClientIsGMOnly("peer") {
		return upstreamGetClientCertificate()
	}
	options := comm.SecureOptions{UseTLS: true, RequireClientCert: true, ClientMode: comm.ClientGM}
	var err error
	if options.Key, options.Certificate, err = getClientAuthInfoFromEnv("peer"); err != nil {
		return tls.Certificate{}, err
	}
	cert, err := options.ClientCertificate()
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("failed to load client certificate: %w", err)
	}
	return cert, nil
}

// getClientAuthInfoFromEnv returns the client's keys and certificates as PEM bundles: the pair of PREFIX.tls.clientKey and
// clientCert, which may itself be the signing pair, and the TLCP files that the same section names.
//
//fork:wrap gm: client authentication with a TLCP pair
func getClientAuthInfoFromEnv(prefix string) ([]byte, []byte, error) {
	gm := ".tls.gm.client"
	if !anyFileSet(prefix+gm, "SignCert", "SignKey", "EncCert", "EncKey") {
		return upstreamGetClientAuthInfoFromEnv(prefix)
	}
	password, err := gmx509.ReadPasswordFile(config.GetPath(prefix + ".tls.gm.keyPassword.file"))
	if err != nil {
		return nil, nil, fmt.Errorf("unable to load %s.tls.gm.keyPassword.file: %w", prefix, err)
	}
	var keys, certs bytes.Buffer
	for _, file := range []struct {
		key string
		to  *bytes.Buffer
	}{
		{prefix + ".tls.clientKey.file", &keys},
		{prefix + ".tls.clientCert.file", &certs},
		{prefix + gm + "SignKey.file", &keys},
		{prefix + gm + "SignCert.file", &certs},
		{prefix + gm + "EncKey.file", &keys},
		{prefix + gm + "EncCert.file", &certs},
	} {
		if err := appendFile(file.to, file.key, password); err != nil {
			return nil, nil, err
		}
	}
	return keys.Bytes(), certs.Bytes(), nil
}

func anyFileSet(prefix string, names ...string) bool {
	for _, name := range names {
		if viper.GetString(prefix+name+".file") != "" {
			return true
		}
	}
	return false
}

// appendFile adds, in PEM, what the file holds that key names, if it names one, with its keys opened by the password.
func appendFile(to *bytes.Buffer, key string, password []byte) error {
	if viper.GetString(key) == "" {
		return nil
	}
	file, err := material.Read(config.GetPath(key))
	if err != nil {
		return fmt.Errorf("unable to load %s: %w", key, err)
	}
	to.Write(material.EncodeCertificates(file.Certificates))
	for _, k := range file.Keys {
		_, text, err := k.OpenPEM(password)
		if err != nil {
			return fmt.Errorf("unable to load %s: %w", key, err)
		}
		to.Write(text)
	}
	return nil
}
