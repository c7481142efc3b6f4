// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"errors"
	"testing"
	"time"

	pb "github.com/golang/protobuf/proto"
	proto "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/stretchr/testify/require"
)

// Tests do not set it, as connections of earlier ones may still read it.
func init() { patience = time.Second }

// TestPeerThatTakesNothing: answers and messages with acknowledgement to a peer that reads nothing do not wait for it, and the
// connection is closed with all that waits. The same peer can connect again.
func TestPeerThatTakesNothing(t *testing.T) {
	large := &proto.GossipMessage{Tag: proto.GossipMessage_EMPTY, Content: &proto.GossipMessage_DataMsg{
		DataMsg: &proto.DataMessage{Payload: &proto.Payload{Data: make([]byte, 1<<20)}},
	}}
	for _, test := range []struct {
		name string
		send func(answering Comm, m protoext.ReceivedMessage, silent *RemotePeer)
	}{
		{"answers", func(_ Comm, m protoext.ReceivedMessage, _ *RemotePeer) {
			for range 500 {
				m.Respond(large)
			}
		}},
		{"pushes", func(answering Comm, _ protoext.ReceivedMessage, silent *RemotePeer) {
			message := func() *protoext.SignedGossipMessage { // SendWithAck writes into its message
				m, err := protoext.NoopSign(&proto.GossipMessage{Tag: large.Tag, Content: large.Content})
				require.NoError(t, err)
				return m
			}
			for range 100 {
				go answering.SendWithAck(message(), 100*time.Millisecond, 1, silent)
			}
			result := answering.SendWithAck(message(), 100*time.Millisecond, 1, silent)
			require.Zero(t, result.AckCount())
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			asking, port := newCommInstance(t, naiveSec)
			defer asking.Stop()
			unread := asking.Accept(acceptAll)
			silent := remotePeer(port)
			answering, port := newCommInstance(t, naiveSec)
			defer answering.Stop()
			arrived := answering.Accept(acceptAll)
			connections := answering.(*commGRPC).connStore

			asking.Send(createGossipMsg(), remotePeer(port))
			var m protoext.ReceivedMessage
			select {
			case m = <-arrived:
			case <-time.After(20 * time.Second):
				t.Fatal("no message arrived")
			}
			connection := m.(*ReceivedMessageImpl).conn
			done := make(chan struct{})
			go func() {
				defer close(done)
				test.send(answering, m, silent)
			}()
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Fatal("a peer that reads nothing keeps the sender")
			}
			select {
			case <-connection.stopChan:
			case <-time.After(20 * time.Second):
				t.Fatal("the connection stays open, with its queue")
			}
			require.Eventually(t, func() bool {
				connections.RLock() // a late push may have dialled again
				defer connections.RUnlock()
				return connection.waitingAnswers.Load() == 0 && connections.pki2Conn[string(connection.pkiID)] != connection
			}, 20*time.Second, 10*time.Millisecond, "something of the connection is left")
			require.Zero(t, bytesKept(""), "answers of the closed connection are counted")
			go func() { // it reads again, and finds out
				for range unread {
				}
			}()
			require.Eventually(t, func() bool {
				asking.Send(createGossipMsg(), remotePeer(port))
				return len(arrived) > 0
			}, 20*time.Second, 100*time.Millisecond, "the peer cannot connect again")
		})
	}
}

func bytesKept(org string) int {
	keptAnswers.Lock()
	defer keptAnswers.Unlock()
	return keptAnswers.of[org]
}

// slowStream takes a message when told.
type slowStream struct {
	take chan error
}

func (s *slowStream) Send(*proto.Envelope) error   { return <-s.take }
func (*slowStream) Recv() (*proto.Envelope, error) { return nil, errors.New("nothing comes") }
func (*slowStream) Context() context.Context       { return context.Background() }

// slowPeer is a connection to a peer of the organisation.
func slowPeer(t *testing.T, org string) (*connection, *slowStream) {
	identity, err := pb.Marshal(&msp.SerializedIdentity{Mspid: org, IdBytes: []byte("certificate")})
	require.NoError(t, err)
	stream := &slowStream{take: make(chan error)}
	conn := newConnection(nil, nil, stream, disabledMetrics, ConnConfig{SendBuffSize: 20})
	conn.logger = util.GetLogger(util.CommLogger, "")
	conn.info = &protoext.ConnectionInfo{Identity: identity, Endpoint: org}
	t.Cleanup(conn.close)
	return conn, stream
}

// TestBytesOfAnswers: the answers that a connection keeps are bounded by bytes, until the other end takes them.
func TestBytesOfAnswers(t *testing.T) {
	const size = maxAnswerBytes / 4
	payload := make([]byte, maxAnswerBytes+1) // of all answers
	answer := func(size int) *protoext.SignedGossipMessage {
		return &protoext.SignedGossipMessage{Envelope: &proto.Envelope{Payload: payload[:size]}}
	}
	conn, stream := slowPeer(t, "slow")
	for range 10 {
		conn.answer(answer(size))
	}
	require.Len(t, conn.outBuff, 4)

	go conn.writeToStream()
	stream.take <- nil
	require.Eventually(t, func() bool { return bytesKept("slow") == 3*size }, 20*time.Second, time.Millisecond)
	conn.answer(answer(size))
	conn.answer(answer(1))
	require.Equal(t, 4*size, bytesKept("slow"))
	for range 4 {
		stream.take <- nil
	}
	require.Eventually(t, func() bool { return bytesKept("slow") == 0 }, 20*time.Second, time.Millisecond)

	conn.answer(answer(maxAnswerBytes + 1)) // is for gRPC to judge
	require.Equal(t, maxAnswerBytes+1, bytesKept("slow"))
	stream.take <- errors.New("too large")
	<-conn.stopChan
	require.Eventually(t, func() bool { return bytesKept("slow") == 0 }, 20*time.Second, time.Millisecond)
	conn.answer(answer(1))
	require.Zero(t, bytesKept("slow"), "a closed connection keeps an answer")

	conn, _ = slowPeer(t, "slow")
	for range 100 { // the number has its bound as well, and what is dropped does not count
		conn.answer(answer(1))
	}
	require.Equal(t, 20+maxWaitingAnswers, bytesKept("slow"))
	conn.close()
	require.NotContains(t, keptAnswers.of, "slow")
}

// TestBytesOfAnOrganisation: many peers of an organisation that take nothing leave the peers of others their answers.
func TestBytesOfAnOrganisation(t *testing.T) {
	answer := &protoext.SignedGossipMessage{Envelope: &proto.Envelope{Payload: make([]byte, maxAnswerBytes)}}
	answered := func(org string) *connection {
		conn, _ := slowPeer(t, org)
		conn.answer(answer)
		return conn
	}
	var silent []*connection
	for range maxOrgAnswerBytes / maxAnswerBytes {
		silent = append(silent, answered("many"))
		require.Len(t, silent[len(silent)-1].outBuff, 1)
	}
	require.Empty(t, answered("many").outBuff)
	require.Len(t, answered("other").outBuff, 1)
	silent[0].close()
	require.Len(t, answered("many").outBuff, 1)
}
