// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/gossip/protoext"
)

// patience is how long a message waits for a place in a full queue of a connection. Then the connection is closed: its other end
// takes nothing, or much less than it should.
var patience = 10 * time.Second

// maxWaitingAnswers bounds the answers of one connection that wait for a place in its queue. Further ones are dropped, as
// gossip drops all other messages that find no place. Who needs such an answer asks again.
const maxWaitingAnswers = 10

// Bounds of the bytes of answers that are kept until the other end takes them. An answer may have eleven blocks, and the number
// of answers alone leaves a connection gigabytes. The CA of an organisation can give it any number of peers, each with a connection:
// so all of them have a bound too, which leaves those of other organisations theirs. A first answer may have any size.
const (
	maxAnswerBytes    = 100 << 20 // of a connection: as much as a message may have by default
	maxOrgAnswerBytes = 5 * maxAnswerBytes
)

// keptAnswers are the bytes of answers that are kept, by the MSP of the peers that they are for.
var keptAnswers = struct {
	sync.Mutex
	of map[string]int
}{of: make(map[string]int)}

//fork:fields fix: answers that wait for a place in the queue of a connection, and the bytes of all its answers, are counted
type connection struct {
	waitingAnswers atomic.Int32
	answerBytes    int // by the lock of keptAnswers
}

//fork:fields fix: an answer is counted until it is sent
type msgSending struct {
	kept int // bytes; none of what is no answer
}

// answer queues an answer and does not block. One goroutine takes the messages of all peers and channels and answers them, so
// an answer that waited there for a peer that takes none would stop the gossip of this peer with everyone.
func (conn *connection) answer(msg *protoext.SignedGossipMessage) {
	m := &msgSending{envelope: msg.Envelope, onErr: func(error) { conn.close() }, kept: len(msg.Envelope.Payload)}
	if !conn.keep(m.kept) {
		conn.dropAnswer()
		return
	}
	select {
	case conn.outBuff <- m:
		return
	default:
	}
	if conn.waitingAnswers.Add(1) > maxWaitingAnswers {
		conn.waitingAnswers.Add(-1)
		conn.release(m.kept)
		conn.dropAnswer()
		return
	}
	go func() {
		defer conn.waitingAnswers.Add(-1)
		conn.waitToSend(m)
	}()
}

func (conn *connection) dropAnswer() {
	conn.metrics.BufferOverflow.Add(1)
	conn.logger.Debugf("Dropping an answer to %s: it takes no answers, or its organisation takes none", conn.info.Endpoint)
}

// keep counts the bytes of an answer, unless too many are kept already, or the connection is closed.
func (conn *connection) keep(size int) bool {
	keptAnswers.Lock()
	defer keptAnswers.Unlock()
	select {
	case <-conn.stopChan:
		return false
	default:
	}
	org := conn.mspID()
	ofConn, ofOrg := conn.answerBytes, keptAnswers.of[org]
	if ofConn > 0 && ofConn+size > maxAnswerBytes || ofOrg > 0 && ofOrg+size > maxOrgAnswerBytes {
		return false
	}
	conn.answerBytes, keptAnswers.of[org] = ofConn+size, ofOrg+size
	return true
}

// release counts bytes no more. After the end of the connection none are left.
func (conn *connection) release(size int) {
	keptAnswers.Lock()
	defer keptAnswers.Unlock()
	size = min(size, conn.answerBytes)
	if size == 0 {
		return
	}
	conn.answerBytes -= size
	org := conn.mspID()
	if keptAnswers.of[org] -= size; keptAnswers.of[org] == 0 {
		delete(keptAnswers.of, org)
	}
}

// mspID returns the MSP of the other end, which the handshake has verified.
func (conn *connection) mspID() string {
	identity := &msp.SerializedIdentity{}
	_ = proto.Unmarshal(conn.info.Identity, identity) // only tests have others, which are one organisation
	return identity.Mspid
}

// sendTo sends a message of the queue. An answer counts until gRPC has taken it, and the other end room for it.
func (conn *connection) sendTo(s stream, m *msgSending) error {
	defer conn.release(m.kept)
	return s.Send(m.envelope)
}

// close closes as upstream does. What the queue still has goes with the connection.
//
//fork:wrap fix: answers of a closed connection are not counted
func (conn *connection) close() {
	conn.upstreamClose()
	conn.release(math.MaxInt)
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
