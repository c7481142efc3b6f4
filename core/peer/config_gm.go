// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"crypto/tls"
	"fmt"

	"github.com/hyperledger/fabric/core/config"
	"github.com/hyperledger/fabric/core/config/tlsconfig"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/spf13/viper"
)

// GlobalConfig refuses settings of the peer's channels that are wrong or contradict each other, before anything is made of them.
//
//fork:wrap gm: a peer that was told to speak TLCP does not start unprotected
func GlobalConfig() (*Config, error) {
	notes, err := tlsconfig.CheckPeer()
	if err != nil {
		return nil, fmt.Errorf("invalid TLS configuration in core.yaml or the CORE_ environment: %w", err)
	}
	for _, note := range notes {
		peerLogger.Info(note)
	}
	return upstreamGlobalConfig()
}

// GetServerConfig returns upstream's options with the live TLS source of the peer's listeners. Certificate becomes the
// certificates of every pair the peer has: code that rebuilds options from these bytes finds the source by them.
//
//fork:wrap gm: the peer's listeners take mode and certificates from a source that can be switched while running
func GetServerConfig() (comm.ServerConfig, error) {
	serverConfig, err := upstreamGetServerConfig()
	if err != nil || !serverConfig.SecOpts.UseTLS {
		return serverConfig, err
	}
	source, err := tlsconfig.PeerServerSource()
	if err != nil {
		return serverConfig, err
	}
	serverConfig.SecOpts.Source = source
	serverConfig.SecOpts.Certificate = source.Material().PEM()
	return serverConfig, nil
}

// GetClientCertificate returns the certificate that the peer presents when it dials now, of the family that its client mode
// asks for. For TLCP, Certificate holds the signing and the encryption certificate, in this order.
//
//fork:wrap gm: the certificate follows peer.tls.clientMode
func GetClientCertificate() (tls.Certificate, error) {
	enabled := viper.GetBool("peer.tls.enabled")
	if !enabled || !tlsconfig.ClientIsGMOnly("peer") {
		if cert, err := upstreamGetClientCertificate(); err != nil || !enabled {
			return cert, err
		}
	}
	source, err := tlsconfig.PeerClientSource()
	if err != nil {
		return tls.Certificate{}, err
	}
	return source.ClientCertificate()
}

// readServerPEM reads the file that a key of the listeners' crypto/tls pair names.
func readServerPEM(key string) ([]byte, error) {
	return tlsconfig.ReadStandardPEM(config.GetPath(key), tlsconfig.ServerIsGMOnly("peer"))
}
