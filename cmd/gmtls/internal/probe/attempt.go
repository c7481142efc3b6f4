// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"crypto/tls"
	stdx509 "crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

const (
	protocolTLCP  = "TLCP"
	protocolTLS13 = cause.TLS13
	protocolTLS   = cause.TLS
)

// everyProtocol has them in the order in which they are tried.
var everyProtocol = []string{protocolTLCP, protocolTLS13, protocolTLS}

// afterwards is how long a TLS connection is listened to after the handshake:
// for session tickets, and for the alert by which a TLS 1.3 server refuses a
// client certificate once the client is done.
const afterwards = 400 * time.Millisecond

// variant says how an attempt differs from the main one.
type variant struct {
	suites         []uint16        // GM
	groups         []gmtls.CurveID // TLS 1.3 with GM suites
	versions       [2]uint16       // TLS
	noPair         bool
	noALPN, noName bool
	dialect        material.Dialect // GM
	gmSessions     gmtls.ClientSessionCache
	tlsSessions    tls.ClientSessionCache
}

// with returns the variant with the differences of both v and more, of those in which retrials differ.
func (v variant) with(more variant) variant {
	v.noALPN, v.noName = v.noALPN || more.noALPN, v.noName || more.noName
	v.dialect = v.dialect.With(more.dialect)
	if more.groups != nil {
		v.groups = more.groups
	}
	return v
}

// Attempt is one connection with one handshake.
type Attempt struct {
	OK        bool            `json:"ok"`
	Version   string          `json:"version,omitempty"`
	Suite     string          `json:"suite,omitempty"`
	Group     string          `json:"group,omitempty"` // of the key exchange of TLS 1.3 with GM suites
	ALPN      string          `json:"alpn,omitempty"`
	Resumed   bool            `json:"resumed,omitempty"`
	Took      time.Duration   `json:"took_ns"`
	Ladder    []wire.Step     `json:"ladder"`
	Broken    string          `json:"broken,omitempty"` // where and why it ended
	Findings  []cause.Finding `json:"findings,omitempty"`
	Requested bool            `json:"client_certificate_requested,omitempty"`

	certs   []*x509.Certificate // of the server
	random  []byte              // of the server's hello
	offered bool                // a client certificate was there to be sent
	foreign string              // the CA of a client pair that was not sent, as the server's list does not name it
	wire    *wire.Parser
	err     error
}

// recorder feeds a parser with what crosses the connection.
type recorder struct {
	net.Conn
	parser *wire.Parser
	start  time.Time
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.parser.Feed(false, b[:n], time.Since(r.start))
	return n, err
}

func (r *recorder) Write(b []byte) (int, error) {
	r.parser.Feed(true, b, time.Since(r.start))
	return r.Conn.Write(b)
}

// dial connects to the address that the main connection found.
func (p *prober) dial(ctx context.Context) (net.Conn, error) {
	if conn := p.ready; conn != nil {
		p.ready = nil
		return conn, nil
	}
	d := net.Dialer{Timeout: p.Timeout}
	return d.DialContext(ctx, "tcp", p.address)
}

// attempt runs one handshake of the protocol.
func (p *prober) attempt(ctx context.Context, protocol string, v variant) *Attempt {
	conn, err := p.dial(ctx)
	if err != nil {
		return &Attempt{err: err, Broken: err.Error(), Findings: connectFindings(p.address, err), wire: new(wire.Parser)}
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	a := &Attempt{wire: new(wire.Parser)}
	rec := &recorder{conn, a.wire, time.Now()}
	if protocol == protocolTLS {
		p.tls(ctx, rec, v, a)
	} else {
		p.gm(ctx, rec, protocol, v, a)
	}
	a.Took = time.Since(rec.start)
	if errors.Is(a.err, context.DeadlineExceeded) || ctx.Err() != nil {
		a.err = os.ErrDeadlineExceeded
	}
	a.finish(protocol)
	return a
}

// gm runs a handshake of TLCP, or of TLS 1.3 with GM suites.
func (p *prober) gm(ctx context.Context, rec *recorder, protocol string, v variant, a *Attempt) {
	config := p.gmConfig(protocol, v)
	a.offered = len(config.Certificates) > 0
	if protocol == protocolTLS13 {
		p.watchEncrypted(config, v, a)
	}
	ended := false
	config.Trace = func(e gmtls.TraceEvent) {
		if ended {
			return // the goodbye is no part of the handshake
		}
		step := wire.Step{
			At: time.Since(rec.start), FromClient: e.Sent, Name: e.Name, Size: e.Length, Encrypted: e.Encrypted,
		}
		switch {
		case e.Kind == gmtls.TraceAlert:
			step.Name, step.Note = "Alert", wire.AlertNote(e.Type, uint8(e.Alert))
		case e.Kind == gmtls.TraceHandshake:
			step.Note = wire.Describe(e.Data, config.Versions[0])
		case e.Type != wire.RecordChangeCipherSpec:
			return // the messages in it are reported themselves
		}
		a.Ladder = append(a.Ladder, step)
	}
	conn := gmtls.Client(rec, config)
	a.err = conn.HandshakeContext(ctx)
	if a.offered && a.wire.Requested && !listed(&config.Certificates[0], a.wire.Authorities) {
		a.offered, a.foreign = false, loglimit.Printable(config.Certificates[0].Leaf.Issuer.String())
	}
	if a.err != nil {
		return
	}
	state := conn.ConnectionState()
	a.OK, a.Resumed, a.ALPN = true, state.DidResume, loglimit.Printable(state.NegotiatedProtocol)
	a.Version, a.Suite = gmtls.VersionName(state.Version), gmtls.CipherSuiteName(state.CipherSuite)
	if protocol == protocolTLS13 {
		a.Group = state.CurveID.String()
		if v.gmSessions != nil {
			_ = conn.CloseWrite() // servers of gmtls send a ticket with what they say first, which may be the goodbye
		}
		if a.Requested || v.gmSessions != nil {
			p.listen(conn, a)
		}
	}
	ended = true
	_ = conn.SetDeadline(time.Now().Add(p.Timeout))
	_ = conn.Close() // the probe has what it wanted; the peer may be gone
}

// watchEncrypted notes what crosses the wire in the clear in TLCP, and encrypted in TLS 1.3.
func (p *prober) watchEncrypted(config *gmtls.Config, v variant, a *Attempt) {
	config.VerifyPeerCertificate = func(raw [][]byte, _ [][]*stdx509.Certificate) error {
		a.wire.Certificates = raw
		return nil
	}
	if v.gmSessions != nil {
		return // with a callback for its certificate a client does not resume
	}
	pairs := config.Certificates
	config.GetClientCertificate = func(r *gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) {
		a.Requested, a.wire.Requested, a.wire.Authorities = true, true, r.AcceptableCAs
		if len(pairs) == 0 || !listed(&pairs[0], r.AcceptableCAs) {
			return new(gmtls.Certificate), nil
		}
		return &pairs[0], nil
	}
}

// listen waits for what a server of TLS 1.3 sends after the handshake: tickets, or the alert by which it refuses the client. After
// an alert the attempt has failed.
func (p *prober) listen(conn net.Conn, a *Attempt) {
	_ = conn.SetReadDeadline(time.Now().Add(min(afterwards, p.Timeout)))
	_, err := conn.Read(make([]byte, 1))
	var opErr *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &opErr) && opErr.Op == "remote error":
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, io.EOF), err == nil:
		return // it waits, says goodbye, or speaks first
	default:
		if !a.Requested {
			return
		}
	}
	a.OK, a.err = false, err
}

// gmConfig verifies nothing: the handshake shall continue, and what is wrong with
// the certificates is found afterwards.
func (p *prober) gmConfig(protocol string, v variant) *gmtls.Config {
	config := &gmtls.Config{
		Versions:           []uint16{gmtls.VersionTLCP},
		InsecureSkipVerify: true, ServerName: p.Name, CipherSuites: v.suites,
		NextProtos: p.ALPN, HandshakeTimeout: p.Timeout,
		ClientSessionCache: v.gmSessions, AllowUnpairedCertificates: true, KeyLogWriter: p.KeyLog,
	}
	if protocol == protocolTLS13 {
		config.Versions, config.CurvePreferences = []uint16{gmtls.VersionTLS13}, v.groups
	}
	dialect := p.Dialect
	if v.dialect != (material.Dialect{}) {
		dialect = v.dialect
	}
	dialect.Apply(config)
	if p.pair != nil && !v.noPair {
		config.Certificates = []gmtls.Certificate{*p.pair}
	}
	if v.noALPN {
		config.NextProtos = nil
	}
	if v.noName {
		config.ServerName = ""
	}
	return config
}

func (p *prober) tlsConfig(v variant) *tls.Config {
	config := &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // as for TLCP, verified afterwards
		ServerName:         p.Name, NextProtos: p.ALPN, ClientSessionCache: v.tlsSessions,
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13, KeyLogWriter: p.KeyLog,
	}
	if v.versions[0] != 0 {
		config.MinVersion, config.MaxVersion = v.versions[0], v.versions[1]
	}
	if p.cert != nil && !v.noPair {
		config.Certificates = []tls.Certificate{*p.cert}
	}
	if v.noALPN {
		config.NextProtos = nil
	}
	if v.noName {
		config.ServerName = ""
	}
	return config
}

func (p *prober) tls(ctx context.Context, rec *recorder, v variant, a *Attempt) {
	config := p.tlsConfig(v)
	own := config.Certificates
	a.offered = len(own) > 0
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		a.Requested = true
		if len(own) == 0 {
			return new(tls.Certificate), nil
		}
		return &own[0], nil
	}
	conn := tls.Client(rec, config)
	a.err = conn.HandshakeContext(ctx)
	a.Ladder = a.wire.Steps
	if a.err != nil {
		return
	}
	state := conn.ConnectionState()
	a.OK, a.Resumed, a.ALPN = true, state.DidResume, loglimit.Printable(state.NegotiatedProtocol)
	a.Version, a.Suite = tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)
	a.certs = state.PeerCertificates
	if state.Version == tls.VersionTLS13 && (a.Requested || v.tlsSessions != nil) {
		p.listen(conn, a)
		a.Ladder = a.wire.Steps
		if n, ok := alertNumber(a.err, "remote error"); ok {
			a.Ladder = append(a.Ladder, wire.Step{At: time.Since(rec.start), Name: "Alert", Size: 2, Encrypted: true, Note: wire.AlertNote(2, n)})
		}
	}
	_ = conn.SetDeadline(time.Now().Add(p.Timeout))
	_ = conn.Close()
}

// finish draws conclusions from what happened.
func (a *Attempt) finish(protocol string) {
	a.Requested = a.Requested || a.wire.Requested
	if a.wire.Server != nil {
		a.random = a.wire.Server.Random
	}
	if a.certs == nil { // TLCP, or a handshake that broke
		for _, der := range a.wire.Certificates {
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				a.Findings = append(a.Findings, cause.Find(cause.Unparsable, "a certificate of the server: %v", err))
				break
			}
			a.certs = append(a.certs, cert)
		}
	}
	if a.OK {
		return
	}
	a.Broken = loglimit.Printable(fmt.Sprintf("%s: %v", a.state(), a.err))
	a.Findings = append(a.Findings, a.explain(protocol)...)
	for i := range a.Findings {
		a.Findings[i] = a.Findings[i].For(protocol)
	}
}

// state names the last message of the server.
func (a *Attempt) state() string {
	last := ""
	for _, s := range a.Ladder {
		if !s.FromClient && s.Name != "Alert" {
			last = s.Name
		}
	}
	if last == "" {
		return "after ClientHello"
	}
	return "after " + last + " of the server"
}

// pairFindings checks the certificates of a TLCP server that broke a handshake.
func (a *Attempt) pairFindings() []cause.Finding {
	switch len(a.certs) {
	case 0:
		return nil
	case 1:
		return []cause.Finding{cause.Find(cause.SingleCertificate, "only %q (%s)",
			loglimit.Printable(a.certs[0].Subject.String()), material.KeyName(a.certs[0].PublicKey))}
	}
	return material.CheckPair(a.certs[0], a.certs[1])
}
