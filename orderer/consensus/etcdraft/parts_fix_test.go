// SPDX-License-Identifier: Apache-2.0

package etcdraft_test

import (
	"bytes"
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	. "github.com/onsi/gomega"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hyperledger/fabric/protoutil"
)

// TestMessagesOfManyParts: what would take many times its size in memory is refused before it is parsed, and what honest leaders send is not.
func TestMessagesOfManyParts(t *testing.T) {
	n := threeConsenters(t, 1, 2, 3)
	follower := n.chains[2]
	take := func(payload, metadata []byte) error {
		return follower.Consensus(&orderer.ConsensusRequest{Payload: payload, Metadata: metadata}, 3)
	}
	many := 1_000_000
	block := protoutil.NewBlock(7, nil)
	block.Data.Data = make([][]byte, many)
	voters := raftpb.Snapshot{Metadata: raftpb.SnapshotMetadata{ConfState: raftpb.ConfState{Voters: make([]uint64, many)}}}
	for text, m := range map[string]raftpb.Message{
		"field 9: field 1: field 2: more than ": {Snapshot: toField(raftpb.Snapshot{Data: protoutil.MarshalOrPanic(block)})},
		"field 9: field 2: 2000010 bytes ":      {Snapshot: toField(voters)},
	} {
		payload, err := m.Marshal()
		Expect(err).NotTo(HaveOccurred())
		Expect(take(payload, nil)).To(MatchError(ContainSubstring("is not parsed: " + text)))
	}
	empty := bytes.Repeat([]byte{7<<3 | 2, 0}, many)
	Expect(take(empty, nil)).To(MatchError(ContainSubstring("is not parsed: more than 96786 of field 7")))
	Expect(testing.AllocsPerRun(1, func() { _ = take(empty, nil) })).To(BeNumerically("<", 10_000))
	Expect(take(nil, make([]byte, 1<<20+1))).To(MatchError(ContainSubstring("is not parsed: metadata of 1048577 bytes")))
	nested := bytes.Repeat([]byte{14<<3 | 2, 0}, many)
	Expect(take(nested, nil)).To(MatchError(ContainSubstring("is not parsed: more than 1 of field 14")))
	Expect(take(append([]byte{14<<3 | 2, 100}, nested[:100]...), nil)).To(MatchError(ContainSubstring("is not parsed: field 14: 100 bytes are more than 1")))
	// gogo's parser takes this for field 7.
	disguised := append(protowire.AppendVarint(nil, 1<<35|7<<3|2), 0)
	Expect(take(bytes.Repeat(disguised, many), nil)).To(MatchError(ContainSubstring("invalid field number")))

	blocks := make([]raftpb.Entry, 200_000)
	header := protoutil.MarshalOrPanic(&common.Block{Header: &common.BlockHeader{PreviousHash: make([]byte, 32), DataHash: make([]byte, 32)}})
	for i := range blocks {
		blocks[i] = raftpb.Entry{Term: 1, Index: uint64(i), Data: header}
	}
	for _, entries := range [][]raftpb.Entry{make([]raftpb.Entry, 1<<16), blocks} {
		payload, err := (&raftpb.Message{Type: raftpb.MsgApp, Entries: entries}).Marshal()
		Expect(err).NotTo(HaveOccurred())
		Expect(take(payload, nil)).To(MatchError(ContainSubstring("sends in the name of 0")), "Raft's own checks come next")
	}
}
