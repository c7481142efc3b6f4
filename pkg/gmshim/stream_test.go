// SPDX-License-Identifier: Apache-2.0

package gmshim_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/pkg/gmshim"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

// shimGoroutines returns the goroutines in the shim, of which a server without streams has none.
func shimGoroutines() []string {
	stacks := make([]byte, 16<<20)
	var in []string
	for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "fabric-chaincode-go/v2/shim.") || strings.Contains(stack, "gmshim.(*endingStream)") {
			in = append(in, stack)
		}
	}
	return in
}

// requireNoneLeft waits until the shim keeps nothing.
func requireNoneLeft(t *testing.T) {
	t.Helper()
	left := shimGoroutines()
	for end := time.Now().Add(15 * time.Second); len(left) > 0 && time.Now().Before(end); left = shimGoroutines() {
		time.Sleep(50 * time.Millisecond)
	}
	if len(left) > 0 {
		t.Fatalf("%d goroutines are left, the first: %s", len(left), left[0])
	}
}

// openStream registers, and returns the stream with what cuts its connection.
func openStream(t *testing.T, address string) (peer.Chaincode_ConnectClient, func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	stream, err := peer.NewChaincodeClient(conn).Connect(ctx)
	require.NoError(t, err)
	_, err = stream.Recv() // REGISTER
	require.NoError(t, err)
	return stream, func() { cancel(); _ = conn.Close() }
}

func send(t *testing.T, stream peer.Chaincode_ConnectClient, messages ...*peer.ChaincodeMessage) {
	t.Helper()
	for _, m := range messages {
		require.NoError(t, stream.Send(m))
	}
}

func transaction(t *testing.T, id string, args ...string) *peer.ChaincodeMessage {
	t.Helper()
	input := &peer.ChaincodeInput{}
	for _, arg := range args {
		input.Args = append(input.Args, []byte(arg))
	}
	payload, err := proto.Marshal(input)
	require.NoError(t, err)
	return &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_TRANSACTION, Txid: id, ChannelId: "c", Payload: payload}
}

// TestNothingIsKeptOfABrokenStream: however a stream ends, the transactions under way end.
func TestNothingIsKeptOfABrokenStream(t *testing.T) {
	registered, ready := &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_REGISTERED}, &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_READY}
	keepalive := &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_KEEPALIVE, Payload: make([]byte, 10_000)}
	get := func(stream peer.Chaincode_ConnectClient, read bool) {
		send(t, stream, registered, ready)
		for i := range 30 {
			send(t, stream, transaction(t, fmt.Sprint("tx", i), "get", "k"), keepalive)
		}
		for range 60 { // GET_STATE, which is never answered, and the echoes
			if !read {
				return
			}
			_, err := stream.Recv()
			require.NoError(t, err)
		}
	}
	for name, use := range map[string]func(stream peer.Chaincode_ConnectClient){
		"at once":       func(peer.Chaincode_ConnectClient) {},
		"requests open": func(s peer.Chaincode_ConnectClient) { get(s, true) },
		"nobody reads":  func(s peer.Chaincode_ConnectClient) { get(s, false) },
		"a second answer": func(s peer.Chaincode_ConnectClient) {
			get(s, true)
			send(t, s, &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_RESPONSE, Txid: "no"})
		},
		"a second READY": func(s peer.Chaincode_ConnectClient) { get(s, true); send(t, s, ready) },
		"no more sent":   func(s peer.Chaincode_ConnectClient) { get(s, true); require.NoError(t, s.CloseSend()) },
		"echoes, then nonsense": func(s peer.Chaincode_ConnectClient) {
			send(t, s, keepalive, keepalive, keepalive, transaction(t, "tx", "get", "k"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := &gmshim.ChaincodeServer{}
			server.TLSProps.Disabled = true
			address := start(t, server)
			requireNoneLeft(t) // of other tests
			for i := range 10 {
				stream, cut := openStream(t, address)
				use(stream)
				if i%2 == 0 { // else the server may end it before
					cut()
				} else {
					time.AfterFunc(time.Second, cut)
				}
			}
			requireNoneLeft(t)
		})
	}
}

// resetStream is a stream that the peer reset when it had sent one message.
type resetStream struct {
	peer.Chaincode_ConnectServer
	received bool
}

func (*resetStream) Send(*peer.ChaincodeMessage) error { return errors.New("reset") }

func (s *resetStream) Recv() (*peer.ChaincodeMessage, error) {
	if s.received {
		return nil, errors.New("reset")
	}
	s.received = true
	return &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_KEEPALIVE}, nil
}

// TestNothingIsKeptOfAStreamWithoutChaincode: the shim cannot register and leaves, and the message that came has no reader.
func TestNothingIsKeptOfAStreamWithoutChaincode(t *testing.T) {
	requireNoneLeft(t) // of other tests
	server := &gmshim.ChaincodeServer{}
	server.CCID, server.CC = packageID, notary{}
	for range 10 {
		require.ErrorContains(t, server.Connect(&resetStream{}), "reset")
	}
	requireNoneLeft(t)
}

// TestServerEndsWhatDoesNotBelong: the peer is told, while its connection lives.
func TestServerEndsWhatDoesNotBelong(t *testing.T) {
	server := &gmshim.ChaincodeServer{}
	server.TLSProps.Disabled = true
	stream, cut := openStream(t, start(t, server))
	defer cut()
	send(t, stream, &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_READY})
	_, err := stream.Recv()
	require.ErrorContains(t, err, "nobody asked for: READY")
}

// TestTransactionsAtOnce: each of many transactions gets the answers to its own requests, in whatever order they come.
func TestTransactionsAtOnce(t *testing.T) {
	server := &gmshim.ChaincodeServer{}
	server.TLSProps.Disabled = true
	stream, cut := openStream(t, start(t, server))
	defer cut()
	const count = 200
	send(t, stream, &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_REGISTERED}, &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_READY})
	for i := range count {
		send(t, stream, transaction(t, fmt.Sprint("tx", i), "get", "k"))
	}
	var asked []*peer.ChaincodeMessage
	for range count {
		m, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, peer.ChaincodeMessage_GET_STATE, m.GetType())
		asked = append(asked, m)
	}
	for _, m := range slices.Backward(asked) {
		send(t, stream, &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_RESPONSE, Txid: m.GetTxid(), ChannelId: m.GetChannelId(), Payload: []byte("value of " + m.GetTxid())})
	}
	done := map[string]bool{}
	for range count {
		m, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, peer.ChaincodeMessage_COMPLETED, m.GetType())
		response := &peer.Response{}
		require.NoError(t, proto.Unmarshal(m.GetPayload(), response))
		require.Equal(t, "value of "+m.GetTxid(), string(response.GetPayload()))
		done[m.GetTxid()] = true
	}
	require.Len(t, done, count)
}
