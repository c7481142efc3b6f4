// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	comm_utils "github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"github.com/hyperledger/fabric/orderer/common/cluster/mocks"
	"github.com/pkg/errors"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
)

// soon is for what must happen, without a limit on when.
const soon = 30 * time.Second

// serve gives the node a server that takes many requests in a stream, as an orderer's.
func (cn *clusterNode) serve() {
	cn.srv.Stop()
	log := flogging.MustGetLogger("test")
	cn.dispatcher = &cluster.Service{
		Dispatcher: cn.c, Logger: log, StepLogger: log,
		StreamCountReporter: &cluster.StreamCountReporter{Metrics: cluster.NewMetrics(&disabled.Provider{})},
	}
	cn.bindAddress = "127.0.0.1:0"
	cn.resurrect()
	cn.nodeInfo.Endpoint = cn.srv.Address()
}

// counted makes the node note which of the sender's requests arrive.
func (cn *clusterNode) counted(sender uint64) *sync.Map {
	var arrived sync.Map
	cn.handler.On("OnSubmit", testChannel, sender, mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		arrived.Store(string(args.Get(2).(*orderer.SubmitRequest).Payload.Payload), true)
	})
	return &arrived
}

func rpcOf(node cluster.Communicator, timeout time.Duration) *cluster.RPC {
	return &cluster.RPC{
		Logger: flogging.MustGetLogger("test"), Timeout: timeout, Channel: testChannel, Comm: node,
		StreamsByType: cluster.NewStreamsByType(),
	}
}

// sendSubmit sends a request and waits for the report.
func sendSubmit(t *testing.T, rpc *cluster.RPC, to uint64, text string) error {
	t.Helper()
	reported := make(chan error, 2)
	request := &orderer.SubmitRequest{Channel: testChannel, Payload: &common.Envelope{Payload: []byte(text)}}
	err := rpc.SendSubmit(to, request, func(err error) { reported <- err })
	select {
	case outcome := <-reported:
		if err != nil {
			require.Equal(t, err, outcome)
		}
		return outcome
	case <-time.After(soon):
		require.FailNow(t, "the outcome is not reported")
	}
	return nil
}

// TestSendSubmitWithReport: after a restart of the other node the first request arrives, where upstream reports EOF.
//
//fork:replace fix: a request whose stream has just been closed goes over a fresh one
func TestSendSubmitWithReport(t *testing.T) {
	node1, node2 := newTestNode(t), newTestNode(t)
	defer node1.stop()
	node2.serve()
	defer func() { node2.stop() }()
	arrived := node2.counted(node1.nodeInfo.ID)
	members := []cluster.RemoteNode{node1.nodeInfo, node2.nodeInfo}
	node1.c.Configure(testChannel, members)
	node2.c.Configure(testChannel, members)
	requireArrival := func(text string) {
		require.Eventually(t, func() bool { _, there := arrived.Load(text); return there }, soon, time.Millisecond)
	}

	rpc := rpcOf(node1.c, soon)
	require.NoError(t, sendSubmit(t, rpc, node2.nodeInfo.ID, "1"))
	requireArrival("1")

	remote, err := node1.c.Remote(testChannel, node2.nodeInfo.ID)
	require.NoError(t, err)
	noticing, err := remote.NewStream(soon)
	require.NoError(t, err)
	node2.srv.Stop()
	_, err = noticing.Recv()
	require.Error(t, err)
	node2.bindAddress = node2.nodeInfo.Endpoint
	node2.resurrect()
	require.Eventually(t, func() bool { _, err := remote.NewStream(soon); return err == nil }, soon, time.Millisecond)
	require.NoError(t, sendSubmit(t, rpc, node2.nodeInfo.ID, "2"))
	requireArrival("2")
}

func streamWhoseSend(send func(*orderer.StepRequest) error) *mocks.StepClient {
	stream := &mocks.StepClient{}
	stream.On("Context", mock.Anything).Return(context.Background())
	stream.On("Send", mock.Anything).Return(send)
	return stream
}

// A stream that the other side has closed says EOF to the next request: that goes over a fresh one, a few times.
func TestRequestOverAClosedStreamGoesOverAFreshOne(t *testing.T) {
	for closed, want := range map[int]error{0: nil, 1: nil, 2: nil, 3: io.EOF} {
		client := &mocks.ClusterClient{}
		var sent atomic.Int32
		for range closed {
			client.On("Step", mock.Anything).Return(streamWhoseSend(func(*orderer.StepRequest) error { return io.EOF }), nil).Once()
		}
		client.On("Step", mock.Anything).Return(streamWhoseSend(func(*orderer.StepRequest) error { sent.Add(1); return nil }), nil)
		remote := remoteWith(client)
		communicator := &mocks.Communicator{}
		communicator.On("Remote", testChannel, uint64(1)).Return(remote, nil)
		require.Equal(t, want, sendSubmit(t, rpcOf(communicator, soon), 1, "x"), "%d closed streams", closed)
		require.Equal(t, want == nil, sent.Load() == 1, "%d closed streams", closed)
		remote.Abort()
	}
}

// A request that waits in the queue of a stream when that is cancelled is neither lost nor left without a report.
func TestQueueOfACancelledStreamGoesOverAFreshOne(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var sent atomic.Int32
	client := &mocks.ClusterClient{}
	client.On("Step", mock.Anything).Return(streamWhoseSend(func(*orderer.StepRequest) error {
		sent.Add(1)
		once.Do(func() { close(entered) })
		<-release
		return nil
	}), nil).Once()
	client.On("Step", mock.Anything).Return(streamWhoseSend(func(*orderer.StepRequest) error { sent.Add(1); return nil }), nil)
	remote := remoteWith(client)
	communicator := &mocks.Communicator{}
	communicator.On("Remote", testChannel, uint64(1)).Return(remote, nil)
	rpc := rpcOf(communicator, soon)

	const queued = 9
	reported := make(chan error, 2*queued)
	for i := range 1 + queued {
		require.NoError(t, rpc.SendSubmit(1, &orderer.SubmitRequest{Channel: testChannel}, func(err error) { reported <- err }))
		if i == 0 {
			<-entered // the others queue behind it
		}
	}
	remote.Abort()
	close(release)
	for range 1 + queued {
		select {
		case err := <-reported:
			require.NoError(t, err)
		case <-time.After(soon):
			require.FailNow(t, "a request is left without a report")
		}
	}
	require.GreaterOrEqual(t, sent.Load(), int32(1+queued))
	remote.Abort()
}

// What cannot be sent at all is reported at once; chains wait for the report.
func TestRefusedRequestIsReported(t *testing.T) {
	communicator := &mocks.Communicator{}
	communicator.On("Remote", testChannel, uint64(1)).Return(nil, errors.New("no such node"))
	require.EqualError(t, sendSubmit(t, rpcOf(communicator, time.Hour), 1, "x"), "no such node")
}

// Abort ends the consensus stream and the transaction stream, not the one that comes first.
func TestAbortCancelsEveryStream(t *testing.T) {
	client := &mocks.ClusterClient{}
	client.On("Step", mock.Anything).Return(streamWhoseSend(func(*orderer.StepRequest) error { return nil }), nil)
	remote := remoteWith(client)
	var streams []*cluster.Stream
	for range 3 {
		stream, err := remote.NewStream(time.Hour)
		require.NoError(t, err)
		streams = append(streams, stream)
	}
	remote.Abort()
	for i, stream := range streams {
		require.True(t, stream.Canceled(), "stream %d", i)
	}
}

// Raft's loop sends to a node that does not answer without waiting for it, in one attempt however many messages there are,
// and other nodes get theirs. Once the stream is there, it is used.
func TestConsensusDoesNotWaitForASilentNode(t *testing.T) {
	release := make(chan struct{})
	var attempts, sent, other atomic.Int32
	silent, healthy := &mocks.ClusterClient{}, &mocks.ClusterClient{}
	silent.On("Step", mock.Anything).Run(func(mock.Arguments) {
		attempts.Add(1)
		<-release
	}).Return(streamWhoseSend(func(*orderer.StepRequest) error { sent.Add(1); return nil }), nil)
	healthy.On("Step", mock.Anything).Return(streamWhoseSend(func(*orderer.StepRequest) error { other.Add(1); return nil }), nil)
	communicator := &mocks.Communicator{}
	communicator.On("Remote", testChannel, uint64(1)).Return(remoteWith(silent), nil)
	communicator.On("Remote", testChannel, uint64(2)).Return(remoteWith(healthy), nil)
	rpc := rpcOf(communicator, time.Hour)

	message := &orderer.ConsensusRequest{Channel: testChannel}
	for i := range 20 {
		require.ErrorContains(t, rpc.SendConsensus(1, message), "still connecting to node 1")
		require.NoError(t, rpc.SendConsensus(2, message))
		require.Eventually(t, func() bool { return int(other.Load()) == i+1 }, soon, time.Millisecond)
	}
	require.EqualValues(t, 1, attempts.Load())
	close(release)
	require.Eventually(t, func() bool { return rpc.SendConsensus(1, message) == nil }, soon, time.Millisecond)
	require.Eventually(t, func() bool { return sent.Load() == 1 }, soon, time.Millisecond)
	require.EqualValues(t, 1, attempts.Load())
}

// switching returns two nodes in mode dual. The first is in client mode tls, which SetMode of the role changes; connections that a
// change of mode retires have the grace, or the default if it is 0.
func switching(t *testing.T, role string, grace time.Duration) (sender, receiver *clusterNode) {
	t.Helper()
	gmCA := gmtlstest.NewCA(t)
	sender = newTLCPNode(t, gmCA, comm_utils.ModeDual, comm_utils.ClientTLS, byBoth)
	receiver = newTLCPNode(t, gmCA, comm_utils.ModeDual, comm_utils.ClientTLS, byBoth)
	receiver.serve()
	opts := &sender.dialer.Config.SecOpts
	certs, keys := opts.Certificate, opts.Key
	source, err := comm_utils.NewSource(comm_utils.SourceConfig{
		Role:       role,
		Load:       func() (comm_utils.Material, error) { return comm_utils.ParseMaterial(certs, keys, nil, nil) },
		ClientMode: comm_utils.ClientTLS,
		DrainGrace: grace,
	})
	require.NoError(t, err)
	opts.Source, opts.ClientMode = source, ""
	return sender, receiver
}

// Requests that flow while a node switches protocols and loads new certificates all arrive: those under way over the old
// connection, those that come while there is none, those over the new one.
func TestNoRequestIsLostInALiveSwitch(t *testing.T) {
	sender, receiver := switching(t, "test.cluster.lossless", 2*time.Second)
	members := []cluster.RemoteNode{sender.nodeInfo, receiver.nodeInfo}
	sender.c.Configure(testChannel, members)
	receiver.c.Configure(testChannel, members)
	arrived := receiver.counted(sender.nodeInfo.ID)

	rpc := rpcOf(sender.c, soon)
	const senders, each = 4, 300
	var wg sync.WaitGroup
	var count atomic.Int32
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				text := fmt.Sprint(s, "-", i)
				if err := sendSubmit(t, rpc, receiver.nodeInfo.ID, text); err != nil {
					t.Errorf("%s is refused: %v", text, err)
					return
				}
				count.Add(1)
			}
		})
	}
	for i, mode := range []comm_utils.ClientMode{comm_utils.ClientGM, comm_utils.ClientTLS, comm_utils.ClientGM, comm_utils.ClientTLS} {
		require.Eventually(t, func() bool { return t.Failed() || int(count.Load()) >= (i+1)*senders*each/6 }, soon, time.Millisecond)
		require.NoError(t, comm_utils.SetMode("test.cluster.lossless", "", mode))
	}
	wg.Wait()
	for s := range senders {
		for i := range each {
			require.Eventually(t, func() bool { _, there := arrived.Load(fmt.Sprint(s, "-", i)); return there },
				soon, time.Millisecond, "request %d-%d is lost", s, i)
		}
	}
}

// switchedDuring forwards to an address. After the first bytes of each of the first handshakes it switches the mode, to and fro.
func switchedDuring(t *testing.T, address, role string, handshakes int) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for n := 0; ; n++ {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				client.Close()
				continue
			}
			hello := make([]byte, 4096)
			size, _ := client.Read(hello)
			if n < handshakes {
				if err := comm_utils.SetMode(role, "", []comm_utils.ClientMode{comm_utils.ClientGM, comm_utils.ClientTLS}[n%2]); err != nil {
					t.Error(err)
				}
			}
			_, _ = server.Write(hello[:size])
			for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
				go func() {
					defer way[0].Close()
					_, _ = io.Copy(way[0], way[1])
				}()
			}
		}
	}()
	return listener.Addr().String()
}

// TestSwitchDuringTheHandshake: a request waits for the next connection when the mode is switched while one is made, some times in a row.
func TestSwitchDuringTheHandshake(t *testing.T) {
	for handshakes := range 5 {
		t.Run(fmt.Sprint(handshakes), func(t *testing.T) {
			role := fmt.Sprint("test.cluster.handshake", handshakes)
			sender, receiver := switching(t, role, 0)
			members := []cluster.RemoteNode{sender.nodeInfo, receiver.nodeInfo}
			receiver.c.Configure(testChannel, members)
			members[1].Endpoint = switchedDuring(t, receiver.nodeInfo.Endpoint, role, handshakes)
			sender.c.Configure(testChannel, members)
			arrived := receiver.counted(sender.nodeInfo.ID)

			require.NoError(t, sendSubmit(t, rpcOf(sender.c, soon), receiver.nodeInfo.ID, "x"))
			require.Eventually(t, func() bool { _, there := arrived.Load("x"); return there }, soon, time.Millisecond)
		})
	}
}

// A drain lets the streams of a connection continue for some time. New requests do not wait for its end: they use the new
// connection as soon as it is there.
func TestRequestsLeaveADrainedConnection(t *testing.T) {
	sender, receiver := switching(t, "test.cluster.drained", time.Hour)
	members := []cluster.RemoteNode{sender.nodeInfo, receiver.nodeInfo}
	sender.c.Configure(testChannel, members)
	receiver.c.Configure(testChannel, members)
	receiver.counted(sender.nodeInfo.ID)

	rpc := rpcOf(sender.c, soon)
	used := func() *cluster.Stream {
		require.NoError(t, sendSubmit(t, rpc, receiver.nodeInfo.ID, "x"))
		return rpc.StreamsByType[cluster.SubmitOperation][receiver.nodeInfo.ID]
	}
	first := used()
	require.NoError(t, comm_utils.SetMode("test.cluster.drained", "", comm_utils.ClientGM))
	require.Eventually(t, func() bool { return used() != first }, soon, time.Millisecond)
}

// A consenter whose field gains its SM2 certificate is the same node: its streams deliver what they have, and new ones use a
// new connection. A field without any key of before cuts the old streams off.
func TestFieldThatKeepsAKeyKeepsItsStreams(t *testing.T) {
	gmCA := gmtlstest.NewCA(t)
	sender := newTestNode(t)
	defer sender.stop()
	receiver := newTLCPNode(t, gmCA, comm_utils.ModeDual, comm_utils.ClientTLS, byBoth)
	receiver.serve()
	both := receiver.nodeInfo
	std := both
	std.ServerTLSCert = derOf(t, receiver.serverConfig.SecOpts.Certificate)
	sender.c.Configure(testChannel, []cluster.RemoteNode{std})
	receiver.c.Configure(testChannel, []cluster.RemoteNode{sender.nodeInfo})
	arrived := receiver.counted(sender.nodeInfo.ID)
	rpc := rpcOf(sender.c, soon)
	require.NoError(t, sendSubmit(t, rpc, both.ID, "before"))

	remote, err := sender.c.Remote(testChannel, both.ID)
	require.NoError(t, err)
	old, err := remote.NewStream(soon)
	require.NoError(t, err)
	sender.c.Configure(testChannel, []cluster.RemoteNode{both})
	require.False(t, old.Canceled())
	late := &orderer.SubmitRequest{Channel: testChannel, Payload: &common.Envelope{Payload: []byte("late")}}
	require.NoError(t, old.Send(wrapSubmitReq(late)))
	require.Eventually(t, func() bool { _, there := arrived.Load("late"); return there }, soon, time.Millisecond)

	next, err := sender.c.Remote(testChannel, both.ID)
	require.NoError(t, err)
	require.NotSame(t, remote, next)
	require.NoError(t, sendSubmit(t, rpc, both.ID, "after"))
	require.Eventually(t, func() bool { return old.Canceled() }, soon, time.Millisecond)

	current, err := next.NewStream(soon)
	require.NoError(t, err)
	other := newTestNode(t)
	defer other.stop()
	replaced := both
	replaced.ServerTLSCert = other.nodeInfo.ServerTLSCert
	sender.c.Configure(testChannel, []cluster.RemoteNode{replaced})
	require.True(t, current.Canceled())
}
