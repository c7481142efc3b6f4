// SPDX-License-Identifier: Apache-2.0

package protoext

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go/gossip"
	"google.golang.org/protobuf/encoding/protowire"
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
			if showsPayload(e.GetPayload()) {
				continue
			}
			if inside, err := upstreamEnvelopeToGossipMessage(e); err == nil && IsDataMsg(inside.GossipMessage) && inside.GetDataMsg().Payload == nil {
				return absent("DataMsg.Payload")
			}
		}
	}
	return nil
}

// Numbers of fields of a GossipMessage and of a DataMessage.
const (
	lastOutside  = 3 // nonce, channel and tag, which are outside of the content
	dataMsgField = 8
	payloadField = 1
)

// showsPayload reports whether a message is one with a block, in the form in which peers send it: with a DataMsg that has a payload, and
// no other content. It reads the heads of fields alone, as the channel parses the blocks right afterwards. Of any other message it knows
// nothing.
func showsPayload(message []byte) bool {
	found := false
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return false
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(number, kind, message)
		if size < 0 {
			return false
		}
		switch {
		case number <= lastOutside:
		case number == dataMsgField && kind == protowire.BytesType && !found:
			inside, _ := protowire.ConsumeBytes(message)
			first, kind, n := protowire.ConsumeTag(inside)
			if found = n > 0 && first == payloadField && kind == protowire.BytesType; !found {
				return false
			}
		default:
			return false
		}
		message = message[size:]
	}
	return found
}
