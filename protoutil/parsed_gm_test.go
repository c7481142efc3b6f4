// SPDX-License-Identifier: Apache-2.0

//fork:file perf: a peer parses each transaction of a block once while it commits the block

package protoutil

import (
	"bytes"
	"runtime"
	"sync"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"
)

// endorsed returns an encoded endorser transaction, whose chaincode wrote these results.
func endorsed(results string) []byte {
	action := MarshalOrPanic(&peer.ChaincodeAction{Results: []byte(results)})
	response := MarshalOrPanic(&peer.ProposalResponsePayload{ProposalHash: []byte("hash"), Extension: action})
	payload := MarshalOrPanic(&peer.ChaincodeActionPayload{
		ChaincodeProposalPayload: []byte("proposal"),
		Action:                   &peer.ChaincodeEndorsedAction{ProposalResponsePayload: response},
	})
	return MarshalOrPanic(&common.Envelope{Signature: []byte("signature"), Payload: MarshalOrPanic(&common.Payload{
		Header: &common.Header{
			ChannelHeader:   MarshalOrPanic(&common.ChannelHeader{ChannelId: "trade", TxId: results}),
			SignatureHeader: MarshalOrPanic(&common.SignatureHeader{Creator: []byte("creator")}),
		},
		Data: MarshalOrPanic(&peer.Transaction{Actions: []*peer.TransactionAction{{Payload: payload}}}),
	})})
}

// parsedFrom returns all messages of an encoded transaction, the outermost first.
func parsedFrom(t *testing.T, encoded []byte) (all []proto.Message) {
	t.Helper()
	keep := func(m proto.Message, err error) {
		require.NoError(t, err)
		all = append(all, m)
	}
	envelope, err := GetEnvelopeFromBlock(encoded)
	keep(envelope, err)
	payload, err := UnmarshalPayload(envelope.Payload)
	keep(payload, err)
	channel, err := UnmarshalChannelHeader(payload.Header.ChannelHeader)
	keep(channel, err)
	signature, err := UnmarshalSignatureHeader(payload.Header.SignatureHeader)
	keep(signature, err)
	transaction, err := UnmarshalTransaction(payload.Data)
	keep(transaction, err)
	action, err := UnmarshalChaincodeActionPayload(transaction.Actions[0].Payload)
	keep(action, err)
	response, err := UnmarshalProposalResponsePayload(action.Action.ProposalResponsePayload)
	keep(response, err)
	results, err := UnmarshalChaincodeAction(response.Extension)
	keep(results, err)
	return all
}

func kept() (n int) {
	onceParsed.Range(func(any, any) bool { n++; return true })
	return n
}

func TestParseOnce(t *testing.T) {
	first, second := endorsed("one"), endorsed("two")
	want := parsedFrom(t, first)
	end := ParseOnce(&common.BlockData{Data: [][]byte{first, second}})
	require.Equal(t, 2, kept())
	got := parsedFrom(t, first)
	for i, m := range parsedFrom(t, first) {
		require.Same(t, got[i], m, "%T", m)
		require.NotSame(t, want[i], m, "%T", m)
		require.True(t, proto.Equal(want[i], m), "%T", m)
	}
	envelope, err := UnmarshalEnvelope(first)
	require.NoError(t, err)
	require.Same(t, got[0], proto.Message(envelope))
	other := parsedFrom(t, second)
	require.Equal(t, "two", string(other[7].(*peer.ChaincodeAction).Results))
	copied := parsedFrom(t, bytes.Clone(first))
	require.NotSame(t, got[0], copied[0], "the same bytes elsewhere are not of the block")

	end()
	require.Zero(t, kept())
	for i, m := range parsedFrom(t, first) {
		require.NotSame(t, got[i], m, "%T", m)
	}
	inner := got[0].(*common.Envelope).Payload
	again, err := UnmarshalPayload(inner)
	require.NoError(t, err)
	require.NotSame(t, got[1], proto.Message(again))
	require.Zero(t, kept())
}

// TestParseOnceUpstream: what is not a message of the block is parsed as upstream does, errors included.
func TestParseOnceUpstream(t *testing.T) {
	encoded := endorsed("one")
	broken := []byte("\x0a\xff")
	_, want := UnmarshalEnvelope(bytes.Clone(broken))
	require.Error(t, want)
	defer ParseOnce(&common.BlockData{Data: [][]byte{encoded, broken, nil, {}, encoded}})()
	for range 2 {
		_, err := UnmarshalEnvelope(broken)
		require.EqualError(t, err, want.Error())
		empty, err := UnmarshalEnvelope(nil)
		require.NoError(t, err)
		require.Empty(t, empty.Payload)
	}
	envelope, err := UnmarshalEnvelope(encoded)
	require.NoError(t, err)
	header, err := UnmarshalHeader(encoded[:len(encoded):len(encoded)]) // another message of the same bytes
	require.NoError(t, err)
	require.Equal(t, envelope.Payload, header.ChannelHeader)
	asPayload, err := UnmarshalPayload(MarshalOrPanic(&common.Envelope{}))
	require.NoError(t, err)
	require.NotNil(t, asPayload)
	signature, err := UnmarshalSignatureHeader(encoded)
	require.NoError(t, err, "the same bytes as another message")
	require.Equal(t, envelope.Payload, signature.Creator)
	shorter := MarshalOrPanic(&common.Envelope{Payload: envelope.Payload})
	require.Equal(t, shorter, encoded[:len(shorter)])
	short, err := UnmarshalEnvelope(encoded[:len(shorter)])
	require.NoError(t, err)
	require.Empty(t, short.Signature, "a message that begins at the same byte")
}

func TestParseOnceBounds(t *testing.T) {
	small, large := endorsed("one"), make([]byte, parseOnceAtMost)
	for n, block := range [][][]byte{{large, small}, {small, large, small}, {small, large[1:], small}, {large[len(small):], small}} {
		end := ParseOnce(&common.BlockData{Data: block})
		require.Equal(t, []int{1, 1, 1, 2}[n], kept(), n)
		end()
	}
	ParseOnce(nil)()
	require.Zero(t, kept())
}

// TestParseOnceEnded ends a block while a message of it is parsed: what is inside is not kept.
func TestParseOnceEnded(t *testing.T) {
	encoded := endorsed("one")
	end := ParseOnce(&common.BlockData{Data: [][]byte{encoded}})
	_, err := ParsedOnce(encoded, func(encoded []byte) (*common.Envelope, error) {
		end()
		return upstreamUnmarshalEnvelope(encoded)
	}, insideEnvelope)
	require.NoError(t, err)
	require.Zero(t, kept())
}

// TestParseOnceTogether has validators parse a block while it ends, and two blocks with the same transaction.
func TestParseOnceTogether(t *testing.T) {
	encoded := endorsed("one")
	end, endOther := ParseOnce(&common.BlockData{Data: [][]byte{encoded}}), ParseOnce(&common.BlockData{Data: [][]byte{encoded}})
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 100 {
				if got := parsedFrom(t, encoded); string(got[7].(*peer.ChaincodeAction).Results) != "one" {
					t.Error(got[7])
				}
			}
		})
	}
	end()
	running.Wait()
	endOther()
	require.Zero(t, kept())
}

// TestManyActions: a transaction may have a million empty actions, and validation refuses it only after it has been parsed.
func TestManyActions(t *testing.T) {
	actions := make([]*peer.TransactionAction, 1000)
	for i := range actions {
		actions[i] = &peer.TransactionAction{Payload: []byte{0x0a, 0}}
	}
	encoded := MarshalOrPanic(&peer.Transaction{Actions: actions})
	defer ParseOnce(&common.BlockData{Data: [][]byte{encoded}})()
	parsed, err := UnmarshalTransaction(encoded)
	require.NoError(t, err)
	require.Len(t, parsed.Actions, len(actions))
	require.Equal(t, 1, kept())
}

// TestMemoryOfParsedTransactions: whatever lists the transactions of a block have, what is kept of it takes no more memory than it may.
func TestMemoryOfParsedTransactions(t *testing.T) {
	const n = 4000
	actions, endorsements := make([]*peer.TransactionAction, n), make([]*peer.Endorsement, n)
	for i := range n {
		actions[i], endorsements[i] = &peer.TransactionAction{}, &peer.Endorsement{}
	}
	heap := func() int {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int(stats.HeapAlloc)
	}
	for name, c := range map[string]struct {
		message proto.Message
		parse   func([]byte) error
	}{
		"actions": {&peer.Transaction{Actions: actions}, func(encoded []byte) error {
			_, err := UnmarshalTransaction(encoded)
			return err
		}},
		"endorsements": {&peer.ChaincodeActionPayload{Action: &peer.ChaincodeEndorsedAction{Endorsements: endorsements}}, func(encoded []byte) error {
			_, err := UnmarshalChaincodeActionPayload(encoded)
			return err
		}},
		"nothing but a payload": {&common.Envelope{Payload: []byte{0x12, 0}}, func(encoded []byte) error {
			envelope, err := UnmarshalEnvelope(encoded)
			if err == nil {
				_, err = UnmarshalPayload(envelope.Payload)
			}
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			encoded := MarshalOrPanic(c.message)
			block := make([][]byte, min(110_000, 200*8003/len(encoded)))
			for i := range block {
				block[i] = bytes.Clone(encoded)
			}
			before := heap()
			end := ParseOnce(&common.BlockData{Data: block})
			for _, encoded := range block {
				require.NoError(t, c.parse(encoded))
			}
			require.Less(t, heap()-before, keptAtMost)
			require.Positive(t, kept())
			end()
			require.Zero(t, kept())
			runtime.KeepAlive(block)
		})
	}
}
