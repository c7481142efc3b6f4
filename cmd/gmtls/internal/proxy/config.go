// SPDX-License-Identifier: Apache-2.0

// Package proxy implements gmtls proxy. A [Proxy] forwards the bytes of connections between TLCP, TLS 1.3 with GM suites, TLS and plain
// TCP, for programs that do not speak one of them. It does not read what it forwards.
package proxy

import (
	"crypto/tls"
	stdx509 "crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/spf13/pflag"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// Mode is the protocol of one side.
type Mode string

// The protocols of a side.
const (
	Plain Mode = "plain"
	TLS   Mode = material.TLS
	TLCP  Mode = material.TLCP
	TLS13 Mode = material.TLS13
)

// Options configure a proxy. The files are read again by Reload.
type Options struct {
	Listen  string // address
	From    Mode   // of the clients
	To      string // host and port of the server
	ToMode  Mode
	Server  material.Own // what clients are shown
	Clients []string     // roots of clients; they are demanded a certificate if there are any
	Client  material.Own // what the server is shown
	Hybrid  bool         // key exchange of SM2 with ML-KEM in TLS 1.3 with GM suites
	// Dialect is spoken with a GM server, ListenRawTranscript with TLCP clients (gmtls.Config.RawTranscriptVerify).
	Dialect             material.Dialect
	ListenRawTranscript bool
	Roots               []string // roots of the server
	Name                string   // of the server; default: the host of To
	// ALPN is offered to the server when the clients are plain, and accepted
	// from clients when the server is plain, or when they must show a certificate
	// before the server is dialled. Otherwise what the client offers is passed on.
	ALPN           []string
	Metrics        string // address, in plain; empty: none
	AllowPlain     bool   // plain clients on other than loopback addresses
	MaxConnections int
	Timeout        time.Duration // for connecting and handshakes
	Idle           time.Duration // close a connection that is idle for this long
	Grace          time.Duration // for open connections when the proxy stops
}

// sides are the configurations in force, replaced as a whole by Reload.
type sides struct {
	serverTLS *tls.Config
	serverGM  *gmtls.Config
	clientTLS *tls.Config
	clientGM  *gmtls.Config
}

func (o *Options) checkModes() error {
	for name, m := range map[string]Mode{"--from": o.From, "--to-mode": o.ToMode} {
		if m != Plain && m != TLS && !m.gm() {
			return fmt.Errorf("%s is %q; it must be plain, tls, tlcp or %s", name, m, TLS13)
		}
	}
	return nil
}

// gm reports whether a side shows a TLCP pair.
func (m Mode) gm() bool { return m == TLCP || m == TLS13 }

// checkFlags refuses a flag that seems to protect a side and does not: it is empty, or the protocol of the side has no use for it. The
// options alone do not tell whether a flag was given.
func (o *Options) checkFlags(flags *pflag.FlagSet) error {
	if err := material.RefuseEmpty(flags); err != nil {
		return err
	}
	if err := o.checkModes(); err != nil {
		return err
	}
	from, to := "--from "+string(o.From), "--to-mode "+string(o.ToMode)
	for _, group := range []struct {
		names string
		used  bool
		side  string
	}{
		{"client-ca", o.From != Plain, from},
		{"listen-tls-cert listen-tls-key", o.From == TLS, from},
		{"listen-cert listen-key listen-enc-cert listen-enc-key", o.From.gm(), from},
		{"ca name", o.ToMode != Plain, to},
		{"tls-cert tls-key", o.ToMode == TLS, to},
		{"cert key enc-cert enc-key", o.ToMode.gm(), to},
	} {
		for _, name := range strings.Fields(group.names) {
			if flags.Changed(name) && !group.used {
				return fmt.Errorf("--%s means nothing with %s: leave it out, or choose another protocol", name, group.side)
			}
		}
	}
	return nil
}

// check finds options that contradict one another.
func (o *Options) check() error {
	if err := o.checkModes(); err != nil {
		return err
	}
	if o.From != TLCP && o.ListenRawTranscript {
		return errors.New("--listen-raw-transcript is for --from tlcp")
	}
	if o.Hybrid && o.From != TLS13 && o.ToMode != TLS13 {
		return fmt.Errorf("--hybrid is for --from or --to-mode %s", TLS13)
	}
	if err := o.Dialect.Check(material.Version(string(o.ToMode)), "--to-mode "+string(o.ToMode)); err != nil {
		return err
	}
	// Between two dialects there is something to bridge.
	if o.From == o.ToMode && o.Dialect == (material.Dialect{RawTranscript: o.ListenRawTranscript}) {
		return fmt.Errorf("both sides are %s: there is nothing to bridge", o.From)
	}
	host, _, err := net.SplitHostPort(o.To)
	if err != nil {
		return fmt.Errorf("--to is %q, not HOST:PORT", o.To)
	}
	if o.Name == "" {
		o.Name = host
	}
	switch {
	case o.MaxConnections < 1:
		return errors.New("--max-connections must be positive")
	case o.Timeout <= 0 || o.Idle <= 0 || o.Grace < 0:
		return errors.New("--timeout and --idle must be positive, --grace must not be negative")
	}
	if o.From == Plain {
		return o.checkPlain()
	}
	return nil
}

// checkPlain refuses plain clients of other machines: to the server they are the proxy. The metrics are served in plain on any address,
// since they are only numbers and can change nothing.
func (o *Options) checkPlain() error {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("--listen is %q, not ADDRESS:PORT", o.Listen)
	}
	if ip := net.ParseIP(host); o.AllowPlain || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--listen is %q: it would listen without protection on an address that is not loopback; --allow-plain permits that", o.Listen)
}

// load reads all files.
func (o *Options) load() (*sides, error) {
	s := new(sides)
	if err := o.loadServer(s); err != nil {
		return nil, fmt.Errorf("for the clients: %w", err)
	}
	if err := o.loadClient(s); err != nil {
		return nil, fmt.Errorf("for the server: %w", err)
	}
	return s, nil
}

var errNoOwn = errors.New("there is no certificate to show")

func (o *Options) loadServer(s *sides) error {
	if o.From == Plain {
		return nil
	}
	roots, err := material.LoadRoots(o.Clients)
	if err != nil {
		return err
	}
	if o.From == TLS {
		cert, err := o.Server.TLS()
		if err != nil {
			return err
		}
		if cert == nil {
			return errNoOwn
		}
		// Every connection has a new configuration, so tickets would never match.
		s.serverTLS = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}
		if roots != nil {
			s.serverTLS.ClientAuth, s.serverTLS.ClientCAs = tls.RequireAndVerifyClientCert, std(roots)
		}
		return nil
	}
	pair, err := o.Server.Pair()
	if err != nil {
		return err
	}
	if pair == nil {
		return errNoOwn
	}
	s.serverGM = &gmtls.Config{
		Versions: []uint16{material.Version(string(o.From))}, CurvePreferences: material.Groups(o.Hybrid),
		Certificates: []gmtls.Certificate{*pair}, HandshakeTimeout: o.Timeout,
		ServerSessionCache: gmtls.NewLRUServerSessionCache(o.MaxConnections), ChainCache: gmtls.NewChainCache(64),
		RawTranscriptVerify: o.ListenRawTranscript,
	}
	if roots != nil {
		s.serverGM.ClientAuth, s.serverGM.ClientCAs = gmtls.RequireAndVerifyClientCert, sm(roots)
	}
	return nil
}

func (o *Options) loadClient(s *sides) error {
	if o.ToMode == Plain {
		return nil
	}
	roots, err := material.LoadRoots(o.Roots)
	if err != nil {
		return err
	}
	if roots == nil {
		return errors.New("--ca is missing: the server could not be verified")
	}
	if o.ToMode == TLS {
		cert, err := o.Client.TLS()
		if err != nil {
			return err
		}
		s.clientTLS = &tls.Config{
			RootCAs: std(roots), ServerName: o.Name, MinVersion: tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(1),
		}
		if cert != nil {
			s.clientTLS.Certificates = []tls.Certificate{*cert}
		}
		return nil
	}
	pair, err := o.Client.Pair()
	if err != nil {
		return err
	}
	s.clientGM = &gmtls.Config{
		Versions: []uint16{material.Version(string(o.ToMode))}, CurvePreferences: material.Groups(o.Hybrid),
		RootCAs: sm(roots), ServerName: o.Name, HandshakeTimeout: o.Timeout,
		ClientSessionCache: gmtls.NewLRUClientSessionCache(1), ChainCache: gmtls.NewChainCache(1),
	}
	o.Dialect.Apply(s.clientGM)
	if pair != nil {
		s.clientGM.Certificates = []gmtls.Certificate{*pair}
	}
	return nil
}

func std(r *material.Roots) *stdx509.CertPool { return r.Pool.Std() }
func sm(r *material.Roots) *smx509.CertPool   { return r.Pool.SM() }
