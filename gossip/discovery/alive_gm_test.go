// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	proto "github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric/gossip/protoext"
	"github.com/hyperledger/fabric/gossip/util"
	"github.com/stretchr/testify/require"
)

// awayAtFirst signs from the third time on.
type awayAtFirst struct {
	CryptoService
	tried atomic.Int32
}

func (s *awayAtFirst) SignMessage(*proto.GossipMessage, string) *proto.Envelope {
	if s.tried.Add(1) < 3 {
		return nil
	}
	return &proto.Envelope{Signature: []byte("signature")}
}

// heard notes the messages that are sent to all.
type heard struct {
	CommService
	messages chan *protoext.SignedGossipMessage
}

func (h heard) Gossip(m *protoext.SignedGossipMessage) { h.messages <- m }

// A peer that could not sign for a while, since its key is in a device that was away, says again that it is alive.
func TestAliveAgain(t *testing.T) {
	h := heard{messages: make(chan *protoext.SignedGossipMessage, 10)}
	d := &gossipDiscoveryImpl{
		aliveMembership: util.NewMembershipStore(), crypt: &awayAtFirst{}, comm: h, lock: &sync.RWMutex{}, toDieChan: make(chan struct{}),
		logger: util.GetLogger("alive", ""), aliveTimeInterval: time.Millisecond,
	}
	d.aliveMembership.Put([]byte("another"), &protoext.SignedGossipMessage{})
	go d.periodicalSendAlive()
	defer close(d.toDieChan)
	select {
	case m := <-h.messages:
		require.Equal(t, "signature", string(m.Envelope.Signature))
	case <-time.After(5 * time.Second):
		require.Fail(t, "it is not heard of again")
	}
}
