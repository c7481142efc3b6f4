// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	crypto2 "github.com/hyperledger/fabric/common/crypto"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	comm_utils "github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/cluster"
)

// arrivals is a handler that hands on who has sent a request.
type arrivals chan uint64

func (a arrivals) OnConsensus(string, uint64, *orderer.ConsensusRequest) error { return nil }

func (a arrivals) OnSubmit(_ string, sender uint64, _ *orderer.SubmitRequest) error {
	a <- sender
	return nil
}

// messageSigner signs messages as a member of an SM2 or an ECDSA organisation does.
type messageSigner struct{ key crypto.Signer }

func (s messageSigner) Sign(msg []byte) ([]byte, error) {
	if key, ok := s.key.(*sm2.PrivateKey); ok {
		return key.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts)
	}
	return (&signingIdentity{s.key}).Sign(msg)
}

// consenter is a node of SmartBFT's cluster.
type consenter struct {
	id       uint64
	identity []byte
	signer   messageSigner
	auth     *cluster.AuthCommMgr
	service  *cluster.ClusterService
	address  string
	arrived  arrivals
}

// newIdentity returns a certificate in PEM and its key.
func newIdentity(t *testing.T, sm2CA *gmtlstest.CA) ([]byte, messageSigner) {
	t.Helper()
	if sm2CA == nil {
		pair, err := ca.NewServerCertKeyPair("127.0.0.1")
		require.NoError(t, err)
		cert, err := crypto2.SanitizeX509Cert(pair.Cert)
		require.NoError(t, err)
		return cert, messageSigner{pair.Signer}
	}
	pair := sm2CA.NewPair(t)
	key, err := gmx509.ParsePrivateKeyPEM(pair.SignKey, nil)
	require.NoError(t, err)
	return pair.SignCert, messageSigner{key.(*sm2.PrivateKey)}
}

// newConsenter starts a node with an identity of identityCA, or an ECDSA one, which listens for both protocols and dials one.
func newConsenter(t *testing.T, id uint64, gmCA, identityCA *gmtlstest.CA, mode comm_utils.ClientMode) *consenter {
	t.Helper()
	c := &consenter{id: id, arrived: make(arrivals, 16)}
	c.identity, c.signer = newIdentity(t, identityCA)
	std, err := ca.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	opts := comm_utils.SecureOptions{UseTLS: true, ServerMode: comm_utils.ModeDual}
	opts.Certificate, opts.Key = gmCA.NewPair(t, "127.0.0.1").Bundle(std.Cert, std.Key)
	srv, err := comm_utils.NewGRPCServer("127.0.0.1:0", comm_utils.ServerConfig{SecOpts: opts})
	require.NoError(t, err)
	c.address = srv.Address()
	log := flogging.MustGetLogger("test")
	metrics := cluster.NewMetrics(&disabled.Provider{})
	c.service = &cluster.ClusterService{
		StreamCountReporter: &cluster.StreamCountReporter{Metrics: metrics}, Logger: log, StepLogger: log,
		RequestHandler: c.arrived, MembershipByChannel: map[string]*cluster.ChannelMembersConfig{}, NodeIdentity: c.identity,
	}
	orderer.RegisterClusterNodeServiceServer(srv.Server(), c.service)
	go srv.Start()
	t.Cleanup(srv.Stop)
	c.auth = &cluster.AuthCommMgr{
		SendBufferSize: 1, Logger: log, Chan2Members: cluster.MembersByChannel{}, Metrics: metrics,
		Signer: c.signer, NodeIdentity: c.identity,
		Connections: cluster.NewConnectionMgr(comm_utils.ClientConfig{DialTimeout: soon, SecOpts: comm_utils.SecureOptions{
			UseTLS: true, RequireClientCert: true, Certificate: opts.Certificate, Key: opts.Key, ClientMode: mode,
		}}),
	}
	t.Cleanup(c.auth.Shutdown)
	return c
}

// introduce tells each of the nodes the identities of all.
func introduce(t *testing.T, gmCA *gmtlstest.CA, nodes ...*consenter) {
	t.Helper()
	var remotes []cluster.RemoteNode
	var members []*common.Consenter
	for _, n := range nodes {
		remotes = append(remotes, cluster.RemoteNode{
			NodeAddress: cluster.NodeAddress{ID: n.id, Endpoint: n.address},
			NodeCerts:   cluster.NodeCerts{ServerRootCA: [][]byte{ca.CertBytes(), gmCA.CertPEM}, Identity: n.identity},
		})
		members = append(members, &common.Consenter{Id: uint32(n.id), Identity: n.identity})
	}
	for _, n := range nodes {
		n.auth.Configure(testChannel, remotes)
		require.NoError(t, n.service.ConfigureNodeCerts(testChannel, members))
	}
}

// send sends a request and reports whether it arrived.
func (c *consenter) send(t *testing.T, to *consenter) error {
	t.Helper()
	remote, err := c.auth.Remote(testChannel, to.id)
	require.NoError(t, err)
	stream, err := remote.NewStream(soon)
	if err != nil {
		return err
	}
	if err := stream.Send(wrapSubmitReq(testReq)); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := stream.Recv() // nothing is answered: it returns when the stream is refused
		ended <- err
	}()
	select {
	case sender := <-to.arrived:
		require.Equal(t, c.id, sender)
		stream.Cancel(context.Canceled)
		return nil
	case err := <-ended:
		return err
	case <-time.After(soon):
		require.FailNow(t, "neither arrival nor refusal")
		return nil
	}
}

// Consenters of both kinds of identity know each other over either protocol, also in one cluster.
func TestConsentersAuthenticateOverBothProtocols(t *testing.T) {
	gmCA, identityCA := gmtlstest.NewCA(t), gmtlstest.NewCA(t)
	for _, mode := range []comm_utils.ClientMode{comm_utils.ClientTLS, comm_utils.ClientGM} {
		t.Run(string(mode), func(t *testing.T) {
			nodes := []*consenter{
				newConsenter(t, 1, gmCA, identityCA, mode), newConsenter(t, 2, gmCA, nil, mode), newConsenter(t, 3, gmCA, identityCA, mode),
			}
			introduce(t, gmCA, nodes...)
			for _, from := range nodes {
				for _, to := range nodes {
					if from != to {
						require.NoError(t, from.send(t, to), "%d to %d", from.id, to.id)
					}
				}
			}
		})
	}
}

// A node that signs with another key than that of the identity it claims is refused, whatever the families of both.
func TestConsenterWithForeignKeyIsRefused(t *testing.T) {
	gmCA, identityCA := gmtlstest.NewCA(t), gmtlstest.NewCA(t)
	for name, c := range map[string]struct{ identity, key *gmtlstest.CA }{
		"SM2 by SM2": {identityCA, identityCA}, "SM2 by ECDSA": {identityCA, nil}, "ECDSA by SM2": {nil, identityCA}, "ECDSA by ECDSA": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			receiver := newConsenter(t, 1, gmCA, identityCA, comm_utils.ClientGM)
			impostor := newConsenter(t, 2, gmCA, c.identity, comm_utils.ClientGM)
			_, impostor.signer = newIdentity(t, c.key)
			impostor.auth.Signer = impostor.signer
			introduce(t, gmCA, receiver, impostor)
			require.ErrorContains(t, impostor.send(t, receiver), "access denied")
			require.Empty(t, receiver.arrived)
		})
	}
}

// The binding of one connection is not that of another, nor is there one without TLS: what is signed for one connection serves no other.
func TestBindingBelongsToOneConnection(t *testing.T) {
	gmCA := gmtlstest.NewCA(t)
	receiver := newConsenter(t, 1, gmCA, gmCA, comm_utils.ClientGM)
	var seen [][]byte
	for range 2 {
		conn, err := comm_utils.ClientConfig{DialTimeout: soon, SecOpts: comm_utils.SecureOptions{
			UseTLS: true, ServerRootCAs: [][]byte{gmCA.CertPEM}, ClientMode: comm_utils.ClientGM,
		}}.Dial(receiver.address)
		require.NoError(t, err)
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		stream, err := orderer.NewClusterNodeServiceClient(conn).Step(ctx)
		require.NoError(t, err)
		binding, err := cluster.GetTLSSessionBinding(stream.Context(), []byte("payload"))
		require.NoError(t, err)
		require.Len(t, binding, 32)
		require.NotContains(t, seen, binding)
		seen = append(seen, binding)
	}
	_, err := cluster.GetTLSSessionBinding(context.Background(), nil)
	require.ErrorContains(t, err, "failed extracting stream context")
	for _, info := range []credentials.AuthInfo{nil, credentials.TLSInfo{}} {
		ctx := peer.NewContext(context.Background(), &peer.Peer{AuthInfo: info})
		require.NotPanics(t, func() { _, err = cluster.GetTLSSessionBinding(ctx, nil) })
		require.Error(t, err)
	}
}

// A puller knows its own node by the certificate that it presents in the protocol of the connection.
func TestPullerKnowsItsOwnNode(t *testing.T) {
	gmCA := gmtlstest.NewCA(t)
	std, err := ca.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	pair := gmCA.NewPair(t, "127.0.0.1")
	certs, keys := pair.Bundle(std.Cert, std.Key)
	for mode, own := range map[comm_utils.ClientMode][]byte{comm_utils.ClientTLS: std.TLSCert.Raw, comm_utils.ClientGM: derOf(t, pair.SignCert)} {
		puller := &cluster.BlockPuller{Dialer: &cluster.StandardDialer{Config: comm_utils.ClientConfig{SecOpts: comm_utils.SecureOptions{
			UseTLS: true, RequireClientCert: true, Certificate: certs, Key: keys, ClientMode: mode,
		}}}}
		shown, err := gmx509.ParseCertificate(own)
		require.NoError(t, err)
		require.True(t, puller.IsOwn(shown), mode)
		other, err := gmx509.ParseCertificate(derOf(t, gmCA.NewPair(t).SignCert))
		require.NoError(t, err)
		for _, cert := range []*x509.Certificate{nil, other} {
			require.False(t, puller.IsOwn(cert), mode)
		}
	}
}
