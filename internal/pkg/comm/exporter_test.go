// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/internal/pkg/comm/testpb"
)

const exportLabel = "EXPORTER-test"

// exports opens a stream over conn and returns its context.
func exports(t *testing.T, conn *grpc.ClientConn) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	stream, err := testpb.NewEmptyServiceClient(conn).EmptyStream(ctx)
	require.NoError(t, err)
	require.NoError(t, stream.Send(&testpb.Empty{}))
	_, err = stream.Recv()
	require.NoError(t, err)
	return stream.Context()
}

// Both ends of a connection export the same, by TLS and by TLCP, and two connections of the same nodes do not.
func TestExportKeyingMaterial(t *testing.T) {
	n := newLiveNode(t, ModeDual, patience)
	seen := map[string]bool{}
	for _, mode := range []ClientMode{ClientTLS, ClientGM, ClientGM} {
		require.NoError(t, SetMode(n.clientSource.role, "", mode))
		client := exports(t, n.dial(t))
		ours, err := ExportKeyingMaterial(client, exportLabel, []byte("context"), 32)
		require.NoError(t, err, mode)
		theirs, err := ExportKeyingMaterial(n.service.last.Load().ctx, exportLabel, []byte("context"), 32)
		require.NoError(t, err, mode)
		require.Len(t, ours, 32)
		require.Equal(t, ours, theirs, mode)
		other, err := ExportKeyingMaterial(client, exportLabel, []byte("other"), 32)
		require.NoError(t, err)
		require.NotEqual(t, ours, other)
		require.False(t, seen[string(ours)], "two connections export the same")
		seen[string(ours)] = true
	}
}

// What is not a live connection exports nothing, whatever its state claims.
func TestExportKeyingMaterialIsRefused(t *testing.T) {
	with := func(info credentials.AuthInfo) context.Context {
		address := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
		return peer.NewContext(context.Background(), &peer.Peer{Addr: address, LocalAddr: address, AuthInfo: info})
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		want string
	}{
		"no connection": {context.Background(), "no connection is known"},
		"no TLS":        {with(nil), "192.0.2.1:1 has neither TLS nor TLCP"},
		"no handshake":  {with(credentials.TLSInfo{}), "192.0.2.1:1 has neither TLS nor TLCP"},
		"TLCP that has ended": {with(credentials.TLSInfo{State: tls.ConnectionState{
			HandshakeComplete: true, Version: gmtls.VersionTLCP, CipherSuite: gmtls.ECC_SM4_GCM_SM3,
		}}), "has ended"},
		"TLS 1.3 with SM4 that has ended": {with(credentials.TLSInfo{State: tls.ConnectionState{
			HandshakeComplete: true, Version: tls.VersionTLS13, CipherSuite: gmtls.TLS_SM4_GCM_SM3,
		}}), "has ended"},
	} {
		out, err := ExportKeyingMaterial(c.ctx, exportLabel, nil, 32)
		require.ErrorContains(t, err, c.want, name)
		require.Nil(t, out, name)
	}

	// A connection without addresses, to which no call can be attributed.
	nameless := &tracked{export: func(string, []byte, int) ([]byte, error) { return []byte("secret"), nil }}
	localHashes.Store("", nameless)
	t.Cleanup(func() { localHashes.CompareAndDelete("", nameless) })
	_, err := ExportKeyingMaterial(peer.NewContext(context.Background(), &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{
		HandshakeComplete: true, CipherSuite: gmtls.ECC_SM4_GCM_SM3,
	}}}), exportLabel, nil, 32)
	require.ErrorContains(t, err, "has ended")

	n := newLiveNode(t, ModeGM, patience)
	require.NoError(t, SetMode(n.clientSource.role, "", ClientGM))
	conn := n.dial(t)
	client := exports(t, conn)
	require.NoError(t, conn.Close())
	eventually(t, "the connection is forgotten", func() bool {
		_, err := ExportKeyingMaterial(client, exportLabel, nil, 32)
		return err != nil
	})
}
