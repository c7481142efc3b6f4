// SPDX-License-Identifier: Apache-2.0

package gmgateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/pkg/internal/roots"
	"google.golang.org/grpc/credentials"
)

// transport returns the credentials for connections to a peer, and the client certificates in them: none, one, or in mode gm the
// signing and the encryption one.
func (p *Profile) transport(name string, peer Peer) (credentials.TransportCredentials, []*x509.Certificate, error) {
	field := fmt.Sprintf("peers.%s.tlsCACerts", name)
	bundle, err := p.read(field, peer.TLSCACerts)
	if err != nil {
		return nil, nil, err
	}
	serverName := peer.GRPCOptions.TargetNameOverride
	if p.Client.TLS.Mode == ModeTLS {
		pool, err := roots.Standard(field, bundle)
		if err != nil {
			return nil, nil, fmt.Errorf("gmgateway: %w", err)
		}
		return p.tls(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: serverName})
	}
	trusted, err := roots.SM2(field, bundle)
	if err != nil {
		return nil, nil, fmt.Errorf("gmgateway: %w", err)
	}
	return p.tlcp(&gmtls.Config{RootCAs: trusted.Pool, Authorities: trusted.Authorities, ServerName: serverName, ChainCache: gmtls.NewChainCache(1)})
}

// tls adds the client certificate of the profile.
func (p *Profile) tls(config *tls.Config) (credentials.TransportCredentials, []*x509.Certificate, error) {
	settings := p.Client.TLS
	if settings.Cert.empty() {
		return credentials.NewTLS(config), nil, nil
	}
	cert, err := p.read("client.tls.cert", settings.Cert)
	if err != nil {
		return nil, nil, err
	}
	key, err := p.read("client.tls.key", settings.Key)
	if err != nil {
		return nil, nil, err
	}
	pair, err := roots.TLSPair("client.tls.cert", cert, "client.tls.key", key)
	if err != nil {
		return nil, nil, fmt.Errorf("gmgateway: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return credentials.NewTLS(config), []*x509.Certificate{pair.Leaf}, nil
}

// tlcp adds the cipher suites and the client certificate pair of the profile.
func (p *Profile) tlcp(config *gmtls.Config) (credentials.TransportCredentials, []*x509.Certificate, error) {
	settings := p.Client.TLS
	if settings.Protocol == protocolTLS13 {
		config.Versions = []uint16{gmtls.VersionTLS13}
	}
	var err error
	if config.CipherSuites, err = suites(settings.CipherSuites); err != nil {
		return nil, nil, err
	}
	if settings.Cert.empty() {
		withoutPair := func(name string) bool { return !strings.HasPrefix(name, "ECDHE") }
		if len(settings.CipherSuites) > 0 && !slices.ContainsFunc(settings.CipherSuites, withoutPair) {
			return nil, nil, errors.New("gmgateway: client.tls.cipherSuites holds only ECDHE suites, which need a client certificate pair: give cert, key, encCert and encKey")
		}
		return gmcredentials.New(config), nil, nil
	}
	var content [4][]byte
	for i, source := range []struct {
		field string
		pem   PEM
	}{
		{"client.tls.cert", settings.Cert},
		{"client.tls.key", settings.Key},
		{"client.tls.encCert", settings.EncCert},
		{"client.tls.encKey", settings.EncKey},
	} {
		if content[i], err = p.read(source.field, source.pem); err != nil {
			return nil, nil, err
		}
	}
	pair, err := roots.TLCPPair(content[0], content[1], content[2], content[3], x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, nil, fmt.Errorf("gmgateway: client.tls: %w", err)
	}
	config.Certificates = []gmtls.Certificate{pair}
	return gmcredentials.New(config), []*x509.Certificate{pair.Leaf, pair.EncLeaf}, nil
}

// suites turns names of cipher suites into their numbers; no names mean the defaults of gmtls.
func suites(names []string) ([]uint16, error) {
	if len(names) == 0 {
		return nil, nil
	}
	numbers, known := map[string]uint16{}, []string{}
	for _, suite := range gmtls.CipherSuites() {
		numbers[suite.Name] = suite.ID
		known = append(known, suite.Name)
	}
	var ids []uint16
	for _, name := range names {
		id, ok := numbers[name]
		if !ok {
			return nil, errors.New("gmgateway: client.tls.cipherSuites: " + name + " is unknown: want " + strings.Join(known, ", "))
		}
		ids = append(ids, id)
	}
	return ids, nil
}
