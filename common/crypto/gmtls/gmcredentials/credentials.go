// SPDX-License-Identifier: Apache-2.0

// Package gmcredentials provides gRPC transport credentials over TLCP.
//
// The AuthInfo of a connection is a credentials.TLSInfo whose State is a
// crypto/tls ConnectionState filled in by hand: code that reads the peer's
// certificates, version or suite from it works for TLS and TLCP alike. Its
// ExportKeyingMaterial cannot be used.
package gmcredentials

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"google.golang.org/grpc/credentials"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// alpnHTTP2 is the ALPN name of HTTP/2, on which gRPC runs.
const alpnHTTP2 = "h2"

// tlcpCreds implements credentials.TransportCredentials.
type tlcpCreds struct{ config *gmtls.Config }

// New returns credentials for a client or a server. The configuration is
// copied; "h2" is added to its NextProtos if it is missing. A client's
// ServerName is taken from the target if the configuration has none. Peers
// that negotiate no application protocol are accepted, since not all TLCP
// stacks know ALPN; one that negotiates another than h2 is refused.
func New(config *gmtls.Config) credentials.TransportCredentials {
	if config == nil {
		config = new(gmtls.Config)
	}
	config = config.Clone()
	if !slices.Contains(config.NextProtos, alpnHTTP2) {
		config.NextProtos = append(slices.Clone(config.NextProtos), alpnHTTP2)
	}
	return &tlcpCreds{config}
}

// ClientHandshake runs the client's side of the handshake.
func (c *tlcpCreds) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config := c.config
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(authority)
		if err != nil {
			host = authority
		}
		config = config.Clone()
		config.ServerName = host
	}
	conn := gmtls.Client(raw, config)
	return finish(ctx, conn)
}

// ServerHandshake runs the server's side of the handshake. It is bounded by the
// configuration's HandshakeTimeout.
func (c *tlcpCreds) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return finish(context.Background(), gmtls.Server(raw, c.config))
}

func finish(ctx context.Context, conn *gmtls.Conn) (net.Conn, credentials.AuthInfo, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, nil, err
	}
	state := conn.ConnectionState()
	if p := state.NegotiatedProtocol; p != "" && p != alpnHTTP2 {
		conn.Close()
		return nil, nil, fmt.Errorf("gmcredentials: the peer negotiated the application protocol %q, want %s", p, alpnHTTP2)
	}
	return conn, AuthInfo(state), nil
}

// AuthInfo returns the gRPC form of a connection state.
func AuthInfo(state gmtls.ConnectionState) credentials.TLSInfo {
	return credentials.TLSInfo{
		State:          TLSState(state),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}
}

// TLSState returns the crypto/tls form of a connection state. PeerCertificates
// holds the signing certificate, the encryption certificate, then the
// intermediates; VerifiedChains those of the signing certificate. Version and
// CipherSuite keep their TLCP numbers.
func TLSState(state gmtls.ConnectionState) tls.ConnectionState {
	return tls.ConnectionState{
		Version:            state.Version,
		HandshakeComplete:  state.HandshakeComplete,
		DidResume:          state.DidResume,
		CipherSuite:        state.CipherSuite,
		NegotiatedProtocol: state.NegotiatedProtocol,
		ServerName:         state.ServerName,
		PeerCertificates:   state.PeerCertificates,
		VerifiedChains:     state.VerifiedChains,
	}
}

// Info describes the protocol.
func (c *tlcpCreds) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{
		SecurityProtocol: "tls",
		SecurityVersion:  "1.2",
		ServerName:       c.config.ServerName,
	}
}

// Clone returns a copy.
func (c *tlcpCreds) Clone() credentials.TransportCredentials { return &tlcpCreds{c.config.Clone()} }

// OverrideServerName sets the name that a client demands of the server.
func (c *tlcpCreds) OverrideServerName(name string) error {
	if name == "" {
		return errors.New("gmcredentials: the server name must not be empty")
	}
	c.config.ServerName = name
	return nil
}
