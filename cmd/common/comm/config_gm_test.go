// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/sha256"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/util"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// TestClientBindsToDER holds that the hash which discovery compares is that of the certificate's DER.
func TestClientBindsToDER(t *testing.T) {
	certPath := filepath.Join("testdata", "client", "cert.pem")
	client, err := NewClient(Config{
		PeerCACertPath: filepath.Join("testdata", "server", "ca.pem"),
		CertPath:       certPath,
		KeyPath:        filepath.Join("testdata", "client", "key.pem"),
	})
	require.NoError(t, err)
	content, err := os.ReadFile(certPath)
	require.NoError(t, err)
	block, _ := pem.Decode(content)
	sum := sha256.Sum256(block.Bytes)
	require.Equal(t, sum[:], client.TLSCertHash)
}

// TestTLCPClient dials a listener that speaks only TLCP, with a given pair and with one that the client makes, and compares
// the hash it claims with what the server sees.
func TestTLCPClient(t *testing.T) {
	dir := t.TempDir()
	ca := gmtlstest.NewCA(t)
	root := gmtlstest.WriteFile(t, dir, "ca.crt", ca.CertPEM)
	pair := ca.NewPair(t, "localhost").Write(t, dir, "client")
	locked := ca.NewPair(t, "localhost").Write(t, dir, "locked")
	password := locked.Encrypt(t, dir)
	address, seen := startTLCPServer(t, ca)

	for name, conf := range map[string]Config{
		"given pair":       {CertPath: pair.SignCert, KeyPath: pair.SignKey, EncCertPath: pair.EncCert, EncKeyPath: pair.EncKey},
		"encrypted pair":   {CertPath: locked.SignCert, KeyPath: locked.SignKey, EncCertPath: locked.EncCert, EncKeyPath: locked.EncKey, KeyPasswordPath: password},
		"self-signed pair": {},
	} {
		t.Run(name, func(t *testing.T) {
			conf.TLSMode, conf.PeerCACertPath, conf.Timeout = "gm", root, 10*time.Second
			client, err := NewClient(conf)
			require.NoError(t, err)
			conn, err := client.NewDialer(address)()
			require.NoError(t, err)
			defer conn.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
			require.NoError(t, err)
			require.Equal(t, client.TLSCertHash, <-seen)
		})
	}

	t.Run("no fallback to TLS", func(t *testing.T) {
		client, err := NewClient(Config{PeerCACertPath: root, Timeout: 2 * time.Second})
		require.NoError(t, err)
		_, err = client.NewDialer(address)()
		require.Error(t, err)
	})
}

func TestTLCPConfigErrors(t *testing.T) {
	for name, test := range map[string]struct {
		conf Config
		want string
	}{
		"unknown mode":           {Config{TLSMode: "TLCP"}, "TLS mode"},
		"password without gm":    {Config{PeerCACertPath: "ca", KeyPasswordPath: "p"}, "not gm"},
		"gm without root":        {Config{TLSMode: "gm"}, "--peerTLSCA"},
		"pair without gm":        {Config{PeerCACertPath: "ca", EncCertPath: "enc"}, "not gm"},
		"signing half alone":     {Config{TLSMode: "gm", PeerCACertPath: filepath.Join("testdata", "server", "ca.pem"), CertPath: "a", KeyPath: "b"}, ""},
		"root that is not there": {Config{TLSMode: "gm", PeerCACertPath: "absent.pem"}, "absent.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewClient(test.conf)
			require.Error(t, err)
			require.ErrorContains(t, err, test.want)
		})
	}
}

// startTLCPServer serves gRPC health over TLCP alone and reports the hash of each caller's certificate.
func startTLCPServer(t *testing.T, ca *gmtlstest.CA) (address string, seen <-chan []byte) {
	t.Helper()
	hashes := make(chan []byte, 1)
	pair := ca.NewPair(t, "localhost")
	certs, keys := pair.Bundle(nil, nil)
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	server, err := comm.NewGRPCServerFromListener(listener, comm.ServerConfig{
		SecOpts: comm.SecureOptions{UseTLS: true, ServerMode: comm.ModeGM, Certificate: certs, Key: keys},
		UnaryInterceptors: []grpc.UnaryServerInterceptor{
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
				if cert := util.ExtractCertificateFromContext(ctx); cert != nil {
					hashes <- util.ComputeSHA256(cert.Raw)
				}
				return handle(ctx, req)
			},
		},
		HealthCheckEnabled: true,
	})
	require.NoError(t, err)
	go server.Start()
	t.Cleanup(server.Stop)
	_, port, err := net.SplitHostPort(server.Address())
	require.NoError(t, err)
	return net.JoinHostPort("localhost", port), hashes
}
