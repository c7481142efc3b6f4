// SPDX-License-Identifier: Apache-2.0

package protoext

import (
	"bytes"
	"slices"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

func packed(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return data
}

// update is an answer to a pull, of ten blocks of 500 KB.
func update(t testing.TB) *gossip.Envelope {
	t.Helper()
	content := &gossip.DataUpdate{}
	for i := range uint64(10) {
		block := protoutil.NewBlock(i, nil)
		for range 100 {
			block.Data.Data = append(block.Data.Data, bytes.Repeat([]byte{byte(i)}, 5000))
		}
		block.Metadata = &common.BlockMetadata{}
		content.Data = append(content.Data, &gossip.Envelope{Payload: packed(t, &gossip.GossipMessage{
			Channel: []byte("one"), Tag: gossip.GossipMessage_CHAN_AND_ORG,
			Content: &gossip.GossipMessage_DataMsg{DataMsg: &gossip.DataMessage{Payload: &gossip.Payload{SeqNum: i, Data: packed(t, block)}}},
		})})
	}
	return &gossip.Envelope{Payload: packed(t, &gossip.GossipMessage{
		Nonce: 1, Channel: []byte("one"), Content: &gossip.GossipMessage_DataUpdate{DataUpdate: content},
	})}
}

// TestPartsOfUpdate: blocks within the answer to a pull are not parsed for the sake of their parts.
func TestPartsOfUpdate(t *testing.T) {
	m, err := upstreamEnvelopeToGossipMessage(update(t))
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(10, func() { require.NoError(t, checkParts(m.GossipMessage)) }))
}

// TestShowsPayload: a message that is taken for one with a block is one, if it can be parsed.
func TestShowsPayload(t *testing.T) {
	whole := packed(t, &gossip.GossipMessage{Nonce: 1, Channel: []byte("one"), Tag: 2, Content: &gossip.GossipMessage_DataMsg{
		DataMsg: &gossip.DataMessage{Payload: &gossip.Payload{SeqNum: 1, Data: []byte("block")}},
	}})
	without := packed(t, &gossip.GossipMessage{Content: &gossip.GossipMessage_DataMsg{DataMsg: &gossip.DataMessage{}}})
	other := packed(t, &gossip.GossipMessage{Content: &gossip.GossipMessage_Empty{Empty: &gossip.Empty{}}})
	require.True(t, showsPayload(whole))
	for _, message := range [][]byte{
		nil, without, other, slices.Concat(whole, other), slices.Concat(other, whole), slices.Concat(whole, other, without),
		slices.Concat(whole, whole), whole[:len(whole)-1], {dataMsgField<<3 | 2, 0}, {dataMsgField << 3, 1}, {dataMsgField<<3 | 2, 2, payloadField << 3, 1},
	} {
		require.False(t, showsPayload(message), "%x", message)
	}
	for i := range whole { // changed in one byte
		for b := range 256 {
			message := bytes.Clone(whole)
			message[i] = byte(b)
			m, err := upstreamEnvelopeToGossipMessage(&gossip.Envelope{Payload: message})
			if err == nil && showsPayload(message) {
				require.True(t, IsDataMsg(m.GossipMessage) && m.GetDataMsg().Payload != nil, "%x", message)
			}
		}
	}
}

// The three parts of handling an answer to a pull, without the signatures of blocks: to parse it, to look at its parts, and what the
// channel does with each block.
func BenchmarkUpdate(b *testing.B) {
	e := update(b)
	m, err := upstreamEnvelopeToGossipMessage(e)
	require.NoError(b, err)
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			_, _ = upstreamEnvelopeToGossipMessage(e)
		}
	})
	b.Run("parts", func(b *testing.B) {
		for b.Loop() {
			_ = checkParts(m.GossipMessage)
		}
	})
	b.Run("channel", func(b *testing.B) {
		for b.Loop() {
			for _, e := range m.GetDataUpdate().Data {
				inside, err := EnvelopeToGossipMessage(e)
				require.NoError(b, err)
				block, err := protoutil.UnmarshalBlock(inside.GetDataMsg().Payload.Data)
				require.NoError(b, err)
				protoutil.BlockDataHash(block.Data)
			}
		}
	})
}
