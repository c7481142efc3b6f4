// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/stretchr/testify/require"
	tjtls "github.com/tjfoc/gmsm/gmtls"
	tjx509 "github.com/tjfoc/gmsm/x509"
)

// connected returns the two ends of a TCP connection that a deadline ends.
func connected(t *testing.T) (client, server net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	client, err = net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	server, err = listener.Accept()
	require.NoError(t, err)
	for _, end := range []net.Conn{client, server} {
		require.NoError(t, end.SetDeadline(time.Now().Add(20*time.Second)))
		t.Cleanup(func() { end.Close() })
	}
	return client, server
}

// exchange sends a word from client to server, which makes both shake hands.
func exchange(t *testing.T, client, server net.Conn) {
	t.Helper()
	const word = "hello"
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(client, word)
		sent <- err
	}()
	got := make([]byte, len(word))
	_, err := io.ReadFull(server, got)
	require.NoError(t, err)
	require.Equal(t, word, string(got))
	require.NoError(t, <-sent)
}

// The pairs of a peer and a user make a mutually authenticated TLCP connection,
// with our stack at both ends and with tjfoc/gmsm as the server.
func TestPairsConnect(t *testing.T) {
	org := filepath.Join(generated(t, mixedNetwork, ""), "peerOrganizations", "gm.example.com")
	peer := filepath.Join(org, "peers", "peer0.gm.example.com", "tls")
	user := filepath.Join(org, "users", "User1@gm.example.com", "tls")
	rootPEM, err := os.ReadFile(filepath.Join(peer, "gm-ca.crt"))
	require.NoError(t, err)
	roots := smx509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(rootPEM))

	pair := func(dir, prefix string) gmtls.Certificate {
		loaded, err := gmtls.LoadX509KeyPair(
			filepath.Join(dir, prefix+"-sign.crt"), filepath.Join(dir, prefix+"-sign.key"),
			filepath.Join(dir, prefix+"-enc.crt"), filepath.Join(dir, prefix+"-enc.key"))
		require.NoError(t, err)
		return loaded
	}
	clientConfig := &gmtls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []gmtls.Certificate{pair(user, "client")}}

	t.Run("ours", func(t *testing.T) {
		client, server := connected(t)
		exchange(t, gmtls.Client(client, clientConfig), gmtls.Server(server, &gmtls.Config{
			ClientCAs: roots, ClientAuth: gmtls.RequireAndVerifyClientCert, Certificates: []gmtls.Certificate{pair(peer, "server")},
		}))
	})
	t.Run("tjfoc", func(t *testing.T) {
		var pairs []tjtls.Certificate
		for _, half := range []string{"server-sign", "server-enc"} {
			loaded, err := tjtls.LoadX509KeyPair(filepath.Join(peer, half+".crt"), filepath.Join(peer, half+".key"))
			require.NoError(t, err)
			pairs = append(pairs, loaded)
		}
		pool := tjx509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(rootPEM))
		client, server := connected(t)
		exchange(t, gmtls.Client(client, clientConfig), tjtls.Server(server, &tjtls.Config{
			GMSupport: tjtls.NewGMSupport(), Certificates: pairs, ClientCAs: pool, ClientAuth: tjtls.RequireAndVerifyClientCert,
		}))
	})
	t.Run("pair of another organization", func(t *testing.T) {
		other := filepath.Join(filepath.Dir(org), "dual.example.com", "peers", "peer0.dual.example.com", "tls")
		client, server := connected(t)
		config := clientConfig.Clone()
		config.ServerName = "peer0.dual.example.com"
		answered := gmtls.Server(server, &gmtls.Config{Certificates: []gmtls.Certificate{pair(other, "server")}})
		failed := make(chan error, 1)
		go func() { failed <- answered.Handshake() }()
		require.ErrorContains(t, gmtls.Client(client, config).Handshake(), "x509")
		require.Error(t, <-failed)
	})
}
