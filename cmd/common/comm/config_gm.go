// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"errors"
	"fmt"
	"os"

	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// Config takes what a client needs for TLCP. With TLSMode gm, CertPath and KeyPath name the signing pair.
//
//fork:fields gm: the client of discover reaches a peer over TLCP
type Config struct {
	TLSMode     string `yaml:",omitempty"` // tls (also when empty) or gm
	EncCertPath string `yaml:",omitempty"`
	EncKeyPath  string `yaml:",omitempty"`
	GMProtocol  string `yaml:",omitempty"` // of mode gm: TLCP (also when empty) or TLS13
	// KeyPasswordPath names a file whose first line opens the keys of the pair, if they are encrypted.
	KeyPasswordPath string `yaml:",omitempty"`
}

// ToSecureOptions returns upstream's options for TLS, and for TLCP the pair that is configured or, when none is, one made for
// this process: the peer asks for a certificate to bind requests to, but without mutual TLS it does not verify it.
//
//fork:wrap gm: the client of discover reaches a peer over TLCP
func (conf Config) ToSecureOptions(newSelfSignedTLSCert genTLSCertFunc) (comm.SecureOptions, error) {
	mode, err := comm.ParseClientMode(conf.TLSMode)
	if err != nil {
		return comm.SecureOptions{}, fmt.Errorf("TLS mode: %w", err)
	}
	if mode == comm.ClientGM && conf.PeerCACertPath == "" {
		return comm.SecureOptions{}, errors.New("TLS mode gm needs the root certificate of the peer (--peerTLSCA)")
	}
	if err := comm.CheckGMProtocols(nil, conf.GMProtocol); err != nil {
		return comm.SecureOptions{}, err
	}
	if mode != comm.ClientGM {
		if conf.GMProtocol != "" {
			return comm.SecureOptions{}, errors.New("a GM protocol is given, but the TLS mode is not gm")
		}
		if conf.EncCertPath != "" || conf.EncKeyPath != "" {
			return comm.SecureOptions{}, errors.New("an encryption certificate is given, but the TLS mode is not gm")
		}
		if conf.KeyPasswordPath != "" {
			return comm.SecureOptions{}, errors.New("a password for TLCP keys is given (--tlsKeyPassword), but the TLS mode is not gm")
		}
		options, err := conf.upstreamToSecureOptions(newSelfSignedTLSCert)
		options.ClientMode = mode
		return options, err
	}
	return conf.tlcpOptions()
}

func (conf Config) tlcpOptions() (comm.SecureOptions, error) {
	roots, err := os.ReadFile(conf.PeerCACertPath)
	if err != nil {
		return comm.SecureOptions{}, err
	}
	material, err := conf.tlcpMaterial()
	if err != nil {
		return comm.SecureOptions{}, err
	}
	return comm.SecureOptions{
		UseTLS:            true,
		RequireClientCert: true,
		ServerRootCAs:     [][]byte{roots},
		Material:          &material,
		ClientMode:        comm.ClientGM,
		GMClientProtocol:  conf.GMProtocol,
	}, nil
}

func (conf Config) tlcpMaterial() (comm.Material, error) {
	if conf.CertPath == "" && conf.KeyPath == "" && conf.EncCertPath == "" && conf.EncKeyPath == "" {
		return newSelfSignedPair()
	}
	return comm.Files{
		SignCert: conf.CertPath, SignKey: conf.KeyPath,
		EncCert: conf.EncCertPath, EncKey: conf.EncKeyPath, GMKeyPassword: conf.KeyPasswordPath,
	}.Load()
}

// newSelfSignedPair makes a pair under a CA that is forgotten at once.
func newSelfSignedPair() (comm.Material, error) {
	ca, err := tlsgen.NewPairCA()
	if err != nil {
		return comm.Material{}, err
	}
	pair, err := ca.NewClientCertKeyPair()
	if err != nil {
		return comm.Material{}, err
	}
	return comm.ParseMaterial(pair.Cert, pair.Key, nil, nil)
}
