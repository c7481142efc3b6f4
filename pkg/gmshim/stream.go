// SPDX-License-Identifier: Apache-2.0

package gmshim

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// Connect is the shim's, over a stream that answers what is open when it ends. The shim waits for the peer without an end: of every
// stream that broke, it would keep the transactions under way, with their arguments and transient data.
func (s *ChaincodeServer) Connect(stream peer.Chaincode_ConnectServer) error {
	e := &endingStream{
		Chaincode_ConnectServer: stream,
		arrived:                 make(chan *peer.ChaincodeMessage),
		over:                    make(chan struct{}),
		changed:                 make(chan struct{}, 1),
		open:                    map[string]*request{},
	}
	go e.receive()
	defer e.end(errLeft) // the shim may leave first, above all if it cannot register: receive would wait for it with a message
	return s.ChaincodeServer.Connect(e)
}

// settle is how long the shim has, when all transactions are through, to take note of the last ones. It does so by a channel of its own,
// which nobody else can watch, and whose senders stay if the shim ends before.
const settle = time.Second

// greeting is what a peer sends first.
var greeting = []peer.ChaincodeMessage_Type{peer.ChaincodeMessage_REGISTERED, peer.ChaincodeMessage_READY}

// errUnasked ends a stream whose peer sends what does not belong there. The shim would end it too, but at once.
var errUnasked = errors.New("the peer sent what nobody asked for")

// errLeft is the end of a stream that the shim left.
var errLeft = errors.New("the chaincode has left the stream")

// request waits for an answer of the peer.
type request struct {
	channel, transaction string
	sent                 bool // and the shim waits
}

// endingStream is a stream that first ends the shim's transactions, and then itself. The shim makes one call of Send at a
// time, and one of Recv.
type endingStream struct {
	peer.Chaincode_ConnectServer
	arrived chan *peer.ChaincodeMessage
	over    chan struct{} // closed when the stream is
	changed chan struct{} // after open or owed became less

	mu      sync.Mutex
	err     error               // why it is over
	greeted int                 // messages of the greeting
	open    map[string]*request // one for each transaction at most
	owed    int                 // messages that the shim will send for those that it has
}

// receive takes the peer's messages until the stream ends, also if Send found out first.
func (e *endingStream) receive() {
	for {
		m, err := e.Chaincode_ConnectServer.Recv()
		if err != nil {
			e.end(err)
			return
		}
		select {
		case e.arrived <- m:
		case <-e.over:
			return
		}
	}
}

func (e *endingStream) end(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
		close(e.over)
	}
}

// Recv returns the peer's messages, and after the end an error for each request. It fails when all transactions are through.
func (e *endingStream) Recv() (*peer.ChaincodeMessage, error) {
	select {
	case m := <-e.arrived:
		err := e.take(m)
		if err == nil {
			return m, nil
		}
		e.end(err)
	case <-e.over:
	}
	for {
		m, owed := e.next()
		switch {
		case m != nil:
			return m, nil
		case owed == 0:
			time.Sleep(settle)
			return nil, e.err
		}
		<-e.changed
	}
}

// take notes what follows from a message.
func (e *endingStream) take(m *peer.ChaincodeMessage) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	ready := e.greeted == len(greeting)
	switch kind := m.GetType(); {
	case e.err != nil:
		return e.err
	case kind == peer.ChaincodeMessage_KEEPALIVE:
		e.owed++
	case !ready && kind == greeting[e.greeted]:
		e.greeted++
	case ready && (kind == peer.ChaincodeMessage_INIT || kind == peer.ChaincodeMessage_TRANSACTION):
		e.owed++
	case (kind == peer.ChaincodeMessage_RESPONSE || kind == peer.ChaincodeMessage_ERROR) && e.open[keyOf(m)] != nil:
		delete(e.open, keyOf(m))
	default:
		return fmt.Errorf("%w: %s", errUnasked, kind)
	}
	return nil
}

// next answers a request after the end, or returns how many messages the shim still owes.
func (e *endingStream) next() (*peer.ChaincodeMessage, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, r := range e.open {
		if r.sent {
			delete(e.open, key)
			return &peer.ChaincodeMessage{
				Type: peer.ChaincodeMessage_ERROR, ChannelId: r.channel, Txid: r.transaction, Payload: []byte("the connection to the peer is over"),
			}, e.owed
		}
	}
	return nil, e.owed
}

// Send sends to the peer. For results it never fails: the shim would end at once, and leave all others. Recv tells it.
func (e *endingStream) Send(m *peer.ChaincodeMessage) error {
	switch m.GetType() {
	case peer.ChaincodeMessage_REGISTER:
		return e.Chaincode_ConnectServer.Send(m)
	case peer.ChaincodeMessage_COMPLETED, peer.ChaincodeMessage_ERROR, peer.ChaincodeMessage_KEEPALIVE:
		if err := e.Chaincode_ConnectServer.Send(m); err != nil {
			e.end(err)
		}
		e.mu.Lock()
		e.owed--
		e.mu.Unlock()
		e.signal()
		return nil
	default:
		defer e.signal()
		return e.ask(m)
	}
}

// ask sends a request. It fails where nobody would answer.
func (e *endingStream) ask(m *peer.ChaincodeMessage) error {
	key, r := keyOf(m), &request{channel: m.GetChannelId(), transaction: m.GetTxid()}
	e.mu.Lock()
	e.open[key] = r
	e.mu.Unlock()
	err := e.Chaincode_ConnectServer.Send(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open[key] != r { // answered meanwhile, and the shim must fetch the answer
		return nil
	}
	if err == nil {
		err = e.err
	}
	if err != nil {
		delete(e.open, key)
	}
	r.sent = err == nil
	return err
}

func (e *endingStream) signal() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// keyOf is how the shim tells transactions apart.
func keyOf(m *peer.ChaincodeMessage) string { return m.GetChannelId() + m.GetTxid() }
