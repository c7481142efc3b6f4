// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/util"
	comm_utils "github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"github.com/hyperledger/fabric/orderer/common/cluster/mocks"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
)

// known says by which certificates a node is in the channel's consenter set.
type known string

const (
	byStd  known = "standard"
	byGM   known = "SM2"
	byBoth known = "both"
)

func derOf(t *testing.T, certPEM []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(certPEM)
	require.NotNil(t, block)
	return block.Bytes
}

func (k known) der(t *testing.T, std, gm []byte) []byte {
	switch k {
	case byStd:
		return derOf(t, std)
	case byGM:
		return derOf(t, gm)
	}
	return append(append([]byte{}, derOf(t, std)...), derOf(t, gm)...)
}

// newTLCPNode is a node with standard certificates of the package's CA and SM2 pairs of the given one.
func newTLCPNode(t *testing.T, gmCA *gmtlstest.CA, server comm_utils.ServerMode, client comm_utils.ClientMode, k known) *clusterNode {
	t.Helper()
	node := newTestNode(t)
	node.srv.Stop()
	serverPair, clientPair := gmCA.NewPair(t, "127.0.0.1"), gmCA.NewPair(t)

	s := &node.serverConfig.SecOpts
	node.nodeInfo.ServerTLSCert = k.der(t, s.Certificate, serverPair.SignCert)
	s.Certificate, s.Key = serverPair.Bundle(s.Certificate, s.Key)
	s.ServerMode = server

	c := &node.dialer.Config.SecOpts
	node.nodeInfo.ClientTLSCert = k.der(t, c.Certificate, clientPair.SignCert)
	c.Certificate, c.Key = clientPair.Bundle(c.Certificate, c.Key)
	c.ServerRootCAs = append(c.ServerRootCAs, gmCA.CertPEM)
	c.ClientMode = client

	node.bindAddress = "127.0.0.1:0"
	node.resurrect()
	node.nodeInfo.Endpoint = node.srv.Address()
	t.Cleanup(node.stop)
	return node
}

// submit sends one request and returns what became of it.
func submit(from, to *clusterNode) error {
	remote, err := from.c.Remote(testChannel, to.nodeInfo.ID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	stream, err := openStep(ctx, remote)
	if err != nil {
		return err
	}
	if err := stream.Send(wrapSubmitReq(testReq)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// Orderers recognise each other by the certificate that the connection's protocol shows, whichever the channel knows them by.
// The listener requests client certificates without verifying them: recognition rests on the handshake's proof of
// possession and the channel's configuration alone.
func TestClusterAuthenticationOverBothProtocols(t *testing.T) {
	gmCA := gmtlstest.NewCA(t)
	const (
		tls, dual, gm = comm_utils.ModeTLS, comm_utils.ModeDual, comm_utils.ModeGM
		dialTLS       = comm_utils.ClientTLS
		dialGM        = comm_utils.ClientGM
		unknownServer = "doesn't match the expected public key"
		unknownClient = "certificate extracted from TLS connection isn't authorized"
		noProtocol    = "no common protocol"
	)
	for name, tc := range map[string]struct {
		client   comm_utils.ClientMode
		sender   known
		server   comm_utils.ServerMode
		receiver known
		wantErr  string
	}{
		"TLS as stock":                  {client: dialTLS, sender: byStd, server: tls, receiver: byStd},
		"TLS to dual":                   {client: dialTLS, sender: byBoth, server: dual, receiver: byBoth},
		"TLS to dual, standard known":   {client: dialTLS, sender: byStd, server: dual, receiver: byStd},
		"TLCP to dual":                  {client: dialGM, sender: byBoth, server: dual, receiver: byBoth},
		"TLCP to gm":                    {client: dialGM, sender: byBoth, server: gm, receiver: byBoth},
		"TLCP to gm, SM2 known":         {client: dialGM, sender: byGM, server: gm, receiver: byGM},
		"TLCP, sender not known by SM2": {client: dialGM, sender: byStd, server: gm, receiver: byBoth, wantErr: unknownClient},
		"TLCP, server not known by SM2": {client: dialGM, sender: byBoth, server: gm, receiver: byStd, wantErr: unknownServer},
		"TLS, sender known by SM2 only": {client: dialTLS, sender: byGM, server: dual, receiver: byBoth, wantErr: unknownClient},
		"TLS, server known by SM2 only": {client: dialTLS, sender: byBoth, server: dual, receiver: byGM, wantErr: unknownServer},
		"TLS to gm":                     {client: dialTLS, sender: byBoth, server: gm, receiver: byBoth, wantErr: noProtocol},
		"TLCP to tls":                   {client: dialGM, sender: byBoth, server: tls, receiver: byBoth, wantErr: noProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			sender := newTLCPNode(t, gmCA, dual, tc.client, tc.sender)
			receiver := newTLCPNode(t, gmCA, tc.server, dialTLS, tc.receiver)
			members := []cluster.RemoteNode{sender.nodeInfo, receiver.nodeInfo}
			sender.c.Configure(testChannel, members)
			receiver.c.Configure(testChannel, members)
			receiver.handler.On("OnSubmit", testChannel, sender.nodeInfo.ID, mock.Anything).Return(nil)

			err := submit(sender, receiver)
			if tc.wantErr == "" {
				require.NoError(t, err)
				receiver.handler.AssertNumberOfCalls(t, "OnSubmit", 1)
				return
			}
			require.ErrorContains(t, err, tc.wantErr)
			receiver.handler.AssertNotCalled(t, "OnSubmit", mock.Anything, mock.Anything, mock.Anything)
		})
	}
}

// A stranger with a certificate of the right CA, over either protocol, is not a consenter.
func TestStrangerOverTLCPIsNoConsenter(t *testing.T) {
	gmCA := gmtlstest.NewCA(t)
	for _, mode := range []comm_utils.ClientMode{comm_utils.ClientTLS, comm_utils.ClientGM} {
		stranger := newTLCPNode(t, gmCA, comm_utils.ModeDual, mode, byBoth)
		member := newTLCPNode(t, gmCA, comm_utils.ModeDual, mode, byBoth)
		receiver := newTLCPNode(t, gmCA, comm_utils.ModeDual, mode, byBoth)
		stranger.c.Configure(testChannel, []cluster.RemoteNode{receiver.nodeInfo})
		receiver.c.Configure(testChannel, []cluster.RemoteNode{member.nodeInfo})
		require.ErrorContains(t, submit(stranger, receiver), "isn't authorized")
	}
}

func TestSM2CertificatesInLogs(t *testing.T) {
	gmCA := gmtlstest.NewCA(t)
	std, err := ca.NewServerCertKeyPair("localhost")
	require.NoError(t, err)
	pair := gmCA.NewPair(t)

	both := append(append([]byte{}, std.TLSCert.Raw...), derOf(t, pair.SignCert)...)
	require.Equal(t, string(std.Cert)+string(pair.SignCert), cluster.DERtoPEM(both))
	require.Equal(t, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", cluster.DERtoPEM(nil))

	text := cluster.EndpointCriteria{Endpoint: "orderer:7050", TLSRootCAs: [][]byte{gmCA.CertPEM, ca.CertBytes()}}.String()
	require.Contains(t, text, "SM2 TLS CA")
	require.Equal(t, 2, bytes.Count([]byte(text), []byte(`"Subject"`)))
}

// bindingServer delivers one block, to clients whose request names the certificate of their connection alone, as the deliver
// service does under mutual TLS.
type bindingServer struct{}

func (bindingServer) Broadcast(orderer.AtomicBroadcast_BroadcastServer) error {
	return errors.New("not served")
}

func (bindingServer) Deliver(stream orderer.AtomicBroadcast_DeliverServer) error {
	env, err := stream.Recv()
	if err != nil {
		return err
	}
	payload, err := protoutil.UnmarshalPayload(env.Payload)
	if err != nil {
		return err
	}
	header, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil {
		return err
	}
	shown := util.ExtractCertificateHashFromContext(stream.Context())
	if len(shown) == 0 || !bytes.Equal(shown, header.TlsCertHash) {
		return stream.Send(&orderer.DeliverResponse{Type: &orderer.DeliverResponse_Status{Status: common.Status_BAD_REQUEST}})
	}
	block := protoutil.NewBlock(7, nil)
	return stream.Send(&orderer.DeliverResponse{Type: &orderer.DeliverResponse_Block{Block: block}})
}

func startBindingServer(t *testing.T, gmCA *gmtlstest.CA) (address string) {
	stdPair, err := ca.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	opts := comm_utils.SecureOptions{
		UseTLS: true, RequireClientCert: true, ServerMode: comm_utils.ModeDual,
		ClientRootCAs: [][]byte{ca.CertBytes(), gmCA.CertPEM},
	}
	opts.Certificate, opts.Key = gmCA.NewPair(t, "127.0.0.1").Bundle(stdPair.Cert, stdPair.Key)
	srv, err := comm_utils.NewGRPCServer("127.0.0.1:0", comm_utils.ServerConfig{SecOpts: opts})
	require.NoError(t, err)
	orderer.RegisterAtomicBroadcastServer(srv.Server(), bindingServer{})
	go srv.Start()
	t.Cleanup(srv.Stop)
	return srv.Address()
}

// A puller names the certificate that its connection presents, not the one that it was created with: by protocol, and after a
// live switch.
func TestSeekRequestsNameTheCertificateInUse(t *testing.T) {
	gmCA := gmtlstest.NewCA(t)
	address := startBindingServer(t, gmCA)
	stdClient, err := ca.NewClientCertKeyPair()
	require.NoError(t, err)
	certs, keys := gmCA.NewPair(t).Bundle(stdClient.Cert, stdClient.Key)
	source, err := comm_utils.NewSource(comm_utils.SourceConfig{
		Role:       "test.cluster.puller",
		Load:       func() (comm_utils.Material, error) { return comm_utils.ParseMaterial(certs, keys, nil, nil) },
		ClientMode: comm_utils.ClientTLS,
	})
	require.NoError(t, err)

	puller := &cluster.BlockPuller{
		Channel:   "mychannel",
		Signer:    &mocks.SignerSerializer{},
		Endpoints: []cluster.EndpointCriteria{{Endpoint: address, TLSRootCAs: [][]byte{ca.CertBytes(), gmCA.CertPEM}}},
		Dialer: &cluster.StandardDialer{Config: comm_utils.ClientConfig{
			DialTimeout: timeout,
			SecOpts: comm_utils.SecureOptions{
				UseTLS: true, RequireClientCert: true, Certificate: certs, Key: keys, Source: source,
			},
		}},
		TLSCert:             stdClient.TLSCert.Raw,
		FetchTimeout:        timeout,
		MaxTotalBufferBytes: 1024 * 1024,
		RetryTimeout:        10 * time.Millisecond,
		MaxPullBlockRetries: 3,
		VerifyBlockSequence: noopBlockVerifierf,
		Logger:              flogging.MustGetLogger("test"),
		StopChannel:         make(chan struct{}),
	}
	requireBlock := func(stage string) {
		heights, err := heightsOf(puller)
		require.NoError(t, err, stage)
		require.Equal(t, map[string]uint64{address: 8}, heights, stage)
		block := puller.PullBlock(7)
		require.NotNil(t, block, stage)
		require.Equal(t, uint64(7), block.Header.Number, stage)
		puller.Close() // the next stage connects again
	}
	requireBlock("TLS")
	require.NoError(t, comm_utils.SetMode("test.cluster.puller", "", comm_utils.ClientGM))
	requireBlock("switched to TLCP")

	// New pairs, loaded while the puller lives.
	renewed, err := ca.NewClientCertKeyPair()
	require.NoError(t, err)
	certs, keys = gmCA.NewPair(t).Bundle(renewed.Cert, renewed.Key)
	require.NoError(t, comm_utils.Reload("test.cluster.puller"))
	requireBlock("reloaded, TLCP")
	require.NoError(t, comm_utils.SetMode("test.cluster.puller", "", comm_utils.ClientTLS))
	requireBlock("reloaded, TLS")
}

// Orderers that are known by both certificates move from TLS to TLCP and back while requests flow: none is refused, and in the
// end no connection of the old protocol is left.
func TestClusterFollowsALiveSwitch(t *testing.T) {
	gmCA := gmtlstest.NewCA(t)
	sender := newTLCPNode(t, gmCA, comm_utils.ModeDual, comm_utils.ClientTLS, byBoth)
	receiver := newTLCPNode(t, gmCA, comm_utils.ModeDual, comm_utils.ClientTLS, byBoth)
	opts := &sender.dialer.Config.SecOpts
	certs, keys := opts.Certificate, opts.Key
	source, err := comm_utils.NewSource(comm_utils.SourceConfig{
		Role:       "test.cluster.switch",
		Load:       func() (comm_utils.Material, error) { return comm_utils.ParseMaterial(certs, keys, nil, nil) },
		ClientMode: comm_utils.ClientTLS,
		DrainGrace: 50 * time.Millisecond,
	})
	require.NoError(t, err)
	opts.Source, opts.ClientMode = source, ""

	members := []cluster.RemoteNode{sender.nodeInfo, receiver.nodeInfo}
	sender.c.Configure(testChannel, members)
	receiver.c.Configure(testChannel, members)
	receiver.handler.On("OnSubmit", testChannel, sender.nodeInfo.ID, mock.Anything).Return(nil)

	dialed := func() (protocols []string) {
		for _, s := range comm_utils.Status() {
			for _, d := range s.Dialed {
				if s.Name == "test.cluster.switch" && d.Count > 0 {
					protocols = append(protocols, d.Protocol)
				}
			}
		}
		return protocols
	}
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-stop:
				return
			default:
			}
			// A request that was on a connection as it was closed may be lost, as on any reconnection; a refusal is an error.
			if err := submit(sender, receiver); err != nil && !strings.Contains(err.Error(), "code = Unavailable") {
				failed <- err
				return
			}
		}
	}()
	for _, step := range []struct {
		mode     comm_utils.ClientMode
		protocol string
	}{{comm_utils.ClientGM, "TLCP"}, {comm_utils.ClientTLS, "TLS"}, {comm_utils.ClientGM, "TLCP"}} {
		require.NoError(t, comm_utils.SetMode("test.cluster.switch", "", step.mode))
		require.Eventually(t, func() bool {
			got := dialed()
			return len(got) == 1 && got[0] == step.protocol && submit(sender, receiver) == nil
		}, 30*time.Second, 5*time.Millisecond)
	}
	close(stop)
	require.NoError(t, <-failed)
}
