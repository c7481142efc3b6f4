// SPDX-License-Identifier: Apache-2.0

// This file joins package smartbft in an orderer that is built for one test, and never shipped. There upstream's SendConsensus bears
// the name honestSendConsensus.
package smartbft

import (
	"os"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	protos "github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/protoutil"
)

// lieFile in the orderer's working directory makes it lie.
const lieFile = "lie"

// SendConsensus sends a message to another consenter. A leader that lies proposes two blocks at once, both of them valid: nodes
// with an even number get one without the last transaction.
func (e *Egress) SendConsensus(target uint64, m *protos.Message) {
	if honest := m.GetPrePrepare(); honest != nil && target%2 == 0 {
		if _, err := os.Stat(lieFile); err == nil {
			if other := withoutLast(honest); other != nil {
				e.Logger.Warnf("lies to consenter %d", target)
				m = &protos.Message{Content: &protos.Message_PrePrepare{PrePrepare: other}}
			}
		}
	}
	e.honestSendConsensus(target, m)
}

// withoutLast returns the proposal without the last transaction of its block, nil for a block that has one alone.
func withoutLast(honest *protos.PrePrepare) *protos.PrePrepare {
	tuple, data := &ByteBufferTuple{}, &cb.BlockData{}
	if tuple.FromBytes(honest.Proposal.Payload) != nil || proto.Unmarshal(tuple.A, data) != nil || len(data.Data) < 2 {
		return nil
	}
	block, err := ProposalToBlock(types.Proposal{Header: honest.Proposal.Header, Payload: honest.Proposal.Payload})
	if err != nil {
		return nil
	}
	data.Data = data.Data[:len(data.Data)-1]
	block.Header.DataHash = protoutil.ComputeBlockDataHash(data)
	tuple.A = protoutil.MarshalOrPanic(data)
	other := proto.Clone(honest).(*protos.PrePrepare)
	other.Proposal.Header = protoutil.BlockHeaderBytes(block.Header)
	other.Proposal.Payload = tuple.ToBytes()
	return other
}
