// SPDX-License-Identifier: Apache-2.0

package gmshim_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/pkg/gmshim"
	"github.com/hyperledger/fabric/pkg/internal/roots"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// chaincodeSupport is the service on which a peer waits for chaincode that it launched. It registers one and hangs up.
type chaincodeSupport struct {
	peer.UnimplementedChaincodeSupportServer
	registered chan string
	fields     int // KiB of header fields in its answer
}

func (s *chaincodeSupport) Register(stream peer.ChaincodeSupport_RegisterServer) error {
	message, err := stream.Recv()
	if err != nil {
		return err
	}
	id := &peer.ChaincodeID{}
	if err := proto.Unmarshal(message.GetPayload(), id); err != nil {
		return err
	}
	fields := metadata.MD{}
	for range s.fields {
		fields.Append("x", strings.Repeat("a", 1024))
	}
	if err := stream.SendHeader(fields); err != nil {
		return err
	}
	if err := stream.Send(&peer.ChaincodeMessage{Type: peer.ChaincodeMessage_REGISTERED}); err != nil {
		return err
	}
	s.registered <- id.GetName()
	return nil
}

// launch serves chaincode support over TLCP, demanding a certificate of the CA, and returns what the peer would tell a
// chaincode that it launches.
func launch(t *testing.T, versions ...uint16) (*gmshim.Launched, *chaincodeSupport) {
	t.Helper()
	ca := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "chaincode CA")
	trusted, err := roots.SM2("CA", ca.CertPEM)
	require.NoError(t, err)
	own := ca.NewPair(t, "127.0.0.1")
	pair, err := gmtls.X509KeyPair(own.SignCert, own.SignKey, own.EncCert, own.EncKey)
	require.NoError(t, err)
	server := grpc.NewServer(grpc.Creds(gmcredentials.New(&gmtls.Config{
		Versions: versions, Certificates: []gmtls.Certificate{pair}, ClientAuth: gmtls.RequireAndVerifyClientCert, ClientCAs: trusted.Pool,
	})))
	support := &chaincodeSupport{registered: make(chan string, 1)}
	peer.RegisterChaincodeSupportServer(server, support)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go server.Serve(listener)
	t.Cleanup(server.Stop)

	certificates, keys := ca.NewPair(t).Bundle(nil, nil)
	return &gmshim.Launched{
		ID: packageID, Address: listener.Addr().String(), RootCACerts: ca.CertPEM,
		Certificates: certificates, Keys: keys,
	}, support
}

func TestLaunchedChaincodeRegistersOverTLCP(t *testing.T) {
	launched, support := launch(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := launched.Run(ctx, notary{})
	require.ErrorContains(t, err, launched.Address, "the peer hung up")
	require.Equal(t, packageID, <-support.registered)
}

// TestLaunchedChaincodeBoundsFields: header fields of the peer's answer that unpack to more than 64 KiB end the call.
func TestLaunchedChaincodeBoundsFields(t *testing.T) {
	for fields, registers := range map[int]bool{32: true, 96: false} {
		launched, support := launch(t)
		support.fields = fields
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.Error(t, launched.Run(ctx, notary{}), "the peer hung up, or could not answer")
		require.Len(t, support.registered, map[bool]int{true: 1}[registers], "%d KiB", fields)
	}
}

// TestLaunchedChaincodeSpeaksWhatItIsTold: the one protocol, with no other after a failure.
func TestLaunchedChaincodeSpeaksWhatItIsTold(t *testing.T) {
	for _, listed := range []uint16{gmtls.VersionTLCP, gmtls.VersionTLS13} {
		for _, told := range []uint16{0, gmtls.VersionTLCP, gmtls.VersionTLS13} {
			launched, support := launch(t, listed)
			launched.Version = told
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			err := launched.Run(ctx, notary{})
			require.Error(t, err, "the peer hung up, or refused")
			if listed == told || listed == gmtls.VersionTLCP && told == 0 {
				require.Equal(t, packageID, <-support.registered)
			} else {
				require.Empty(t, support.registered, "%s to a peer with %s", gmtls.VersionName(told), gmtls.VersionName(listed))
			}
		}
	}
}

func TestLaunchedChaincodeNamesWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*gmshim.Launched)
		want  string
	}{
		"stock certificate": {func(l *gmshim.Launched) {
			l.Certificates = gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "tls").CertPEM
		}, "chaincode.tls.mode"},
		"one key":        {func(l *gmshim.Launched) { l.Keys = l.Keys[:len(l.Keys)/2] }, "CORE_TLS_CLIENT_KEY_FILE"},
		"stock root":     {func(l *gmshim.Launched) { l.RootCACerts = gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "tls").CertPEM }, "CORE_PEER_TLS_ROOTCERT_FILE"},
		"other root":     {func(l *gmshim.Launched) { l.RootCACerts = gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "x").CertPEM }, "verify"},
		"swapped halves": {func(l *gmshim.Launched) { l.Keys = append(l.Keys[len(l.Keys)/2:], l.Keys[:len(l.Keys)/2]...) }, "TLCP pair"},
	} {
		t.Run(name, func(t *testing.T) {
			launched, _ := launch(t)
			test.spoil(launched)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			require.ErrorContains(t, launched.Run(ctx, notary{}), test.want)
		})
	}
}
