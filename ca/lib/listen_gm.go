// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto/rand"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/log"
	"github.com/cloudflare/cfssl/signer"
	"github.com/emmansun/gmsm/sm2"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric-ca/api"
	stls "github.com/hyperledger/fabric-ca/lib/tls"
	"github.com/hyperledger/fabric-ca/util"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// listenAndServe listens and serves.
//
//fork:wrap gm: mode gm listens for TLCP alone; a wrong mode stops the server
func (s *Server) listenAndServe() error {
	c := &s.Config.TLS
	if err := stls.CheckMode("tls.mode", c.Mode, stls.ModeTLS, stls.ModeDual, stls.ModeGM); err != nil {
		return err
	}
	if c.Mode == "" || c.Mode == stls.ModeTLS {
		return s.upstreamListenAndServe()
	}
	if !c.Enabled {
		return errors.Errorf("tls.mode is %q, but tls.enabled is false: the server would listen without protection", c.Mode)
	}
	if err := s.makePair(); err != nil {
		return errors.WithMessage(err, "making a TLCP pair for the listener")
	}
	if c.Mode == stls.ModeDual {
		return s.upstreamListenAndServe()
	}
	if s.Config.Address == "" {
		s.Config.Address = DefaultServerAddr
	}
	if s.Config.Port == 0 {
		s.Config.Port = DefaultServerPort
	}
	address := net.JoinHostPort(s.Config.Address, strconv.Itoa(s.Config.Port))
	listener, err := s.listenGM(address, nil)
	if err != nil {
		return err
	}
	s.listener = listener
	log.Infof("Listening on https://%s by TLCP", address)
	if err := s.checkAndEnableProfiling(); err != nil {
		s.closeListener()
		return errors.WithMessage(err, "listening for profiling")
	}
	if s.BlockingStart {
		return s.serve()
	}
	s.wait = make(chan bool)
	go s.serve()
	return nil
}

// listenTLS listens for TLS, in mode dual for TLCP too.
func (s *Server) listenTLS(address string, config *tls.Config) (net.Listener, error) {
	if s.Config.TLS.Mode != stls.ModeDual {
		return tls.Listen("tcp", address, config)
	}
	return s.listenGM(address, func(conn net.Conn) net.Conn { return tls.Server(conn, config) })
}

func (s *Server) listenGM(address string, tlsServer func(net.Conn) net.Conn) (net.Listener, error) {
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	listener, err := s.Config.TLS.Listener(inner, strings.ToLower(s.Config.TLS.ClientAuth.Type), tlsServer)
	if err != nil {
		inner.Close()
		return nil, err
	}
	return listener, nil
}

// makePair has the server's own CA issue the TLCP pair of the listener, where the configuration names no files.
func (s *Server) makePair() error {
	f := &s.Config.TLS.GM
	if f.SignCert != "" || f.SignKey != "" || f.EncCert != "" || f.EncKey != "" {
		return nil
	}
	f.SignCert, f.SignKey, f.EncCert, f.EncKey = "tlcp-sign.crt", "tlcp-sign.key", "tlcp-enc.crt", "tlcp-enc.key"
	if err := stls.AbsTLSServer(&s.Config.TLS, s.HomeDir); err != nil {
		return err
	}
	if util.FileExists(f.SignCert) && util.FileExists(f.EncCert) {
		return nil
	}
	request := s.Config.CAcfg.CSR
	for _, half := range []struct{ profile, cert, key string }{
		{api.ProfileTLCP, f.SignCert, f.SignKey}, {profileTLCPEncryption, f.EncCert, f.EncKey},
	} {
		key, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		// The name of the CA's own certificate must not come again, or no authority key identifier is written.
		text, err := csr.Generate(key, &csr.CertificateRequest{CN: util.Hostname(), Names: request.Names, Hosts: request.Hosts, SerialNumber: request.SerialNumber})
		if err != nil {
			return err
		}
		cert, err := s.CA.enrollSigner.Sign(signer.SignRequest{Profile: half.profile, Request: string(text)})
		if err != nil {
			return err
		}
		keyText, err := x509.MarshalPrivateKeyPEM(key, nil)
		if err != nil {
			return err
		}
		if err := replaceFile(half.key, keyText, 0o600); err != nil {
			return err
		}
		if err := replaceFile(half.cert, cert, 0o644); err != nil {
			return err
		}
	}
	log.Infof("Made a TLCP pair for the listener: %s, %s", f.SignCert, f.EncCert)
	return nil
}

// initHTTPClient makes the client's connections.
//
//fork:wrap gm: mode gm dials TLCP; a wrong mode stops the client
func (c *Client) initHTTPClient() error {
	config := &c.Config.TLS
	if err := stls.CheckMode("tls.mode", config.Mode, stls.ModeTLS, stls.ModeGM); err != nil {
		return err
	}
	if config.Mode != stls.ModeGM {
		return c.upstreamInitHTTPClient()
	}
	if !config.Enabled {
		return errors.New("tls.mode is gm, but the server's URL does not begin with https://: requests would go without protection")
	}
	if err := stls.AbsTLSClient(config, c.HomeDir); err != nil {
		return err
	}
	dial, err := config.Dialer()
	if err != nil {
		return err
	}
	c.httpClient = &http.Client{Transport: &http.Transport{DialTLSContext: dial}}
	return nil
}
