// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/internal/pkg/comm/testpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// foreignServer serves with credentials that are not of this package, as other
// implementations do.
func foreignServer(t testing.TB, creds credentials.TransportCredentials) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(grpc.Creds(creds))
	testpb.RegisterEmptyServiceServer(server, &echoService{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// TestForeignServers: towards servers of crypto/tls and of gmtls alone the modes
// work, and the wrong one gets the error that names both, not a time-out.
func TestForeignServers(t *testing.T) {
	org := newPKI(t)
	m := org.node(t)
	pairs, err := splitBundle(m.Certificate, m.Key)
	require.NoError(t, err)
	servers := map[ClientMode]string{
		ClientTLS: foreignServer(t, credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{*pairs.Std}})),
		ClientGM:  foreignServer(t, gmcredentials.New(&gmtls.Config{Certificates: []gmtls.Certificate{*pairs.GM}})),
	}
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		for spoken, address := range servers {
			t.Run(string(mode)+" to "+string(spoken), func(t *testing.T) {
				co := SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: mode}
				conn, err := dial(t, address, co)
				if mode == spoken {
					require.NoError(t, err)
					_, err = call(t, conn)
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, "no common protocol")
				require.ErrorContains(t, err, "in mode "+string(mode))
				_, err = dialTLS(t.Context(), newOptionsDialer(co, nil), "tcp", address)
				var modes *ModeError
				require.ErrorAs(t, err, &modes)
				require.NotNil(t, modes.Unwrap(), "the cause is kept")
			})
		}
	}
}

// TestForeignClients: clients of crypto/tls and of gmtls alone reach a dual
// listener, each with its protocol.
func TestForeignClients(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	srv, service := startServer(t, so)
	roots, _ := parseRootBlobs(org.roots())
	for version, creds := range map[uint16]credentials.TransportCredentials{
		tls.VersionTLS13:  credentials.NewTLS(&tls.Config{RootCAs: roots.stdPool()}),
		tls.VersionTLS12:  credentials.NewTLS(&tls.Config{RootCAs: roots.stdPool(), MaxVersion: tls.VersionTLS12}),
		gmtls.VersionTLCP: gmcredentials.New(&gmtls.Config{RootCAs: roots.gmPool()}),
	} {
		conn, err := grpc.NewClient(srv.Address(), grpc.WithTransportCredentials(creds))
		require.NoError(t, err)
		defer conn.Close()
		_, err = call(t, conn)
		require.NoError(t, err)
		require.Equal(t, version, service.last.Load().info.State.Version)
	}
}

// FuzzTrackers feeds the parsers that look into the streams of strangers:
// HTTP/2 frames and TLS records, in pieces of any size. They must neither panic
// nor depend on how the stream is cut.
func FuzzTrackers(f *testing.F) {
	frames2, _ := http2Stream(f)
	f.Add(frames2[:200], uint8(7))
	f.Add(firstFlight(f), uint8(3))
	f.Add([]byte{22, 3, 3, 0, 0, 20, 3, 3, 0, 1, 1, 23, 3, 3, 255, 255, 0}, uint8(1))
	logger := flogging.MustGetLogger("comm.fuzz")
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8) {
		var whole, pieces frames
		traceWhole, tracePieces := recordTrace{log: logger}, recordTrace{log: logger}
		whole.advance(stream)
		traceWhole.advance(stream)
		step := int(cut) + 1
		for rest := stream; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			piece := rest[:min(step, len(rest))]
			pieces.advance(piece)
			tracePieces.advance(piece)
		}
		require.Equal(t, whole.atBoundary(), pieces.atBoundary())
		require.Equal(t, whole.payload, pieces.payload)
		require.Equal(t, traceWhole, tracePieces)
	})
}
