// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/loglimit"
	"google.golang.org/grpc/credentials"
)

// serverPolicy is what a listener demands whatever its material is.
type serverPolicy struct {
	requireClientCert bool
	// optional is the policy when no client certificate is required. gRPC
	// servers ask for one and do not verify it, because discovery and gossip
	// bind messages to it; HTTP servers verify one that is given.
	optional     tls.ClientAuthType
	verify       func(rawCerts [][]byte, verifiedChains [][]*x509.Certificate) error
	cipherSuites []uint16 // of both families; nil: the defaults
	timeShift    time.Duration
	nextProtos   []string
}

func (p serverPolicy) clientAuth() tls.ClientAuthType {
	if p.requireClientCert {
		return tls.RequireAndVerifyClientCert
	}
	return p.optional
}

func (p serverPolicy) clock() func() time.Time { return shiftedClock(p.timeShift) }

// shiftedClock returns a clock that is behind by shift, or nil for none.
func shiftedClock(shift time.Duration) func() time.Time {
	if shift <= 0 {
		return nil
	}
	return func() time.Time { return time.Now().Add(-shift) }
}

// splitSuites separates the TLCP suites of a list. A nil result means the
// defaults of that family.
func splitSuites(ids []uint16) (std, gm []uint16) {
	known := make(map[uint16]bool)
	for _, suite := range gmtls.CipherSuites() {
		known[suite.ID] = true
	}
	for _, id := range ids {
		if known[id] {
			gm = append(gm, id)
		} else {
			std = append(std, id)
		}
	}
	return std, gm
}

// gmClientAuth gives the policies of crypto/tls their names in gmtls.
var gmClientAuth = map[tls.ClientAuthType]gmtls.ClientAuthType{
	tls.NoClientCert:               gmtls.NoClientCert,
	tls.RequestClientCert:          gmtls.RequestClientCert,
	tls.RequireAnyClientCert:       gmtls.RequireAnyClientCert,
	tls.VerifyClientCertIfGiven:    gmtls.VerifyClientCertIfGiven,
	tls.RequireAndVerifyClientCert: gmtls.RequireAndVerifyClientCert,
}

// serverState is everything that a handshake of a listener needs. It is not
// changed once stored.
type serverState struct {
	mode     ServerMode
	material Material
	std      *tls.Config   // nil if the mode has no TLS
	gm       *gmtls.Config // nil if the mode has no GM protocol
	gms      []protocol    // that gm has
	roots    rootSet       // for clients
}

// endpoint is one listener: what it demands, presents and has open.
type endpoint struct {
	source  *Source // nil for credentials made from a bare TLSConfig
	policy  serverPolicy
	live    *TLSConfig
	conns   connGroup
	guard   *guard
	calls   *calls        // of a gRPC server; nil: not counted
	timeout time.Duration // for a handshake
	logger  *flogging.FabricLogger
	limit   loglimit.Limit

	clientRoots rootSet          // set by the owner of the listener; protected by registry.mu
	override    *tls.Certificate // set by SetServerCertificate; protected by registry.mu
	overridden  *tls.Certificate // of the source, in whose place override stands; protected by registry.mu
}

// build makes the state of the listener for a state of its source.
func (e *endpoint) build(s *sourceState) (*serverState, error) {
	st := &serverState{mode: s.serverMode, material: s.Material, gms: s.gmServer}
	if e.override != nil && s.Std == e.overridden {
		st.material.Std = e.override
	}
	if err := checkServerPairs(e.source.role, st.mode, st.material); err != nil {
		return nil, err
	}
	st.roots.add(e.clientRoots)
	st.roots.add(s.clientRoots)
	stdSuites, gmSuites := splitSuites(e.policy.cipherSuites)
	if len(stdSuites) == 0 {
		stdSuites = DefaultTLSCipherSuites
	}
	if len(gmSuites) == 0 {
		gmSuites = s.gmSuites
	}
	if st.mode.TLS() {
		st.std = &tls.Config{
			MinVersion:             tls.VersionTLS12,
			Certificates:           []tls.Certificate{*st.material.Std},
			ClientAuth:             e.policy.clientAuth(),
			ClientCAs:              st.roots.stdPool(),
			VerifyPeerCertificate:  e.policy.verify,
			CipherSuites:           stdSuites,
			SessionTicketsDisabled: true,
			Time:                   e.policy.clock(),
			NextProtos:             e.policy.nextProtos,
		}
	}
	if st.mode.GM() {
		st.gm = &gmtls.Config{
			Rand:                   gm.Random(),
			Versions:               versionsOf(st.gms),
			CurvePreferences:       groupsOf(s.gmHybrid),
			Certificates:           st.material.gmCertificates(),
			ClientAuth:             gmClientAuth[e.policy.clientAuth()],
			ClientCAs:              st.roots.gmPool(),
			Authorities:            st.roots.authorities(),
			ChainCache:             chainCache,
			VerifyPeerCertificate:  e.policy.verify,
			CipherSuites:           withSuites13(gmSuites),
			SessionTicketsDisabled: true,
			Time:                   e.policy.clock(),
			NextProtos:             e.policy.nextProtos,
			HandshakeTimeout:       e.timeout,
		}
	}
	e.checkRevocation(st)
	return st, nil
}

// checkRevocation judges clients by the revocation lists of their time.
func (e *endpoint) checkRevocation(st *serverState) {
	policy := revocationPolicy(e.source)
	if policy == nil {
		return
	}
	if st.std != nil {
		st.std.VerifyConnection = policy.checkStd(e.policy.clock())
	}
	if st.gm != nil {
		st.gm.VerifyConnection = policy.checkGM(e.policy.clock())
	}
}

// checkSwitch refuses a live change that would lock out every client, or every
// operator of an HTTP server, where only what changes things needs a certificate.
func (e *endpoint) checkSwitch(st *serverState) error {
	auth := e.policy.clientAuth()
	if auth != tls.RequireAndVerifyClientCert && auth != tls.VerifyClientCertIfGiven {
		return nil
	}
	lacking := st.lackingRoots()
	if lacking == "" || e.live.state.Load().lackingRoots() == lacking {
		return nil // or it is no worse than before
	}
	if auth == tls.VerifyClientCertIfGiven {
		return fmt.Errorf("mode %s would verify no client, and so no operator: no client root CA is %s; add one to the client root CAs", st.mode, lacking)
	}
	return fmt.Errorf("mode %s would refuse every client: client certificates are required and no client root CA is %s; add one to the client root CAs", st.mode, lacking)
}

// lackingRoots says of which family the listener has no client roots although it
// serves nothing else and has roots of the other; empty: that is not so.
func (st *serverState) lackingRoots() string {
	switch {
	case !st.mode.TLS() && len(st.roots.gm) == 0 && len(st.roots.std) != 0:
		return "SM2"
	case !st.mode.GM() && len(st.roots.std) == 0 && len(st.roots.gm) != 0:
		return "for TLS"
	}
	return ""
}

// session is the outcome of a handshake.
type session struct {
	attempt  *attempt // that it came of; nil at the dialing end
	conn     net.Conn // *tls.Conn or *gmtls.Conn
	protocol protocol
	suite    string
	state    tls.ConnectionState
	refused  func() error // see tracked
}

// handshake runs the server's side of the protocol that the client speaks, if
// the present mode has it.
func (e *endpoint) handshake(raw net.Conn) (*session, *serverState, error) {
	start := time.Now()
	source := sourceOfAddr(raw.RemoteAddr())
	if !e.guard.admit(source) {
		observeHandshake(e.conns.role, e.conns.listener, "server", nil, "throttled", start)
		return nil, nil, errThrottled
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	s, st, err := e.handshakeContext(ctx, raw, source)
	if !stop() && err == nil {
		err = context.Cause(ctx) // the connection was closed under a handshake that just ended
	}
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("comm: handshake not done within %s: %w", e.timeout, err)
	}
	if err != nil && !errors.Is(err, errSilent) && !errors.Is(err, errDisplaced) {
		e.guard.failed(source)
	}
	observeHandshake(e.conns.role, e.conns.listener, "server", s, resultOf(err), start)
	if err != nil {
		auditRefusal(e.conns.role, "server", raw.RemoteAddr().String(), err)
		return nil, nil, err
	}
	return s, st, nil
}

func (e *endpoint) handshakeContext(ctx context.Context, raw net.Conn, source string) (*session, *serverState, error) {
	a := e.guard.begin(ctx, raw, source)
	s, st, err := e.negotiate(ctx, a)
	return s, st, a.end(err)
}

// negotiate tells the protocol by the first bytes and runs it if the mode has it.
func (e *endpoint) negotiate(ctx context.Context, a *attempt) (*session, *serverState, error) {
	spoken, conn, err := gmtls.Sniff(a, 0)
	switch {
	case err == nil, errors.Is(err, gmtls.ErrUnknownProtocol): // left to crypto/tls or gmtls to refuse, whichever the mode has
	case errors.Is(err, io.EOF):
		return nil, nil, errSilent
	default:
		return nil, nil, err
	}
	st := e.live.state.Load()
	sniffed := conn
	proto, conn, err := st.identify(spoken, sniffed)
	if err != nil {
		return nil, nil, err
	}
	s := &session{attempt: a, protocol: proto}
	if !st.speaks(proto) {
		sendProtocolVersion(conn, proto)
		return s, nil, serverModeError(e.conns.role, a.RemoteAddr().String(), st.mode, st.gms, proto)
	}
	if err := refuseInStrict(a.RemoteAddr().String()+" speaks TLS", proto != protocolTLS); err != nil {
		sendProtocolVersion(conn, proto)
		return s, nil, err
	}
	a.computes = true
	if conn != sniffed { // identify has read the ClientHello, so that the protocol does not
		if err := a.take(); err != nil {
			return s, nil, err
		}
	}
	return s, st, s.serve(ctx, conn, st)
}

func (s *session) serve(ctx context.Context, conn net.Conn, st *serverState) error {
	if s.protocol != protocolTLS {
		return s.finishGM(ctx, gmtls.Server(conn, traced(st.gm, conn, s.protocol)), st.gm.VerifyConnection)
	}
	conn, done := tracedTLS(conn)
	defer done()
	return s.finishStd(ctx, tls.Server(conn, st.std), st.std.VerifyConnection)
}

// finishStd completes a handshake. check is the VerifyConnection of its
// configuration, which judges the connection later too.
func (s *session) finishStd(ctx context.Context, conn *tls.Conn, check func(tls.ConnectionState) error) error {
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	s.conn, s.state = conn, conn.ConnectionState()
	if check != nil {
		s.refused = func() error { return check(s.state) }
	}
	s.suite = tls.CipherSuiteName(s.state.CipherSuite)
	return nil
}

func (s *session) finishGM(ctx context.Context, conn *gmtls.Conn, check func(gmtls.ConnectionState) error) error {
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	state := conn.ConnectionState()
	s.conn, s.state = conn, gmcredentials.TLSState(state)
	if check != nil {
		s.refused = func() error { return check(state) }
	}
	s.suite = gmtls.CipherSuiteName(s.state.CipherSuite)
	return nil
}

func (s *session) authInfo() credentials.AuthInfo {
	return credentials.TLSInfo{
		State:          s.state,
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}
}

func (s *session) tracked(localHash []byte, permitted func() bool) *tracked {
	t := &tracked{
		attempt:   s.attempt,
		protocol:  s.protocol,
		suite:     s.suite,
		localHash: localHash,
		addresses: addressKey(s.conn.LocalAddr(), s.conn.RemoteAddr()),
		permitted: permitted,
		refused:   s.refused,
	}
	if conn, ok := s.conn.(*gmtls.Conn); ok {
		t.export = conn.ExportKeyingMaterial
	}
	return t
}

// track registers a connection of the listener. finish and close of the entry
// must be set before.
func (e *endpoint) track(t *tracked) error {
	err := e.conns.add(t)
	if err == nil {
		t.attempt.keep(func() { e.forgetDisplaced(t) })
		return nil
	}
	t.close()
	if errors.Is(err, errModeChanged) {
		st := e.live.state.Load()
		return serverModeError(e.conns.role, t.addresses, st.mode, st.gms, t.protocol)
	}
	return err
}

// callsOf returns the part that a new connection has of the calls, nil if they are
// not counted.
func (e *endpoint) callsOf(raw net.Conn) *connCalls {
	if e.calls == nil {
		return nil
	}
	return e.calls.connection(sourceOfAddr(raw.RemoteAddr()))
}

// forgetDisplaced forgets a connection that was closed because too many are open.
func (e *endpoint) forgetDisplaced(t *tracked) {
	t.remove()
	if ok, note := e.limit.Allow(time.Now()); ok {
		e.logger.With("remote address", t.attempt.RemoteAddr().String()).Warnf(
			"Closed a connection: this address has the most of too many; handshakesPerAddress sets how many a listener takes%s", note)
	}
}

func (e *endpoint) permits(p protocol) func() bool {
	return func() bool { return e.live.state.Load().speaks(p) }
}

// lingerLimit and lingerTime bound how much and how long the server reads from a
// refused client, so that the client can read the alert before the reset.
const (
	lingerLimit = 64 << 10
	lingerTime  = 250 * time.Millisecond
)

// sendProtocolVersion tells a client of the wrong protocol so in its own
// record format: a fatal protocol_version alert.
func sendProtocolVersion(conn net.Conn, p protocol) {
	alert := []byte{21, 3, 1, 0, 2, 2, 70}
	if p == protocolTLCP {
		alert[1], alert[2] = 1, 1
	}
	if _, err := conn.Write(alert); err != nil {
		return
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		conn.SetReadDeadline(time.Now().Add(lingerTime))
		io.CopyN(io.Discard, conn, lingerLimit)
	}
}

// TLSConfig is the live security configuration of a server. Handshakes take a
// whole state with one atomic load.
type TLSConfig struct {
	state atomic.Pointer[serverState]
}

// NewTLSConfig returns the configuration of a server in mode tls.
func NewTLSConfig(config *tls.Config) *TLSConfig {
	t := new(TLSConfig)
	t.state.Store(&serverState{mode: ModeTLS, std: config})
	return t
}

// Config returns a copy of the part for TLS; its zero value if there is none.
func (t *TLSConfig) Config() tls.Config {
	if st := t.state.Load(); st != nil && st.std != nil {
		return *st.std.Clone()
	}
	return tls.Config{}
}

// AddClientRootCA adds an authority to the pool of the part for TLS, in place.
// It must not be called while handshakes run; a GRPCServer has SetClientRootCAs.
func (t *TLSConfig) AddClientRootCA(cert *x509.Certificate) {
	t.state.Load().std.ClientCAs.AddCert(cert)
}

// SetClientCAs replaces the authorities of the part for TLS.
func (t *TLSConfig) SetClientCAs(pool *x509.CertPool) {
	t.update(func(st *serverState) { st.std.ClientCAs = pool })
}

// update swaps in a changed copy of the state.
func (t *TLSConfig) update(change func(*serverState)) {
	for {
		old := t.state.Load()
		next := *old
		next.std = old.std.Clone()
		change(&next)
		if t.state.CompareAndSwap(old, &next) {
			return
		}
	}
}
