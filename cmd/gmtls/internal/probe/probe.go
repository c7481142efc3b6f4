// SPDX-License-Identifier: Apache-2.0

// Package probe implements gmtls probe. [Run] connects to an endpoint in several ways, one [Attempt] each, until it knows which protocols
// and suites the endpoint speaks or why a handshake fails. The [Report] has the causes of package cause.
package probe

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"time"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/loglimit"
)

// Options say what to probe and how.
type Options struct {
	Target    string // host and port
	Name      string // that the certificates must carry; default: the host
	ALPN      []string
	Protocols []string // of everyProtocol
	Timeout   time.Duration
	Quick     bool // only the main attempt of each protocol
	Fabric    bool
	Own       material.Own
	Dialect   material.Dialect // of the GM protocols
	Roots     *material.Roots
	KeyLog    io.Writer
}

type prober struct {
	Options
	address string   // numeric, found by the first connection
	ready   net.Conn // the first connection, for the first attempt; nil once that has it
	pair    *gmtls.Certificate
	cert    *tls.Certificate
}

// Report is the result of a probe.
type Report struct {
	Target    string          `json:"target"`
	Time      time.Time       `json:"time"`
	Address   string          `json:"address,omitempty"`
	Resolved  []string        `json:"resolved,omitempty"`
	Resolving time.Duration   `json:"resolving_ns"`
	Connect   time.Duration   `json:"connect_ns"`
	Findings  []cause.Finding `json:"findings,omitempty"` // of reaching it at all
	Protocols []*Protocol     `json:"protocols,omitempty"`
	Fabric    *Fabric         `json:"fabric,omitempty"`
	ExitCode  int             `json:"exit_code"`
}

// Protocol is the result for one protocol.
type Protocol struct {
	Name         string          `json:"protocol"`
	Main         *Attempt        `json:"handshake"`
	Variants     []Variant       `json:"variants,omitempty"`
	Resumption   string          `json:"resumption,omitempty"` // yes, no, or empty: not tried
	Certificates []material.Info `json:"certificates,omitempty"`
	Chain        []string        `json:"chain,omitempty"`    // subjects from the first certificate upwards, with where each is from
	Verified     string          `json:"verified,omitempty"` // yes, no, or unknown: no roots
	Authorities  []string        `json:"authorities,omitempty"`
	Findings     []cause.Finding `json:"findings,omitempty"`
	Summary      string          `json:"summary"`
}

// Variant is an attempt that differs from the main one.
type Variant struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Result string `json:"result"`
}

// Run probes the target.
func Run(ctx context.Context, o Options) (*Report, error) {
	p := &prober{Options: o}
	var err error
	if p.pair, err = o.Own.Pair(); err != nil {
		return nil, err
	}
	if p.cert, err = o.Own.TLS(); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(o.Target)
	if err != nil {
		return nil, err
	}
	if p.Name == "" {
		p.Name = host
	}
	defer func() {
		if p.ready != nil {
			p.ready.Close()
		}
	}()
	r := &Report{Target: o.Target, Time: time.Now().UTC()}
	if !p.reach(ctx, r, host, port) {
		r.ExitCode = exit.Connect
		return r, nil
	}
	for _, name := range o.Protocols {
		r.Protocols = append(r.Protocols, p.protocol(ctx, name))
	}
	if len(r.Protocols) == 1 {
		p.compareWithOther(ctx, r.Protocols[0])
	}
	r.compare()
	if o.Fabric {
		r.Fabric = p.fabric(ctx, r.Protocols)
	}
	r.ExitCode = r.code()
	return r, nil
}

// compareWithOther tries the protocols that were not asked for, until one works, where the endpoint ended the one asked for on the
// hello: a node in one mode refuses the others by an alert that says no more.
func (p *prober) compareWithOther(ctx context.Context, asked *Protocol) {
	quick := *p
	quick.Quick = true
	for _, other := range everyProtocol {
		if other == asked.Name || !asked.refusedUnread() {
			continue
		}
		pair := &Report{Protocols: []*Protocol{asked, quick.protocol(ctx, other)}}
		if pair.compare(); pair.Protocols[1].Main.OK {
			return
		}
	}
}

// compare explains an endpoint that ends one protocol on the hello, without a
// word or by an alert of no account, by the success of another one.
func (r *Report) compare() {
	for _, p := range r.Protocols {
		for _, other := range r.Protocols {
			if other.Main.OK && p.refusedUnread() {
				p.Findings = []cause.Finding{cause.Find(spoken[other.Name], "%s; %s succeeds", p.Findings[0].Detail, other.Name).For(p.Name)}
				p.Summary = p.summarise()
				break
			}
		}
	}
}

// spoken tells of an endpoint that it speaks a protocol.
var spoken = map[string]cause.ID{
	protocolTLS: cause.SpeaksTLS, protocolTLCP: cause.SpeaksTLCP, protocolTLS13: cause.SpeaksTLS13,
}

// refusedUnread reports whether the server ended the handshake on the hello in a way that says nothing but that it does not speak the
// protocol. The two of TLS share their hello, so that to lack a suite says no more there.
func (r *Protocol) refusedUnread() bool {
	if r.Main.OK || r.Main.wire.Server != nil || len(r.Findings) != 1 {
		return false
	}
	switch r.Findings[0].Cause {
	case cause.ClosedAtHello, cause.Reset, cause.AlertReceived:
		return true
	case cause.NoSharedSuite:
		return r.Name != protocolTLCP
	case cause.SpeaksTLS: // with GM suites or without
		return r.Name == protocolTLCP
	}
	return false
}

// reach resolves the name and makes one connection, to the first of its
// addresses that takes it. Those before it are warned of.
func (p *prober) reach(ctx context.Context, r *Report, host, port string) bool {
	resolving, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	start := time.Now()
	addresses, err := net.DefaultResolver.LookupHost(resolving, host)
	r.Resolving = time.Since(start)
	if err != nil {
		r.Findings = connectFindings(p.Target, err)
		return false
	}
	r.Resolved = addresses
	return p.connect(ctx, r, addresses, port)
}

func (p *prober) connect(ctx context.Context, r *Report, addresses []string, port string) bool {
	for _, a := range addresses {
		p.address = net.JoinHostPort(a, port)
		start := time.Now()
		conn, err := p.dial(ctx)
		r.Connect = time.Since(start)
		if err == nil {
			r.Address, p.ready = p.address, conn // a server that serves one connection gets no other before
			for i := range r.Findings {
				r.Findings[i].Warning = true
			}
			return true
		}
		r.Findings = append(r.Findings, connectFindings(p.address, err)...)
	}
	return false
}

// protocol probes one protocol.
func (p *prober) protocol(ctx context.Context, name string) *Protocol {
	main := p.attempt(ctx, name, variant{})
	result := &Protocol{Name: name, Main: main, Findings: main.Findings}
	switch {
	case main.OK:
	case p.endsEarly(main):
		p.retry(ctx, result, main, variant{}, p.hellos(main, name))
		if len(result.Findings) == 1 && result.Findings[0].Cause == cause.NoSharedSuite && name == protocolTLCP {
			if found := p.survey(ctx, main); found != nil {
				result.Findings = []cause.Finding{*found}
			}
		}
	case main.Requested:
		p.retry(ctx, result, main, variant{}, dialects(name, main.offered))
	}
	result.Authorities = authorityNames(main.wire.Authorities)
	for _, c := range main.certs {
		result.Certificates = append(result.Certificates, material.Describe(c, time.Now()))
	}
	result.verify(p)
	if !p.Quick && (main.OK || worthwhile(main)) {
		p.vary(ctx, result)
	}
	result.Summary = result.summarise()
	return result
}

// retrial is an attempt with less than the main one, or in another dialect. If it succeeds, what is different is the cause.
type retrial struct {
	id   cause.ID
	with string // how it is different
	variant
}

// hellos are the retrials where the server refuses the hello: some servers do not know the application protocol, the name, or refuse
// any extension.
func (p *prober) hellos(main *Attempt, protocol string) (all []retrial) {
	if len(p.ALPN) > 0 && !refusesExtensions(main) {
		all = append(all, retrial{cause.NoSharedALPN, "without ALPN", variant{noALPN: true}})
	}
	if net.ParseIP(p.Name) == nil && !refusesExtensions(main) {
		all = append(all, retrial{cause.NameUnknown, "without the name " + loglimit.Printable(p.Name), variant{noName: true}})
	}
	if protocol == protocolTLS13 {
		hybrid := gmtls.CurveSM2MLKEM768
		all = append(all, retrial{cause.NoSharedGroup, "with the group " + hybrid.String(), variant{groups: []gmtls.CurveID{hybrid}}})
	}
	if protocol == protocolTLCP {
		all = append(all, retrial{cause.ExtensionsRefused, "without extensions", variant{dialect: material.Dialect{OmitExtensions: true}}})
	}
	return all
}

// dialects are the retrials where the server asked for a client certificate and refuses what the client says then. offered tells
// whether there was one.
func dialects(protocol string, offered bool) (all []retrial) {
	var list []material.Dialect
	switch {
	case protocol == protocolTLS13:
		list = []material.Dialect{{OmitMiddlebox: true}}
	case protocol == protocolTLCP && offered:
		list = []material.Dialect{
			{RawTranscript: true}, {RawTranscript: true, SingleCertificate: true}, {RawTranscript: true, VectorParams: true}, {VectorParams: true}, {SingleCertificate: true},
		}
	}
	for _, d := range list {
		all = append(all, retrial{cause.OtherDialect, "with " + d.String(), variant{dialect: d}})
	}
	return all
}

// retry makes the retrials of a failed attempt, each of which departs from what that one was. Where the server answers a hello and the
// handshake fails later all the same, there is a second cause, which is looked for from there on.
func (p *prober) retry(ctx context.Context, result *Protocol, failed *Attempt, was variant, all []retrial) {
	last := len(result.Findings) - 1
	for _, r := range all {
		v := was.with(r.variant)
		again := p.attempt(ctx, result.Name, v)
		helloTaken := failed.wire.Server == nil && again.wire.Server != nil
		switch {
		case again.OK:
			result.Findings[last] = cause.Find(r.id, "%s; %s the handshake succeeds", failed.Broken, r.with).For(result.Name)
			result.Variants = append(result.Variants, Variant{r.with, true, again.outcome()})
			p.Dialect = p.Dialect.With(r.dialect) // what else can be told is told in this dialect
			return
		case helloTaken && len(again.Findings) > 0:
			result.Findings[last] = cause.Find(r.id, "%s; %s the server answers", failed.Broken, r.with).For(result.Name)
			result.Findings = append(result.Findings, again.Findings...)
			p.retry(ctx, result, again, v, dialects(result.Name, again.offered))
			return
		}
	}
	if f := &result.Findings[last]; result.Name == protocolTLS13 && failed.Requested && (f.Cause == cause.Reset || f.Cause == cause.ClosedMidway) {
		f.Detail += "; GmSSL 3.3 ends so, and takes no further connection: start it again and try --omit-middlebox-compatibility"
	}
}

// endsEarly reports whether the server ended the handshake on the hello.
func (p *prober) endsEarly(a *Attempt) bool {
	return a.wire.Server == nil && len(a.Findings) > 0 &&
		a.Findings[0].Cause != cause.SilentPeer && a.Findings[0].Cause != cause.SpeaksTLS &&
		a.Findings[0].Cause != cause.SpeaksTLCP && a.Findings[0].Cause != cause.SpeaksPlain
}

func refusesExtensions(a *Attempt) bool {
	n, ok := alertNumber(a.err, "remote error")
	return ok && n == uint8(gmtls.AlertUnsupportedExtension)
}

// worthwhile reports whether further attempts can tell more after a failure.
func worthwhile(a *Attempt) bool {
	return a.wire.Server != nil && len(a.Findings) > 0 &&
		a.Findings[0].Cause != cause.HandshakeTimeout && a.Findings[0].Cause != cause.SingleCertificate
}

// verify checks the certificates, for TLCP both of the pair.
func (r *Protocol) verify(p *prober) {
	certs := r.Main.certs
	if len(certs) == 0 {
		return
	}
	now := time.Now()
	var found []cause.Finding
	others := certs[1:]
	if r.Name == protocolTLCP && len(certs) > 1 {
		others = certs[2:]
		if r.Main.OK {
			found = material.CheckPair(certs[0], certs[1])
		}
		found = append(found, material.CheckServer(certs[1], others, p.Roots, p.Name, now)...)
	}
	found = append(material.CheckServer(certs[0], others, p.Roots, p.Name, now), found...)
	r.Chain = material.Chain(certs[0], others, p.Roots)
	switch {
	case cause.Failed(found):
		r.Verified = "no"
	case p.Roots == nil:
		r.Verified = "unknown"
	default:
		r.Verified = "yes"
	}
	for _, f := range found {
		switch known := p.ownAuthorities(); {
		case f.Cause != cause.UnknownRoot:
		case material.NotSent(certs[0], others, known, p.Roots.Certs, now):
			f = cause.Find(cause.NoIntermediate, "%s; it is in the chain of the client's certificate, with which the server's leads to a root given", f.Detail)
		default:
			f.Detail += p.hintAtIntermediate(r.Main.wire.Authorities)
		}
		if !slices.Contains(r.Findings, f) { // the two of a pair often have the same fault
			r.Findings = append(r.Findings, f)
		}
	}
}

// vary tries suites or versions one by one, and with and without what the main
// attempt had.
func (p *prober) vary(ctx context.Context, r *Protocol) {
	seen := []*Attempt{r.Main}
	try := func(name string, v variant) *Attempt {
		a := p.attempt(ctx, r.Name, v)
		r.Variants = append(r.Variants, Variant{name, a.OK, a.outcome()})
		seen = append(seen, a)
		return a
	}
	switch r.Name {
	case protocolTLCP:
		for _, s := range gmtls.CipherSuites() {
			if isECDHE(s.ID) && p.pair == nil {
				r.Variants = append(r.Variants, Variant{s.Name, false, "not tried: ECDHE needs a client pair (--cert ...)"})
				continue
			}
			try(s.Name, variant{suites: []uint16{s.ID}})
		}
	case protocolTLS13:
		for _, s := range gmtls.CipherSuitesTLS13() {
			try(s.Name, variant{suites: []uint16{s.ID}})
		}
		for _, id := range []gmtls.CurveID{gmtls.CurveSM2, gmtls.CurveSM2MLKEM768} {
			try(id.String(), variant{groups: []gmtls.CurveID{id}})
		}
	default:
		try("TLS 1.2", variant{versions: [2]uint16{tls.VersionTLS12, tls.VersionTLS12}})
		try("TLS 1.3", variant{versions: [2]uint16{tls.VersionTLS13, tls.VersionTLS13}})
	}
	if r.Main.offered {
		try("without client certificate", variant{noPair: true})
	}
	if len(p.ALPN) > 0 {
		try("without ALPN", variant{noALPN: true})
	}
	if net.ParseIP(p.Name) == nil {
		try("without SNI", variant{noName: true})
	}
	if r.Main.OK {
		r.Resumption = p.resume(ctx, r.Name)
	}
	if skew, ok := clockSkew(seen, time.Now()); ok && skew.Abs() > time.Minute {
		r.Findings = append(r.Findings, cause.Warn(cause.ClockSkew, "by its hello messages the peer's clock is %v off this one", skew.Round(time.Second)))
	}
}

// resume connects twice with one cache of sessions.
func (p *prober) resume(ctx context.Context, protocol string) string {
	v := variant{gmSessions: gmtls.NewLRUClientSessionCache(1), tlsSessions: tls.NewLRUClientSessionCache(1)}
	if !p.attempt(ctx, protocol, v).OK {
		return "no"
	}
	if a := p.attempt(ctx, protocol, v); a.OK && a.Resumed {
		return "yes"
	}
	return "no"
}

// clockSkew reads the peer's clock from its hello messages, where its stack puts
// the time in front of the random bytes (RFC 5246, 7.4.1.2; GB/T 38636, 6.4.5.2).
// Two messages must agree, since most stacks put random bytes there.
func clockSkew(attempts []*Attempt, now time.Time) (time.Duration, bool) {
	const plausible = 48 * time.Hour
	var skews []time.Duration
	for _, a := range attempts {
		if len(a.random) < 4 {
			continue
		}
		skew := time.Unix(int64(binary.BigEndian.Uint32(a.random)), 0).Sub(now)
		if skew.Abs() > plausible {
			return 0, false
		}
		skews = append(skews, skew)
	}
	if len(skews) < 2 {
		return 0, false
	}
	return skews[0], true
}

// code is the exit code of the whole.
func (r *Report) code() int {
	worked := false
	unverified := false
	for _, p := range r.Protocols {
		if p.Main.OK {
			worked = true
			unverified = unverified || cause.Failed(p.Findings)
		}
	}
	switch {
	case r.Fabric != nil && cause.Failed(r.Fabric.Findings):
		return exit.Findings
	case !worked && (r.Fabric == nil || r.Fabric.Transport != transportPlain):
		return exit.Handshake
	case unverified:
		return exit.Verify
	}
	return exit.OK
}
