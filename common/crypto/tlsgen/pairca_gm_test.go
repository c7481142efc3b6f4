// SPDX-License-Identifier: Apache-2.0

package tlsgen

import (
	"encoding/pem"
	"io"
	"net"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/stretchr/testify/require"
)

// TestPairCA runs a mutually authenticated TLCP connection between the two ends that the authority issues for.
func TestPairCA(t *testing.T) {
	ca, err := NewPairCA()
	require.NoError(t, err)
	server, err := ca.NewServerCertKeyPair("chaincode.example.com", "127.0.0.1")
	require.NoError(t, err)
	client, err := ca.NewClientCertKeyPair()
	require.NoError(t, err)

	roots := smx509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.CertBytes()))
	for _, name := range []string{"chaincode.example.com", "127.0.0.1"} {
		near, far := net.Pipe()
		deadline := time.Now().Add(20 * time.Second)
		near.SetDeadline(deadline)
		far.SetDeadline(deadline)
		serving := gmtls.Server(far, &gmtls.Config{
			Certificates: []gmtls.Certificate{keyPair(t, server)},
			ClientAuth:   gmtls.RequireAndVerifyClientCert, ClientCAs: roots,
		})
		done := make(chan error, 1)
		go func() {
			_, err := serving.Write([]byte("hello"))
			done <- err
		}()
		dialing := gmtls.Client(near, &gmtls.Config{
			Certificates: []gmtls.Certificate{keyPair(t, client)}, RootCAs: roots, ServerName: name,
		})
		greeting := make([]byte, 5)
		_, err = io.ReadFull(dialing, greeting)
		require.NoError(t, err)
		require.NoError(t, <-done)
		require.Equal(t, client.TLSCert.Raw, serving.ConnectionState().PeerCertificates[0].Raw)
		near.Close()
		far.Close()
	}

	_, err = ca.NewIntermediateCA()
	require.Error(t, err)
}

// keyPair splits the bundles: signing half first.
func keyPair(t *testing.T, pair *CertKeyPair) gmtls.Certificate {
	t.Helper()
	signCert, encCert := splitPEM(t, pair.Cert)
	signKey, encKey := splitPEM(t, pair.Key)
	cert, err := gmtls.X509KeyPair(signCert, signKey, encCert, encKey)
	require.NoError(t, err)
	return cert
}

func splitPEM(t *testing.T, bundle []byte) (first, second []byte) {
	t.Helper()
	block, rest := pem.Decode(bundle)
	require.NotNil(t, block)
	return pem.EncodeToMemory(block), rest
}
