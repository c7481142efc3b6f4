// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// clientState is everything that a client's handshake needs. It is not changed
// once made. Of std and gm the one of the protocol is set.
type clientState struct {
	protocol protocol
	std      *tls.Config
	gm       *gmtls.Config
	hash     []byte // SHA-256 of the certificate to present; nil if none
}

// dialer is the security of outgoing connections.
type dialer interface {
	// current returns the state for the next handshake.
	current() (*clientState, error)
	// bind returns the group for a connection, and a function that tells the
	// present protocol at any later time. The function takes no lock, because it
	// is called while a source is being switched.
	bind() (*connGroup, func() protocol)
}

// unnamed holds the connections of dialers without a source.
var unnamed connGroup

// staticDialer dials TLS with a fixed configuration.
type staticDialer struct{ config *tls.Config }

func (d staticDialer) current() (*clientState, error) {
	config := d.config.Clone()
	if !slices.Contains(config.NextProtos, alpnProtocols[0]) {
		config.NextProtos = append(slices.Clone(config.NextProtos), alpnProtocols...)
	}
	return &clientState{protocol: protocolTLS, std: config}, nil
}

func (d staticDialer) bind() (*connGroup, func() protocol) {
	return &unnamed, func() protocol { return protocolTLS }
}

// optionsDialer dials as SecureOptions say, following their source.
type optionsDialer struct {
	opts   SecureOptions
	source *Source  // nil: none
	protos []string // application protocols to offer
	cached atomic.Pointer[optionsState]
}

type optionsState struct {
	of    *sourceState // nil without a source
	state *clientState
}

func newOptionsDialer(opts SecureOptions, protos []string) *optionsDialer {
	return &optionsDialer{opts: opts, source: opts.source(), protos: protos}
}

func (d *optionsDialer) current() (*clientState, error) {
	var of *sourceState
	if d.source != nil {
		of = d.source.state.Load()
	}
	if cached := d.cached.Load(); cached != nil && cached.of == of {
		return cached.state, nil
	}
	state, err := d.opts.clientState(roleOf(d.source), of)
	if err != nil {
		return nil, err
	}
	if state.std != nil {
		state.std.NextProtos = d.protos
	} else {
		state.gm.NextProtos = d.protos
	}
	d.cached.Store(&optionsState{of: of, state: state})
	return state, nil
}

func (d *optionsDialer) bind() (*connGroup, func() protocol) {
	if d.source == nil {
		return &unnamed, func() protocol { return d.opts.presentProtocol(nil) }
	}
	return &d.source.dialed, func() protocol { return d.opts.presentProtocol(d.source.state.Load()) }
}

// clientHandshake runs the client's side of a handshake over raw. serverName
// goes before the name of the configuration, and that before the host of
// authority.
func clientHandshake(ctx context.Context, d dialer, group *connGroup, serverName, authority string, raw net.Conn) (*session, *clientState, error) {
	start, role := time.Now(), group.role
	st, err := d.current()
	if err != nil {
		tlsLogger.Errorf("No client handshake with %s: %s", raw.RemoteAddr(), err)
		return nil, nil, err
	}
	s := &session{protocol: st.protocol}
	policy := revocationPolicy(group.source)
	if err := refuseInStrict("dialing "+raw.RemoteAddr().String()+" by TLS is asked for", s.protocol != protocolTLS); err != nil {
		tlsLogger.Error(err)
		return nil, nil, err
	}
	if s.protocol != protocolTLS {
		config := traced(st.gm, raw, s.protocol)
		config.ServerName = firstName(serverName, config.ServerName, authority)
		if policy != nil {
			config.VerifyConnection = policy.checkGM(config.Time)
		}
		err = s.finishGM(ctx, gmtls.Client(raw, config), config.VerifyConnection)
	} else {
		config := st.std.Clone()
		config.ServerName = firstName(serverName, config.ServerName, authority)
		if policy != nil {
			config.VerifyConnection = policy.checkStd(config.Time)
		}
		conn, done := tracedTLS(raw)
		err = s.finishStd(ctx, tls.Client(conn, config), config.VerifyConnection)
		done()
	}
	if err != nil {
		err = explain(err, role, raw.RemoteAddr().String(), st.protocol)
	}
	observeHandshake(role, "", "client", s, resultOf(err), start)
	l := tlsLogger.With("remote address", raw.RemoteAddr().String())
	if err != nil {
		auditRefusal(role, "client", raw.RemoteAddr().String(), err)
		if ok, suppressed := clientLogLimit.Allow(time.Now()); ok {
			l.Errorf("Client TLS handshake failed after %s with error: %s%s", time.Since(start), shortened(err), suppressed)
		}
		return nil, nil, err
	}
	l.Debugf("Client TLS handshake completed in %s (%s, %s)", time.Since(start), s.protocol, s.suite)
	return s, st, nil
}

func firstName(override, configured, authority string) string {
	switch {
	case override != "":
		return override
	case configured != "":
		return configured
	}
	if host, _, err := net.SplitHostPort(authority); err == nil {
		return host
	}
	return authority
}

// explain turns the error that a server of another protocol causes into one
// that names both ends.
func explain(err error, role, peer string, proto protocol) error {
	if proto != protocolTLS {
		var header gmtls.RecordHeaderError
		if errors.As(err, &header) && (header.RecordHeader[1] == 3) == (proto == protocolTLCP) {
			return clientModeError(role, peer, proto, err)
		}
		// crypto/tls answers a client that offers GM suites alone with
		// handshake_failure: it knows none of them.
		var alert gmtls.AlertError
		if errors.As(err, &alert) && remote(err) &&
			(alert == gmtls.AlertProtocolVersion || proto == protocolTLS13 && alert == gmtls.AlertHandshakeFailure) {
			return clientModeError(role, peer, proto, err)
		}
		return err
	}
	// crypto/tls has no exported type for the alerts of its connections.
	if remote(err) && strings.Contains(err.Error(), "protocol version not supported") {
		return clientModeError(role, peer, proto, err)
	}
	return err
}

// remote reports whether the error is an alert from the other end.
func remote(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
