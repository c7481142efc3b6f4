// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// Server is a test server.
type Server struct {
	Listen   string
	Protocol string // tlcp, tls, tls13-gm, dual or all
	Own      material.Own
	Clients  []string // roots of clients, who then must show a certificate
	ALPN     []string
	KeyLog   io.Writer // nil: none
	Hybrid   bool      // key exchange with ML-KEM in TLS 1.3
	// RawTranscript is as in gmtls.Config.RawTranscriptVerify.
	RawTranscript bool
	Idle          time.Duration

	log *slog.Logger
}

const handshakeTimeout = 10 * time.Second

// listener opens the port.
func (s *Server) listener() (net.Listener, error) {
	var useTLCP, useTLS, useTLS13 bool
	switch s.Protocol {
	case "tlcp":
		useTLCP = true
	case "tls":
		useTLS = true
	case material.TLS13:
		useTLS13 = true
	case "dual":
		useTLCP, useTLS = true, true
	case "all":
		useTLCP, useTLS, useTLS13 = true, true, true
	default:
		return nil, fmt.Errorf("--protocol is %q; it must be tlcp, tls, %s, dual or all", s.Protocol, material.TLS13)
	}
	roots, err := material.LoadRoots(s.Clients)
	if err != nil {
		return nil, err
	}
	var sniff gmtls.SniffConfig
	if useTLCP || useTLS13 {
		config, err := s.gmConfig(roots)
		if err != nil {
			return nil, err
		}
		of := func(version uint16) func(net.Conn) net.Conn {
			config := config.Clone()
			config.Versions = []uint16{version}
			return func(c net.Conn) net.Conn { return gmtls.Server(c, config) }
		}
		if useTLCP {
			sniff.TLCP = of(gmtls.VersionTLCP)
		}
		if useTLS13 {
			sniff.TLS13 = of(gmtls.VersionTLS13)
		}
	}
	if useTLS {
		config, err := s.tlsConfig(roots)
		if err != nil {
			return nil, err
		}
		sniff.TLS = func(c net.Conn) net.Conn { return tls.Server(c, config) }
	}
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, err
	}
	switch s.Protocol {
	case "tlcp":
		return &wrapping{l, sniff.TLCP}, nil
	case "tls":
		return &wrapping{l, sniff.TLS}, nil
	case material.TLS13:
		return &wrapping{l, sniff.TLS13}, nil
	}
	return gmtls.NewSniffListener(l, sniff), nil
}

// gmConfig is for the GM protocols. roots are those of clients; nil: clients need no certificate.
func (s *Server) gmConfig(roots *material.Roots) (*gmtls.Config, error) {
	pair, err := s.Own.Pair()
	if err != nil {
		return nil, err
	}
	if pair == nil {
		return nil, errors.New("a GM server needs --cert, --key, --enc-cert and --enc-key (gmtls pki makes some)")
	}
	config := &gmtls.Config{
		Certificates: []gmtls.Certificate{*pair}, NextProtos: s.ALPN, HandshakeTimeout: handshakeTimeout, CurvePreferences: material.Groups(s.Hybrid),
		ServerSessionCache: gmtls.NewLRUServerSessionCache(0), KeyLogWriter: s.KeyLog, RawTranscriptVerify: s.RawTranscript,
	}
	if roots != nil {
		config.ClientAuth, config.ClientCAs = gmtls.RequireAndVerifyClientCert, roots.Pool.SM()
	}
	return config, nil
}

// tlsConfig is for TLS. roots are as in gmConfig.
func (s *Server) tlsConfig(roots *material.Roots) (*tls.Config, error) {
	cert, err := s.Own.TLS()
	if err != nil {
		return nil, err
	}
	if cert == nil {
		return nil, errors.New("a TLS server needs --tls-cert and --tls-key (gmtls pki makes some)")
	}
	config := &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: s.ALPN, MinVersion: tls.VersionTLS12, KeyLogWriter: s.KeyLog}
	if roots != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, roots.Pool.Std()
	}
	return config, nil
}

// wrapping applies one protocol to every connection.
type wrapping struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (w *wrapping) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return w.wrap(c), nil
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	l, err := s.listener()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	s.log.Info("listening", "address", l.Addr().String(), "protocol", s.Protocol)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accepting: %w", err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			s.serve(ctx, c.(Secured))
		}()
	}
}

func (s *Server) serve(ctx context.Context, c Secured) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	handshake, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := c.HandshakeContext(handshake); err != nil {
		s.log.Warn("handshake failed", "client", c.RemoteAddr().String(), "error", err)
		return
	}
	negotiated := Describe(c)
	s.log.Info("connected", "client", c.RemoteAddr().String(), "with", negotiated.String(), "certificates", negotiated.Shown)
	buf := make([]byte, 16<<10)
	for {
		_ = c.SetDeadline(time.Now().Add(s.Idle)) // a closed connection shows in Read
		n, err := c.Read(buf)
		if n > 0 {
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			_ = c.CloseWrite() // the client may be gone
		}
		if err != nil {
			return
		}
	}
}

// ServerCommand returns gmtls server.
func ServerCommand() *cobra.Command {
	var s Server
	var keyLog string
	var format output.Format
	c := &cobra.Command{
		Use:   "server",
		Short: "run a test server that echoes its input",
		Long: `Echoes its input until it is interrupted. The log goes to standard error.

Exit codes: 0 stopped by a signal; 1 wrong usage, unreadable file, or the address is taken.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := material.RefuseEmpty(c.Flags()); err != nil {
				return err
			}
			if s.Idle <= 0 {
				return errors.New("--idle must be positive")
			}
			if err := format.Check(); err != nil {
				return err
			}
			s.log = format.Logger(c.ErrOrStderr())
			if keyLog != "" {
				f, err := material.CreateKeyLog(keyLog)
				if err != nil {
					return err
				}
				defer f.Close()
				s.KeyLog = f
			}
			return s.Run(c.Context())
		},
	}
	f := c.Flags()
	s.Own.Flags(f, "server")
	f.StringVar(&s.Listen, "listen", "127.0.0.1:0", "address to listen on")
	f.StringVar(&s.Protocol, "protocol", "tlcp", "tlcp, tls, tls13-gm for TLS 1.3 with GM suites, dual for TLCP and TLS on one port, or all for the three")
	f.BoolVar(&s.Hybrid, "hybrid", false, "with tls13-gm: take the key exchange of SM2 and ML-KEM together (draft)")
	f.StringSliceVar(&s.Clients, "client-ca", nil, "file with roots of clients, which must then present a certificate; may be repeated")
	f.StringSliceVar(&s.ALPN, "alpn", nil, "application protocols to accept")
	f.BoolVar(&s.RawTranscript, "raw-transcript", false, "TLCP: expect the messages to be signed in CertificateVerify, not their hash (GmSSL from 3.2 on)")
	f.StringVar(&keyLog, "keylog", "", "append the secrets of the connections to this file, to decrypt a capture")
	format.Flag(f)
	f.DurationVar(&s.Idle, "idle", 5*time.Minute, "close a connection that is idle for this long")
	return c
}
