// SPDX-License-Identifier: Apache-2.0

//fork:file perf: a peer parses each transaction of a block once while it commits the block

package protoutil

import (
	"sync"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
)

const (
	// parseOnceAtMost bounds in bytes the transactions of a block that are kept parsed, which takes five to eight times as much. The rest of a
	// larger block is parsed each time, as upstream does.
	parseOnceAtMost = 8 << 20

	// keptAtMost bounds the memory for what is kept of a block, since a list of empty elements takes a hundred times its encoding. What
	// would exceed it is parsed each time.
	keptAtMost = 64 << 20

	// partSize is more than one element of a list takes, or one message, without the bytes in it: its struct, those that it always has, and
	// its place in the list or in onceParsed.
	partSize = 256
)

// onceParsed has the encoded messages that are parsed once, by the address of their first byte: *byte to *encodedMessage. An entry keeps
// its bytes, so that no other message gets the address.
var onceParsed sync.Map

// encodedMessage is one encoded message of a transaction, and what was parsed of it.
type encodedMessage struct {
	encoded []byte
	block   *parsedBlock
	once    sync.Once
	parsed  any // nil if it could not be parsed
}

// parsedBlock is what is kept for one block.
type parsedBlock struct {
	mu     sync.Mutex
	ended  bool    // protected by mu, as the next
	starts []*byte // keys of onceParsed
	kept   int     // bytes of memory, at most
}

// afford reports whether a message of so many bytes and parts may be kept, and counts it. The caller holds mu.
func (b *parsedBlock) afford(bytes, parts int) bool {
	cost := bytes + parts*partSize
	if b.ended || b.kept+cost > keptAtMost {
		return false
	}
	b.kept += cost
	return true
}

// ParseOnce has the transactions of a block parsed once until the function that it returns is called: envelopes, payloads, headers,
// transactions and what was endorsed. Until then nobody may change the block, nor what is parsed of it. A transaction that cannot be
// parsed is parsed each time.
func ParseOnce(data *common.BlockData) (end func()) {
	b := new(parsedBlock)
	size := 0
	for _, transaction := range data.GetData() {
		if size += len(transaction); size > parseOnceAtMost {
			break
		}
		b.add(transaction)
	}
	return b.end
}

func (b *parsedBlock) add(messages ...[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, encoded := range messages {
		if len(encoded) == 0 || !b.afford(0, 1) {
			continue
		}
		if _, there := onceParsed.LoadOrStore(&encoded[0], &encodedMessage{encoded: encoded, block: b}); !there {
			b.starts = append(b.starts, &encoded[0])
		}
	}
}

func (b *parsedBlock) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	for _, start := range b.starts {
		onceParsed.Delete(start)
	}
}

// keep has a parsed message kept, and what is inside of it parsed once too, unless this takes too much memory.
func (m *encodedMessage) keep(parsed any, parts int, inside [][]byte) {
	m.block.mu.Lock()
	affordable := m.block.afford(len(m.encoded), 1+parts)
	m.block.mu.Unlock()
	if affordable {
		m.parsed = parsed
		m.block.add(inside...)
	}
}

// ParsedOnce returns the message that parse makes of the encoded one. If that belongs to a block of ParseOnce, all callers get one message, and
// the messages that inside returns are parsed once too. It also returns how many elements the lists of the message have, those of lists below
// too. Without inside there are none.
func ParsedOnce[M any](encoded []byte, parse func([]byte) (*M, error), inside func(*M) (messages [][]byte, elements int)) (*M, error) {
	if len(encoded) == 0 {
		return parse(encoded)
	}
	found, _ := onceParsed.Load(&encoded[0])
	m, _ := found.(*encodedMessage)
	if m == nil || len(m.encoded) != len(encoded) {
		return parse(encoded)
	}
	m.once.Do(func() {
		if parsed, err := parse(encoded); err == nil {
			var messages [][]byte
			elements := 0
			if inside != nil {
				messages, elements = inside(parsed)
			}
			m.keep(parsed, elements, messages)
		}
	})
	if parsed, ok := m.parsed.(*M); ok {
		return parsed, nil
	}
	return parse(encoded) // which says why not, or makes another message of the same bytes
}

// GetEnvelopeFromBlock unmarshals a transaction of a block.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func GetEnvelopeFromBlock(data []byte) (*common.Envelope, error) {
	return ParsedOnce(data, upstreamGetEnvelopeFromBlock, insideEnvelope)
}

// UnmarshalEnvelope unmarshals an envelope.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func UnmarshalEnvelope(encoded []byte) (*common.Envelope, error) {
	return ParsedOnce(encoded, upstreamUnmarshalEnvelope, insideEnvelope)
}

func insideEnvelope(e *common.Envelope) ([][]byte, int) { return [][]byte{e.Payload}, 0 }

// UnmarshalPayload unmarshals a payload.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func UnmarshalPayload(encoded []byte) (*common.Payload, error) {
	return ParsedOnce(encoded, upstreamUnmarshalPayload, func(p *common.Payload) ([][]byte, int) {
		return [][]byte{p.Data, p.GetHeader().GetChannelHeader(), p.GetHeader().GetSignatureHeader()}, 0
	})
}

// UnmarshalChannelHeader unmarshals a channel header.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func UnmarshalChannelHeader(encoded []byte) (*common.ChannelHeader, error) {
	return ParsedOnce(encoded, upstreamUnmarshalChannelHeader, nil)
}

// UnmarshalSignatureHeader unmarshals a signature header.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func UnmarshalSignatureHeader(encoded []byte) (*common.SignatureHeader, error) {
	return ParsedOnce(encoded, upstreamUnmarshalSignatureHeader, nil)
}

// UnmarshalTransaction unmarshals a transaction.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func UnmarshalTransaction(encoded []byte) (*peer.Transaction, error) {
	return ParsedOnce(encoded, upstreamUnmarshalTransaction, func(t *peer.Transaction) ([][]byte, int) {
		if len(t.Actions) != 1 { // validation refuses it, and an entry takes far more than an empty action does
			return nil, len(t.Actions)
		}
		return [][]byte{t.Actions[0].GetPayload()}, 1
	})
}

// UnmarshalChaincodeActionPayload unmarshals the payload of a transaction's action.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func UnmarshalChaincodeActionPayload(encoded []byte) (*peer.ChaincodeActionPayload, error) {
	return ParsedOnce(encoded, upstreamUnmarshalChaincodeActionPayload, func(p *peer.ChaincodeActionPayload) ([][]byte, int) {
		return [][]byte{p.GetAction().GetProposalResponsePayload()}, len(p.GetAction().GetEndorsements())
	})
}

// UnmarshalProposalResponsePayload unmarshals what endorsers signed.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func UnmarshalProposalResponsePayload(encoded []byte) (*peer.ProposalResponsePayload, error) {
	return ParsedOnce(encoded, upstreamUnmarshalProposalResponsePayload, func(p *peer.ProposalResponsePayload) ([][]byte, int) {
		return [][]byte{p.Extension}, 0
	})
}

// UnmarshalChaincodeAction unmarshals the results of a chaincode.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func UnmarshalChaincodeAction(encoded []byte) (*peer.ChaincodeAction, error) {
	return ParsedOnce(encoded, upstreamUnmarshalChaincodeAction, func(a *peer.ChaincodeAction) ([][]byte, int) {
		return [][]byte{a.Results}, 0
	})
}
