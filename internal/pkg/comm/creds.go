// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/hyperledger/fabric/common/flogging"
	"google.golang.org/grpc/credentials"
)

// Errors of the halves of credentials.TransportCredentials that a type lacks.
var (
	ErrClientHandshakeNotImplemented = errors.New("comm: server credentials cannot run a client handshake")
	ErrServerHandshakeNotImplemented = errors.New("comm: client credentials cannot run a server handshake")
	ErrOverrideHostnameNotSupported  = errors.New("comm: server credentials have no server name to override")
)

// alpnProtocols is the application protocol of gRPC.
var alpnProtocols = []string{"h2"}

// NewServerTransportCredentials returns the credentials of a gRPC server that
// follow config as it changes. A nil logger means the one of this package.
func NewServerTransportCredentials(config *TLSConfig, logger *flogging.FabricLogger) credentials.TransportCredentials {
	config.update(func(st *serverState) {
		st.std.NextProtos = alpnProtocols
		st.std.MinVersion = tls.VersionTLS12
	})
	return newServerCreds(&endpoint{
		live:    config,
		guard:   newGuard(0),
		timeout: DefaultConnectionTimeout,
		logger:  logger,
	})
}

func newServerCreds(e *endpoint) *serverCreds {
	if e.logger == nil {
		e.logger = tlsLogger
	}
	return &serverCreds{endpoint: e}
}

// serverCreds implements credentials.TransportCredentials for a listener.
type serverCreds struct{ endpoint *endpoint }

// ClientHandshake always fails.
func (sc *serverCreds) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, ErrClientHandshakeNotImplemented
}

// ServerHandshake runs TLS or TLCP, whichever the client speaks and the mode
// allows.
func (sc *serverCreds) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	e := sc.endpoint
	start := time.Now()
	s, st, err := e.handshake(raw)
	if err == nil {
		conn := newServerConn(s.conn, e.callsOf(raw))
		conn.entry = s.tracked(st.material.hash(s.protocol), e.permits(s.protocol))
		conn.entry.calls = conn.calls
		conn.entry.finish, conn.entry.close = conn.finish, conn.Close
		if err = e.track(conn.entry); err == nil {
			e.logger.With("remote address", raw.RemoteAddr().String()).Debugf("Server TLS handshake completed in %s (%s, %s)", time.Since(start), s.protocol, s.suite)
			return conn, s.authInfo(), nil
		}
	}
	e.logFailure(raw, time.Since(start), err)
	return nil, nil, err
}

// Info describes the protocol as upstream does; some of its users compare it.
func (sc *serverCreds) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls", SecurityVersion: "1.2"}
}

// Clone returns credentials of the same listener, which stay live.
func (sc *serverCreds) Clone() credentials.TransportCredentials {
	return &serverCreds{endpoint: sc.endpoint}
}

// OverrideServerName always fails.
func (sc *serverCreds) OverrideServerName(string) error { return ErrOverrideHostnameNotSupported }

// DynamicClientCredentials are the credentials of a gRPC client. Those that
// ClientConfig and CredentialSupport make follow their Source: each handshake
// uses the present mode and certificate. A literal with only TLSConfig speaks TLS
// with that configuration.
type DynamicClientCredentials struct {
	TLSConfig *tls.Config

	dialer     dialer // nil: TLSConfig alone
	serverName string // of OverrideServerName; empty: as the dialer says
}

// ClientHandshake runs the protocol of the present client mode.
func (dtc *DynamicClientCredentials) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	d := dtc.dialer
	if d == nil {
		d = staticDialer{dtc.TLSConfig}
	}
	group, present := d.bind()
	s, st, err := clientHandshake(ctx, d, group, dtc.serverName, authority, raw)
	if err != nil {
		return nil, nil, err
	}
	conn := &clientConn{Conn: s.conn}
	conn.entry = s.tracked(st.hash, func() bool { return present() == s.protocol })
	conn.entry.finish, conn.entry.close = conn.finish, conn.Close
	if err := group.add(conn.entry); err != nil {
		s.conn.Close()
		return nil, nil, err
	}
	return conn, s.authInfo(), nil
}

// ServerHandshake always fails.
func (dtc *DynamicClientCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, ErrServerHandshakeNotImplemented
}

// Info describes the protocol and the server name that is asked for.
func (dtc *DynamicClientCredentials) Info() credentials.ProtocolInfo {
	name := dtc.serverName
	if name == "" && dtc.TLSConfig != nil {
		name = dtc.TLSConfig.ServerName
	}
	return credentials.ProtocolInfo{SecurityProtocol: "tls", SecurityVersion: "1.2", ServerName: name}
}

// Clone returns a copy that follows the same source.
func (dtc *DynamicClientCredentials) Clone() credentials.TransportCredentials {
	clone := *dtc
	clone.TLSConfig = dtc.TLSConfig.Clone()
	return &clone
}

// OverrideServerName sets the name that the server's certificate must carry.
func (dtc *DynamicClientCredentials) OverrideServerName(name string) error {
	dtc.serverName = name
	return nil
}
