// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/gossip/protoext"
)

// patience is how long a message waits for a place in a full queue of a connection. Then the connection is closed: its other end
// takes nothing, or much less than it should.
var patience = 10 * time.Second

// maxWaitingAnswers bounds the answers of one connection that wait for a place in its queue. Further ones are dropped, as
// gossip drops all other messages that find no place. Who needs such an answer asks again.
const maxWaitingAnswers = 10

//fork:fields fix: answers that wait for a place in the queue of a connection are counted
type connection struct {
	waitingAnswers atomic.Int32
}

// answer queues an answer and does not block. One goroutine takes the messages of all peers and channels and answers them, so
// an answer that waited there for a peer that takes none would stop the gossip of this peer with everyone.
func (conn *connection) answer(msg *protoext.SignedGossipMessage) {
	m := &msgSending{envelope: msg.Envelope, onErr: func(error) { conn.close() }}
	select {
	case conn.outBuff <- m:
		return
	default:
	}
	if conn.waitingAnswers.Add(1) > maxWaitingAnswers {
		conn.waitingAnswers.Add(-1)
		conn.metrics.BufferOverflow.Add(1)
		conn.logger.Debugf("Dropping an answer to %s: it takes no answers", conn.info.Endpoint)
		return
	}
	go func() {
		defer conn.waitingAnswers.Add(-1)
		conn.waitToSend(m)
	}()
}

// waitToSend waits for a place in the queue, until the connection is closed. It closes a connection that has no place for too
// long, whose queue would otherwise be kept as long as the other end wants.
func (conn *connection) waitToSend(m *msgSending) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case conn.outBuff <- m:
	case <-conn.stopChan:
	case <-timeout.C:
		conn.logger.Warningf("Closing the connection with %s: no place became free in the full queue of messages to it within %s. "+
			"It reads none, or that peer or the network is overloaded", conn.info.Endpoint, patience)
		conn.close()
	}
}

// readFromStream reads as upstream does, and closes the connection when it cannot be read any more. What waits for a place in
// its queue then ends, even while the handler of its last message is busy.
//
//fork:wrap fix: a connection that cannot be read is closed, and nothing waits for it
func (conn *connection) readFromStream(errChan chan error, msgChan chan *protoext.SignedGossipMessage) {
	defer conn.close()
	conn.upstreamReadFromStream(errChan, msgChan)
}
