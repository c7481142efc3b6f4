// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"context"
	"fmt"
	"net"

	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric-ca/util"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// GMKeyCertFiles names the files of a TLCP pair, PEM or DER.
type GMKeyCertFiles struct {
	SignCert string `help:"Signing certificate of the TLCP pair, with its intermediates"`
	SignKey  string `help:"Private key of the signing certificate"`
	EncCert  string `help:"Encryption certificate of the TLCP pair"`
	EncKey   string `help:"Private key of the encryption certificate"`
}

// ServerTLSConfig defines the security of the server's listener.
//
//fork:fields gm: the server's listener speaks TLCP
type ServerTLSConfig struct {
	Mode        string   `help:"Protocols of the listening port: 'tls' (default), 'gm' for TLCP alone, or 'dual' for both"`
	GMProtocols []string `help:"What 'gm' is in modes gm and dual: TLCP (default), TLS13 for TLS 1.3 with GM suites, or both"`
	GM          GMKeyCertFiles
}

// ClientTLSConfig defines the security of the client's connections.
//
//fork:fields gm: the client speaks TLCP
type ClientTLSConfig struct {
	Mode       string `help:"Protocol towards the server: 'tls' (default) or 'gm' for TLCP"`
	GMProtocol string `help:"What mode gm speaks: TLCP (default), or TLS13 for TLS 1.3 with GM suites"`
	GM         GMKeyCertFiles
}

// Any reports whether a file is named.
func (f *GMKeyCertFiles) Any() bool {
	return f.SignCert != "" || f.SignKey != "" || f.EncCert != "" || f.EncKey != ""
}

// Absolute completes the names of files by the home directory.
func (f *GMKeyCertFiles) Absolute(home string) error {
	return util.MakeFileNamesAbsolute([]*string{&f.SignCert, &f.SignKey, &f.EncCert, &f.EncKey}, home)
}

// AbsTLSServer completes the names of the server's files.
//
//fork:wrap gm: files of the TLCP pair
func AbsTLSServer(cfg *ServerTLSConfig, home string) error {
	if err := upstreamAbsTLSServer(cfg, home); err != nil {
		return err
	}
	return cfg.GM.Absolute(home)
}

// AbsTLSClient completes the names of the client's files.
//
//fork:wrap gm: files of the TLCP pair
func AbsTLSClient(cfg *ClientTLSConfig, home string) error {
	if err := upstreamAbsTLSClient(cfg, home); err != nil {
		return err
	}
	return cfg.GM.Absolute(home)
}

func (f *GMKeyCertFiles) load(key string) (gmtls.Certificate, error) {
	pair, err := gmtls.LoadX509KeyPair(f.SignCert, f.SignKey, f.EncCert, f.EncKey)
	if err != nil {
		return pair, fmt.Errorf("%s: %w", key, err)
	}
	return pair, nil
}

func loadRoots(key string, names []string) (*smx509.CertPool, error) {
	pool := smx509.NewCertPool()
	for _, name := range names {
		certs, err := material.ReadCertificates(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		for _, cert := range certs {
			if cert.Family() == material.SM2 {
				engine, err := smx509.ParseCertificate(cert.Raw)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", key, name, err)
				}
				pool.AddCert(engine)
			}
		}
	}
	if len(pool.Subjects()) == 0 { // the pool is not the system's
		return nil, fmt.Errorf("%s: no SM2 certificate of an authority in %q, by which a TLCP peer is verified", key, names)
	}
	return pool, nil
}

// Dialer dials the GM protocol to the server.
func (cfg *ClientTLSConfig) Dialer() (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	roots, err := loadRoots("tls.certfiles", cfg.CertFiles)
	if err != nil {
		return nil, err
	}
	version := gmtls.VersionTLCP
	if cfg.GMProtocol == comm.GMProtocolTLS13 {
		version = gmtls.VersionTLS13
	}
	config := &gmtls.Config{Versions: []uint16{version}, RootCAs: roots}
	if cfg.GM.Any() {
		pair, err := cfg.GM.load("tls.gm")
		if err != nil {
			return nil, err
		}
		config.Certificates = []gmtls.Certificate{pair}
	}
	return (&gmtls.Dialer{Config: config}).DialContext, nil
}
