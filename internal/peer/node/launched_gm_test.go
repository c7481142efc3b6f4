// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/core/config/tlsconfig"
	"github.com/hyperledger/fabric/core/peer"
)

// TestShimOfOtherLanguages dials the listener for launched chaincode as the shims of Java and Node do: gRPC over the standard
// library's TLS, with a root, a certificate and a key. It is why the peer refuses them in mode gm.
func TestShimOfOtherLanguages(t *testing.T) {
	dir := t.TempDir()
	tlsCA, err := tlsgen.NewCA()
	require.NoError(t, err)
	pair, err := tlsCA.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	for key, value := range map[string]any{
		"peer.tls.enabled":       true,
		"peer.tls.cert.file":     gmtlstest.WriteFile(t, dir, "server.crt", pair.Cert),
		"peer.tls.key.file":      gmtlstest.WriteFile(t, dir, "server.key", pair.Key),
		"peer.tls.rootcert.file": gmtlstest.WriteFile(t, dir, "ca.crt", tlsCA.CertBytes()),
	} {
		setKey(t, key, value)
	}

	setKey(t, tlsconfig.ChaincodeModeKey, "tls")
	ca, err := newChaincodeCA()
	require.NoError(t, err)
	// No service is registered here: this is the answer of a server that has been reached.
	require.Equal(t, codes.Unimplemented, status.Code(register(t, ca, ca)))

	setKey(t, tlsconfig.ChaincodeModeKey, "gm")
	gm, err := newChaincodeCA()
	require.NoError(t, err)
	given, err := gm.NewClientCertKeyPair()
	require.NoError(t, err)
	_, err = tls.X509KeyPair(given.Cert, given.Key)
	require.Error(t, err, "the standard library reads what the peer gives to chaincode")
	// With a certificate that it can read, the shim still finds no protocol.
	require.Equal(t, codes.Unavailable, status.Code(register(t, gm, ca)))
}

// register calls a listener of the authority serverCA as a shim does, with what shimCA issues, and returns how the call ends.
func register(t *testing.T, serverCA, shimCA tlsgen.CA) error {
	t.Helper()
	server, _, err := createChaincodeServer(&peer.Config{ChaincodeListenAddress: "127.0.0.1:0"}, serverCA, "127.0.0.1")
	require.NoError(t, err)
	go func() { _ = server.Start() }()
	defer server.Stop()
	pair, err := shimCA.NewClientCertKeyPair()
	require.NoError(t, err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(shimCA.CertBytes()))
	connection, err := grpc.NewClient(server.Address(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: roots, MinVersion: tls.VersionTLS12,
	})))
	require.NoError(t, err)
	defer connection.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream, err := pb.NewChaincodeSupportClient(connection).Register(ctx)
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}
