// SPDX-License-Identifier: Apache-2.0

// Package endpoint implements gmtls client and gmtls server, a plain client and server of TLCP and TLS for tests and demonstrations. Other
// commands connect with its [Dialer]; [Describe] says in words what a connection negotiated.
package endpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/loglimit"
)

// Secured is a connection of TLS or TLCP after the handshake.
type Secured interface {
	net.Conn
	CloseWrite() error
	HandshakeContext(context.Context) error
}

// Dialer connects to a server.
type Dialer struct {
	Target   string // host and port
	Protocol string // tlcp, tls or tls13-gm
	Name     string // default: the host of Target
	Own      material.Own
	CAs      []string
	Insecure bool
	ALPN     []string
	Suites   []string // of TLCP or TLS 1.3 with GM suites, by name
	Hybrid   bool     // key exchange with ML-KEM
	Timeout  time.Duration

	Dialect material.Dialect

	tls  *tls.Config
	tlcp *gmtls.Config
}

// Flags adds the flags of a client.
func (d *Dialer) Flags(c *cobra.Command) {
	f := c.Flags()
	d.Own.Flags(f, "client")
	f.StringVar(&d.Protocol, "protocol", "tlcp", "tlcp, tls, or tls13-gm for TLS 1.3 with GM suites (RFC 8998)")
	f.StringVar(&d.Name, "name", "", "name for SNI and verification (default: the host)")
	f.StringSliceVar(&d.CAs, "ca", nil, "file with roots to verify the server by, PEM; may be repeated")
	f.BoolVar(&d.Insecure, "insecure", false, "verify nothing; anybody can be the server")
	f.StringSliceVar(&d.ALPN, "alpn", nil, "application protocols to offer")
	f.StringSliceVar(&d.Suites, "suite", nil, "GM suites to offer, by name; ECDHE suites need a pair")
	f.BoolVar(&d.Hybrid, "hybrid", false, "with tls13-gm: prefer the key exchange of SM2 and ML-KEM together (draft)")
	f.DurationVar(&d.Timeout, "timeout", 10*time.Second, "for connecting and the handshake")
	d.Dialect.Flags(f)
}

// Prepare checks the options and reads the files.
func (d *Dialer) Prepare() error {
	host, _, err := net.SplitHostPort(d.Target)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not HOST:PORT", d.Target)
	case d.Protocol != "tlcp" && d.Protocol != "tls" && d.Protocol != material.TLS13:
		return fmt.Errorf("--protocol is %q; it must be tlcp, tls or %s", d.Protocol, material.TLS13)
	case d.Hybrid && d.Protocol != material.TLS13:
		return fmt.Errorf("--hybrid is for --protocol %s", material.TLS13)
	case len(d.CAs) == 0 && !d.Insecure:
		return errors.New("--ca is missing: the server could not be verified; --insecure goes without")
	case d.Timeout <= 0:
		return errors.New("--timeout must be positive")
	}
	if err := d.Dialect.Check(material.Version(d.Protocol), "--protocol "+d.Protocol); err != nil {
		return err
	}
	if d.Name == "" {
		d.Name = host
	}
	roots, err := material.LoadRoots(d.CAs)
	if err != nil {
		return err
	}
	if d.Protocol == "tls" {
		return d.prepareTLS(roots)
	}
	return d.prepareTLCP(roots)
}

func (d *Dialer) prepareTLS(roots *material.Roots) error {
	cert, err := d.Own.TLS()
	if err != nil {
		return err
	}
	d.tls = &tls.Config{
		ServerName: d.Name, NextProtos: d.ALPN, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: d.Insecure, //nolint:gosec // asked for by a flag that says so
	}
	if roots != nil {
		d.tls.RootCAs = roots.Pool.Std()
	}
	if cert != nil {
		d.tls.Certificates = []tls.Certificate{*cert}
	}
	return nil
}

func (d *Dialer) prepareTLCP(roots *material.Roots) error {
	pair, err := d.Own.Pair()
	if err != nil {
		return err
	}
	known := gmtls.CipherSuites()
	if d.Protocol == material.TLS13 {
		known = gmtls.CipherSuitesTLS13()
	}
	suites, err := suitesByName(d.Suites, known)
	if err != nil {
		return err
	}
	d.tlcp = &gmtls.Config{
		ServerName: d.Name, NextProtos: d.ALPN, InsecureSkipVerify: d.Insecure, CipherSuites: suites,
		HandshakeTimeout: d.Timeout,
	}
	if d.Protocol == material.TLS13 {
		d.tlcp.Versions = []uint16{gmtls.VersionTLS13}
		d.tlcp.CurvePreferences = material.Groups(d.Hybrid)
	}
	d.Dialect.Apply(d.tlcp)
	if roots != nil {
		d.tlcp.RootCAs = roots.Pool.SM()
	}
	if pair != nil {
		d.tlcp.Certificates = []gmtls.Certificate{*pair}
	}
	return nil
}

func suitesByName(names []string, known []*gmtls.CipherSuite) ([]uint16, error) {
	var ids []uint16
	for _, name := range names {
		i := slices.IndexFunc(known, func(s *gmtls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("--suite: the protocol has no suite %q", name)
		}
		ids = append(ids, known[i].ID)
	}
	return ids, nil
}

// Dial connects and runs the handshake. Errors carry the exit code.
func (d *Dialer) Dial(ctx context.Context) (Secured, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", d.Target)
	if err != nil {
		return nil, &exit.Error{Code: exit.Connect, Err: err}
	}
	var conn Secured
	if d.tls != nil {
		conn = tls.Client(raw, d.tls)
	} else {
		conn = gmtls.Client(raw, d.tlcp)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, &exit.Error{Code: exit.Handshake, Err: fmt.Errorf("handshake with %s (gmtls probe %s explains): %w", d.Target, d.Target, err)}
	}
	return conn, nil
}

// Negotiated is what a connection agreed on.
type Negotiated struct {
	Version string `json:"version"`
	Suite   string `json:"suite"`
	ALPN    string `json:"alpn,omitempty"`
	Resumed bool   `json:"resumed,omitempty"`
	Peer    string `json:"peer,omitempty"` // subject of its certificate
	Shown   int    `json:"certificates"`   // of the peer
}

// Describe returns in words what a connection negotiated.
func Describe(c Secured) (n Negotiated) {
	switch c := c.(type) {
	case *tls.Conn:
		s := c.ConnectionState()
		n = Negotiated{tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol, s.DidResume, "", len(s.PeerCertificates)}
		if n.Shown > 0 {
			n.Peer = s.PeerCertificates[0].Subject.String()
		}
	case *gmtls.Conn:
		s := c.ConnectionState()
		version := gmtls.VersionName(s.Version)
		if s.CurveID != 0 {
			version += ", " + s.CurveID.String()
		}
		n = Negotiated{version, gmtls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol, s.DidResume, "", len(s.PeerCertificates)}
		if n.Shown > 0 {
			n.Peer = s.PeerCertificates[0].Subject.String()
		}
	}
	n.ALPN, n.Peer = loglimit.Printable(n.ALPN), loglimit.Printable(n.Peer)
	return n
}

// String returns it in one line.
func (n Negotiated) String() string {
	protocol := n.ALPN
	if protocol == "" {
		protocol = "none"
	}
	line := n.Version + ", " + n.Suite + ", ALPN " + protocol
	if n.Resumed {
		line += ", resumed"
	}
	if n.Peer != "" {
		line += ", peer " + n.Peer
	}
	return line
}

// ClientCommand returns gmtls client.
func ClientCommand() *cobra.Command {
	var (
		d      Dialer
		keyLog string
		format output.Format
	)
	c := &cobra.Command{
		Use:   "client HOST:PORT",
		Short: "connect standard input and output to a server",
		Long: `Sends standard input, prints what comes, and ends when the server does. What was negotiated goes to standard error,
in the format of --output.

Exit codes: 0 the server ended the connection in order; 1 wrong usage or unreadable file; 2 not reached; 3 the handshake or
the connection failed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d.Target = args[0]
			if err := material.RefuseEmpty(c.Flags()); err != nil {
				return err
			}
			if err := format.Check(); err != nil {
				return err
			}
			if err := d.Prepare(); err != nil {
				return err
			}
			if keyLog != "" {
				f, err := material.CreateKeyLog(keyLog)
				if err != nil {
					return err
				}
				defer f.Close()
				d.logKeys(f)
			}
			conn, err := d.Dial(c.Context())
			if err != nil {
				return err
			}
			defer conn.Close()
			negotiated := Describe(conn)
			if err := format.Write(c.ErrOrStderr(), negotiated, func(w io.Writer) { fmt.Fprintln(w, negotiated) }); err != nil {
				return err
			}
			return talk(c.Context(), conn, c.InOrStdin(), c.OutOrStdout())
		},
	}
	d.Flags(c)
	c.Flags().StringVar(&keyLog, "keylog", "", "append the secrets of the connection to this file, to decrypt a capture")
	format.Flag(c.Flags())
	return c
}

func (d *Dialer) logKeys(w io.Writer) {
	if d.tls != nil {
		d.tls.KeyLogWriter = w
		return
	}
	d.tlcp.KeyLogWriter = w
}

// talk copies until the server ends the connection or ctx ends. Standard input
// may block for ever, so its copying is not waited for.
func talk(ctx context.Context, conn Secured, in io.Reader, out io.Writer) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	go func() {
		if _, err := io.Copy(conn, in); err == nil {
			_ = conn.CloseWrite() // the reader below meets any failure
		}
	}()
	_, err := io.Copy(out, conn)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return &exit.Error{Code: exit.Handshake, Err: fmt.Errorf("the connection broke: %w", err)}
	}
	return nil
}
