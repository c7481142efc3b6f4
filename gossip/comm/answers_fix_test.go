// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"testing"
	"time"

	proto "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/stretchr/testify/require"
)

// TestPeerThatTakesNothing: answers and messages with acknowledgement to a peer that reads nothing do not wait for it, and the
// connection is closed with all that waits. The same peer can connect again.
func TestPeerThatTakesNothing(t *testing.T) {
	defer func(before time.Duration) { patience = before }(patience)
	patience = time.Second
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
			for range 100 {
				message, err := protoext.NoopSign(large)
				require.NoError(t, err)
				go answering.SendWithAck(message, 100*time.Millisecond, 1, silent)
			}
			message, err := protoext.NoopSign(large)
			require.NoError(t, err)
			result := answering.SendWithAck(message, 100*time.Millisecond, 1, silent)
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
				return connection.waitingAnswers.Load() == 0 && connections.connNum() == 0
			}, 20*time.Second, 10*time.Millisecond, "something of the connection is left")
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
