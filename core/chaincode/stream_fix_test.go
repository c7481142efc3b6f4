// SPDX-License-Identifier: Apache-2.0

package chaincode_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/chaincode"
	"github.com/hyperledger/fabric/core/chaincode/accesscontrol"
)

// chaincodePeer is a peer's listener for the chaincode that it launches: each chaincode has a certificate for its name.
type chaincodePeer struct {
	t        *testing.T
	registry *chaincode.HandlerRegistry
	certs    *accesscontrol.Authenticator
	ca       tlsgen.CA
	address  string
}

func newChaincodePeer(t *testing.T) *chaincodePeer {
	ca, err := tlsgen.NewCA()
	require.NoError(t, err)
	pair, err := ca.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	require.NoError(t, err)
	p := &chaincodePeer{t: t, registry: chaincode.NewHandlerRegistry(false), certs: accesscontrol.NewAuthenticator(ca), ca: ca}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.roots(),
	})))
	support := &chaincode.ChaincodeSupport{HandlerRegistry: p.registry, HandlerMetrics: chaincode.NewHandlerMetrics(&disabled.Provider{})}
	pb.RegisterChaincodeSupportServer(server, p.certs.Wrap(support))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.address = listener.Addr().String()
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return p
}

func (p *chaincodePeer) roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.ca.CertBytes())
	return roots
}

// launch is what the peer does before it starts a chaincode. It returns how the chaincode connects, as often as it likes.
func (p *chaincodePeer) launch(name string) (*chaincode.LaunchState, func() pb.ChaincodeSupport_RegisterClient) {
	state, _ := p.registry.Launching(name)
	pair, err := p.certs.Generate(name)
	require.NoError(p.t, err)
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	require.NoError(p.t, err)
	conn, err := grpc.Dial(p.address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{cert}, RootCAs: p.roots(), ServerName: "127.0.0.1",
	})))
	require.NoError(p.t, err)
	p.t.Cleanup(func() { conn.Close() })
	return state, func() pb.ChaincodeSupport_RegisterClient {
		ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
		p.t.Cleanup(cancel)
		stream, err := pb.NewChaincodeSupportClient(conn).Register(ctx)
		require.NoError(p.t, err)
		return stream
	}
}

func register(t *testing.T, stream pb.ChaincodeSupport_RegisterClient, name string) {
	payload, err := proto.Marshal(&pb.ChaincodeID{Name: name})
	require.NoError(t, err)
	require.NoError(t, stream.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: payload}))
}

// started registers and waits until the peer would send the chaincode proposals.
func started(t *testing.T, stream pb.ChaincodeSupport_RegisterClient, name string) {
	register(t, stream, name)
	for _, expected := range []pb.ChaincodeMessage_Type{pb.ChaincodeMessage_REGISTERED, pb.ChaincodeMessage_READY} {
		msg, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, expected, msg.Type)
	}
}

// A request to invoke a chaincode that names no chaincode, outside of any transaction, ended the peer.
func TestRequestWithoutAChaincode(t *testing.T) {
	_, connect := newChaincodePeer(t).launch("mine:1")
	stream := connect()
	started(t, stream, "mine:1")
	for range 2 { // the transaction is not under way any more after the first
		require.NoError(t, stream.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_INVOKE_CHAINCODE, Txid: "transaction"}))
		answer, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, pb.ChaincodeMessage_ERROR, answer.Type)
		require.Equal(t, "INVOKE_CHAINCODE failed: transaction ID: transaction: the peer failed to serve the request", string(answer.Payload))
	}
}
