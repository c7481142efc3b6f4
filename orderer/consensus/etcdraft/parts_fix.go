// SPDX-License-Identifier: Apache-2.0

package etcdraft

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go/orderer"

	"github.com/hyperledger/fabric/internal/wireform"
)

const (
	// smallParts is how many entries, or transactions of a snapshot's block, a message may have of any size. Beyond it they have to have
	// smallPart bytes on average: a block's header alone has more, as has an envelope with a signature.
	smallParts = 1 << 16
	smallPart  = 64
	// membersBytes bounds the numbers of consenters that a message lists. Honest ones have some eleven bytes for each consenter.
	membersBytes = 1 << 20
)

// Consensus takes a message of another consenter if it is not made of more parts than honest ones can have. An empty entry takes two bytes
// in a message, and forty-eight in memory.
//
//fork:wrap fix: one consenter cannot exhaust the memory of others by messages of empty entries
func (c *Chain) Consensus(req *orderer.ConsensusRequest, sender uint64) error {
	if err := checkParts(req); err != nil {
		return fmt.Errorf("a message of consenter %d is not parsed: %w", sender, err)
	}
	return c.upstreamConsensus(req, sender)
}

func checkParts(req *orderer.ConsensusRequest) error {
	if size := len(req.GetMetadata()); size > membersBytes {
		return fmt.Errorf("metadata of %d bytes", size)
	}
	many := wireform.Field{Most: smallParts + len(req.GetPayload())/smallPart}
	list := wireform.Field{Inside: wireform.Fields{1: many}}
	block := wireform.Field{Inside: wireform.Fields{2: list, 3: list}} // data and metadata
	snapshot := wireform.Field{Inside: wireform.Fields{1: block, 2: {Bytes: membersBytes}}}
	// Newer versions of Raft have a field for messages in a message, as deep as one likes. Consenters send none.
	return wireform.Fields{7: many, 9: snapshot, 14: {Most: 1, Bytes: 1}}.Check(req.GetPayload())
}
