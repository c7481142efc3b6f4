// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"net"
	"strconv"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// authorities issue the certificates of one organisation's peers.
type authorities struct {
	std tlsgen.CA
	gm  *gmtlstest.CA
}

// newPeer starts a gossip instance that listens in mode dual and dials in the given mode. For the whole process it knows the
// standard certificate alone, as a peer that was started in mode tls and switched.
func (a authorities) newPeer(t *testing.T, mode comm.ClientMode) (Comm, *RemotePeer) {
	t.Helper()
	std, err := a.std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	pair := a.gm.NewPair(t, "127.0.0.1")
	certs, keys := pair.Bundle(std.Cert, std.Key)
	roots := [][]byte{a.std.CertBytes(), a.gm.CertPEM}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	source, err := comm.NewSource(comm.SourceConfig{
		Role: t.Name() + listener.Addr().String(), Load: func() (comm.Material, error) { return comm.ParseMaterial(certs, keys, roots, roots) },
		ServerMode: comm.ModeDual, ClientMode: mode,
	})
	require.NoError(t, err)
	server, err := comm.NewGRPCServerFromListener(listener, comm.ServerConfig{
		SecOpts: comm.SecureOptions{UseTLS: true, RequireClientCert: true, Source: source},
	})
	require.NoError(t, err)
	own, err := tls.X509KeyPair(std.Cert, std.Key)
	require.NoError(t, err)
	processWide := &common.TLSCertificates{}
	processWide.TLSServerCert.Store(&own)
	processWide.TLSClientCert.Store(&own)
	support := comm.NewCredentialSupport()
	support.SetClientCertificate(own)
	peer := newCommInstanceOnly(t, naiveSec, server, processWide, func() []grpc.DialOption {
		return []grpc.DialOption{grpc.WithTransportCredentials(support.GetPeerCredentials())}
	})
	t.Cleanup(peer.Stop)
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	return peer, &RemotePeer{Endpoint: "127.0.0.1:" + port, PKIID: []byte("127.0.0.1:" + port)}
}

// TestHandshakeOverBothProtocols: peers of which one dials TLS and the other TLCP authenticate each other, whoever dials. Either
// has the other see a standard certificate on one connection and an SM2 one on another.
func TestHandshakeOverBothProtocols(t *testing.T) {
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	a := authorities{std: std, gm: gmtlstest.NewCA(t)}
	overTLS, tlsPeer := a.newPeer(t, comm.ClientTLS)
	overTLCP, tlcpPeer := a.newPeer(t, comm.ClientGM)
	for range 2 {
		identity, err := overTLS.Handshake(tlcpPeer)
		require.NoError(t, err)
		require.Equal(t, []byte(tlcpPeer.PKIID), []byte(identity))
		identity, err = overTLCP.Handshake(tlsPeer)
		require.NoError(t, err)
		require.Equal(t, []byte(tlsPeer.PKIID), []byte(identity))
	}
}
