// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/util"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
)

// TestOwnCertificateHashPerConnection holds that a node which shows a standard certificate to one peer and an SM2 one to another
// claims, on each connection, the certificate that this very peer saw. With one process-wide hash gossip refuses the other.
func TestOwnCertificateHashPerConnection(t *testing.T) {
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	server, err := std.NewServerCertKeyPair("localhost")
	require.NoError(t, err)
	gm := gmtlstest.NewCA(t)
	certs, keys := gm.NewPair(t, "localhost").Bundle(server.Cert, server.Key)
	address, claimed := startDualServer(t, certs, keys)

	for name, mode := range map[string]comm.ClientMode{"TLS": comm.ClientTLS, "TLCP": comm.ClientGM} {
		t.Run(name, func(t *testing.T) {
			saw := presentedHash(t, address, comm.SecureOptions{
				UseTLS: true, ClientMode: mode,
				ServerRootCAs: [][]byte{std.CertBytes(), gm.CertPEM},
			})
			require.NotEmpty(t, saw)
			require.Equal(t, saw, <-claimed)
		})
	}
}

func TestOwnCertificateHashFallsBack(t *testing.T) {
	var certificate atomic.Value
	certificate.Store(&tls.Certificate{Certificate: [][]byte{[]byte("leaf")}})
	require.Equal(t, util.ComputeSHA256([]byte("leaf")), ownCertificateHash(context.Background(), &certificate))
}

// startDualServer serves both protocols and reports what the node would claim as its own certificate on each call.
func startDualServer(t *testing.T, certs, keys []byte) (address string, claimed <-chan []byte) {
	t.Helper()
	var processWide atomic.Value
	processWide.Store(&tls.Certificate{Certificate: [][]byte{[]byte("neither")}})
	hashes := make(chan []byte, 1)
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	node, err := comm.NewGRPCServerFromListener(listener, comm.ServerConfig{
		SecOpts: comm.SecureOptions{UseTLS: true, ServerMode: comm.ModeDual, Certificate: certs, Key: keys},
		UnaryInterceptors: []grpc.UnaryServerInterceptor{
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
				hashes <- ownCertificateHash(ctx, &processWide)
				return handle(ctx, req)
			},
		},
		HealthCheckEnabled: true,
	})
	require.NoError(t, err)
	go node.Start()
	t.Cleanup(node.Stop)
	_, port, err := net.SplitHostPort(node.Address())
	require.NoError(t, err)
	return net.JoinHostPort("localhost", port), hashes
}

// presentedHash returns the hash of the certificate that the server presents to a caller with these options.
func presentedHash(t *testing.T, address string, options comm.SecureOptions) []byte {
	t.Helper()
	conn, err := comm.ClientConfig{SecOpts: options, DialTimeout: 10 * time.Second}.Dial(address)
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var remote peer.Peer
	_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Peer(&remote))
	require.NoError(t, err)
	info, ok := remote.AuthInfo.(credentials.TLSInfo)
	require.True(t, ok)
	return certHashFromRawCert(info.State.PeerCertificates[0].Raw)
}
