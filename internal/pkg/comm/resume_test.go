// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// oneSession offers its session to every server.
type oneSession struct{ last *gmtls.ClientSessionState }

func (s *oneSession) Get(string) (*gmtls.ClientSessionState, bool) { return s.last, s.last != nil }

func (s *oneSession) Put(_ string, state *gmtls.ClientSessionState) { s.last = state }

// TestNodesDoNotResume: a node takes no session, not even one that a server with the same certificate gave and takes, and gives none: in
// each handshake a client proves again who it is.
func TestNodesDoNotResume(t *testing.T) {
	n := protocolNode(t, ModeDual, []string{GMProtocolTLCP, GMProtocolTLS13}, "", false)
	own, err := n.org.node(t).load()
	require.NoError(t, err)
	roots, err := parseRootsStrict(n.org.gm.CertPEM)
	require.NoError(t, err)
	for _, version := range []uint16{gmtls.VersionTLCP, gmtls.VersionTLS13} {
		t.Run(gmtls.VersionName(version), func(t *testing.T) {
			other, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer other.Close()
			go echoAll(gmtls.NewListener(other, &gmtls.Config{
				Versions: []uint16{version}, Certificates: own.gmCertificates(), ClientAuth: gmtls.RequireAndVerifyClientCert,
				ClientCAs: roots.gmPool(), ServerSessionCache: gmtls.NewLRUServerSessionCache(1), NextProtos: alpnProtocols,
			}))
			cache := new(oneSession)
			resumed := func(address string) bool {
				raw, err := net.Dial("tcp", address)
				require.NoError(t, err)
				defer raw.Close()
				require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
				conn := gmtls.Client(raw, &gmtls.Config{
					Versions: []uint16{version}, Certificates: own.gmCertificates(), RootCAs: roots.gmPool(), ServerName: "127.0.0.1",
					NextProtos: alpnProtocols, ClientSessionCache: cache,
				})
				firstFrame(t, conn)
				return conn.ConnectionState().DidResume
			}
			require.False(t, resumed(other.Addr().String()))
			require.True(t, resumed(other.Addr().String()), "the session is good")
			offered := cache.last
			require.NotNil(t, offered)
			for range 2 {
				cache.last = offered
				require.False(t, resumed(n.grpc.Address()))
				require.True(t, cache.last == nil || cache.last == offered, "the node gave one")
			}
		})
	}
	t.Run("TLS", func(t *testing.T) {
		config := &tls.Config{InsecureSkipVerify: true, NextProtos: alpnProtocols, Certificates: []tls.Certificate{*own.Std}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for range 2 {
			raw, err := net.Dial("tcp", n.grpc.Address())
			require.NoError(t, err)
			defer raw.Close()
			require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
			conn := tls.Client(raw, config)
			firstFrame(t, conn)
			require.False(t, conn.ConnectionState().DidResume)
		}
	})
}

// firstFrame sends and gets a frame of HTTP/2, in front of which a ticket would come.
func firstFrame(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	require.NoError(t, http2.NewFramer(conn, nil).WriteSettings())
	_, err = io.ReadFull(conn, make([]byte, 9))
	require.NoError(t, err)
}

// echoAll sends back what comes on any connection.
func echoAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			io.Copy(conn, conn)
		}()
	}
}
