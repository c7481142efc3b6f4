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
	"github.com/hyperledger/fabric/core/chaincode/extcc"
	"github.com/hyperledger/fabric/core/chaincode/mock"
	"github.com/hyperledger/fabric/core/container/ccintf"
	"github.com/hyperledger/fabric/internal/pkg/comm"
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
		require.Equal(t, "INVOKE_CHAINCODE failed: transaction ID: transaction: the request names no chaincode", string(answer.Payload))
	}
}

// ends waits for the end of a stream, which the peer has taken leave of by then.
func ends(t *testing.T, stream pb.ChaincodeSupport_RegisterClient, why string) {
	for {
		if _, err := stream.Recv(); err != nil {
			require.ErrorContains(t, err, why)
			return
		}
	}
}

// served asks for something that is refused, and is answered all the same.
func served(t *testing.T, stream pb.ChaincodeSupport_RegisterClient) {
	require.NoError(t, stream.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_GET_STATE, Txid: "none"}))
	answer, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, pb.ChaincodeMessage_ERROR, answer.Type)
}

// A chaincode cannot register by the name of another, by a second message on a stream whose first name was refused. Neither this,
// nor the end of such a stream, takes a chaincode out of use.
func TestChaincodeRegistersOnce(t *testing.T) {
	p := newChaincodePeer(t)
	_, connectMine := p.launch("mine:1")
	_, connectOther := p.launch("other:1")
	mine, other := connectMine(), connectOther()
	started(t, mine, "mine:1")
	started(t, other, "other:1")

	second := connectMine() // its name is taken
	register(t, second, "mine:1")
	register(t, second, "other:1")
	ends(t, second, "chaincode mine:1 registers a second time on one stream")
	require.NotNil(t, p.registry.Handler("mine:1"))
	served(t, mine)
	served(t, other)

	third := connectMine()
	register(t, third, "other:1")
	ends(t, third, "belongs to a different chaincode")

	require.NoError(t, other.CloseSend())
	ends(t, other, "EOF")
	require.Nil(t, p.registry.Handler("other:1"))
	served(t, mine)
	state, connectOther := p.launch("other:1") // the next transaction launches it
	fourth := connectMine()
	register(t, fourth, "mine:1")
	register(t, fourth, "other:1")
	ends(t, fourth, "registers a second time")
	require.Nil(t, p.registry.Handler("other:1"))
	other = connectOther()
	started(t, other, "other:1")
	<-state.Done()
	require.NoError(t, state.Err())
	served(t, other)
}

// service is a chaincode that is a service. It registers by the name.
type service struct {
	name string
	pb.UnimplementedChaincodeServer
}

func (s *service) Connect(stream pb.Chaincode_ConnectServer) error {
	payload, err := proto.Marshal(&pb.ChaincodeID{Name: s.name})
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: payload}); err != nil {
		return err
	}
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

// launchService launches a package by whose address a chaincode with the name listens.
func launchService(t *testing.T, registry *chaincode.HandlerRegistry, ccid, name string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	pb.RegisterChaincodeServer(server, &service{name: name})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	runtime := &mock.Runtime{}
	runtime.BuildReturns(&ccintf.ChaincodeServerInfo{
		Address:      listener.Addr().String(),
		ClientConfig: comm.ClientConfig{KaOpts: comm.DefaultKeepaliveOptions, DialTimeout: time.Minute},
	}, nil)
	launcher := &chaincode.RuntimeLauncher{
		Runtime: runtime, Registry: registry, StartupTimeout: time.Minute,
		Metrics: chaincode.NewLaunchMetrics(&disabled.Provider{}), ConnectionHandler: &extcc.ExternalChaincodeRuntime{},
	}
	return launcher.Launch(ccid, &chaincode.ChaincodeSupport{HandlerRegistry: registry, HandlerMetrics: chaincode.NewHandlerMetrics(&disabled.Provider{})})
}

// A chaincode that is a service is served by the name of the package that named its address, and by no other.
func TestServiceRegistersByItsName(t *testing.T) {
	registry := chaincode.NewHandlerRegistry(false)
	other, _ := registry.Launching("other:1") // which takes a while
	err := launchService(t, registry, "mine:1", "other:1")
	require.ErrorContains(t, err, `registers as "other:1", and the peer dialled it as "mine:1"; start it with CHAINCODE_ID=mine:1`)
	require.Nil(t, registry.Handler("other:1"))
	select {
	case <-other.Done():
		require.FailNow(t, "the other chaincode counts as launched", other.Err())
	default:
	}

	require.NoError(t, launchService(t, registry, "mine:1", "mine:1"))
	require.NotNil(t, registry.Handler("mine:1"))
}
