// SPDX-License-Identifier: Apache-2.0

package protoext

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go/gossip"
)

// EnvelopeToGossipMessage parses a message, from a connection or from inside another message. Code that compares and keeps
// messages reads some parts without a look whether they are there, often before it has verified a signature. So this is where a
// message without such a part ends. Peers always send these parts.
//
//fork:wrap fix: a message without a part that peers read is refused, and does not end them
func EnvelopeToGossipMessage(e *gossip.Envelope) (*SignedGossipMessage, error) {
	m, err := upstreamEnvelopeToGossipMessage(e)
	if err == nil {
		err = checkParts(m.GossipMessage)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func checkParts(m *gossip.GossipMessage) error {
	absent := func(part string) error { return fmt.Errorf("gossip message without %s", part) }
	switch content := m.Content.(type) {
	case *gossip.GossipMessage_AliveMsg:
		if content.AliveMsg.Membership == nil {
			return absent("AliveMsg.Membership")
		}
		if content.AliveMsg.Timestamp == nil {
			return absent("AliveMsg.Timestamp")
		}
	case *gossip.GossipMessage_StateInfo:
		if content.StateInfo.Timestamp == nil {
			return absent("StateInfo.Timestamp")
		}
		if content.StateInfo.Properties == nil {
			return absent("StateInfo.Properties")
		}
	case *gossip.GossipMessage_LeadershipMsg:
		if content.LeadershipMsg.Timestamp == nil {
			return absent("LeadershipMsg.Timestamp")
		}
	case *gossip.GossipMessage_MemRes: // discovery looks itself whether those that are alive are AliveMsg
		for _, e := range content.MemRes.Dead {
			if inside, err := upstreamEnvelopeToGossipMessage(e); err == nil && !IsAliveMsg(inside.GossipMessage) {
				return absent("AliveMsg in MemRes.Dead")
			}
		}
	case *gossip.GossipMessage_DataUpdate: // of a DataMsg that comes by itself, the channel asks for the payload
		for _, e := range content.DataUpdate.Data {
			if inside, err := upstreamEnvelopeToGossipMessage(e); err == nil && IsDataMsg(inside.GossipMessage) && inside.GetDataMsg().Payload == nil {
				return absent("DataMsg.Payload")
			}
		}
	}
	return nil
}
