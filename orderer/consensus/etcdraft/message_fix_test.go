// SPDX-License-Identifier: Apache-2.0

//fork:file fix: no message that Raft does not send among honest consenters ends a consenter or halts its chain

package etcdraft_test

import (
	"math"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	. "github.com/onsi/gomega"
	"go.etcd.io/etcd/raft/v3/raftpb"

	"github.com/hyperledger/fabric/protoutil"
)

func (c *chain) takes(sender uint64, m raftpb.Message) error {
	payload, err := m.Marshal()
	Expect(err).NotTo(HaveOccurred())
	return c.Consensus(&orderer.ConsensusRequest{Channel: "handover", Payload: payload}, sender)
}

// TestFalseMessagesOfRaft: each of these ended the node that took it, halted its chain or spent its terms.
func TestFalseMessagesOfRaft(t *testing.T) {
	n := threeConsenters(t, 1, 2, 3)
	leader, follower := n.chains[1], n.chains[2]
	term := leader.Node.Status().Term
	last := uint64(1000)
	block := protoutil.NewBlock(7, nil)
	block.Data.Data = [][]byte{{1}}
	snapshot := func(data []byte, index uint64, voters ...uint64) snapshotField {
		return toField(raftpb.Snapshot{Data: data, Metadata: raftpb.SnapshotMetadata{Index: index, Term: term, ConfState: raftpb.ConfState{Voters: voters}}})
	}
	good := protoutil.MarshalOrPanic(block)
	value := protoutil.MarshalOrPanic(&common.Metadata{Value: protoutil.MarshalOrPanic(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: 1}})})
	bare := protoutil.MarshalOrPanic(&common.Block{Header: block.Header, Data: block.Data, Metadata: &common.BlockMetadata{Metadata: [][]byte{value}}})
	headless := protoutil.MarshalOrPanic(&common.Block{Data: block.Data, Metadata: block.Metadata})
	empty := protoutil.MarshalOrPanic(&common.Block{Header: block.Header, Metadata: block.Metadata})
	unread := protoutil.NewBlock(7, nil)
	unread.Data.Data = block.Data.Data
	unread.Metadata.Metadata[common.BlockMetadataIndex_SIGNATURES] = []byte("garbage")
	for name, m := range map[string]raftpb.Message{
		"in another's name":            {Type: raftpb.MsgHeartbeat, From: 1, To: 2, Term: term},
		"for another":                  {Type: raftpb.MsgHeartbeat, From: 3, To: 9, Term: term},
		"votes of no term":             {Type: raftpb.MsgVote, From: 3, To: 2},
		"entries of no term":           {Type: raftpb.MsgApp, From: 3, To: 2, Index: 1, LogTerm: 1},
		"a leader of no term":          {Type: raftpb.MsgHeartbeat, From: 3, To: 2},
		"the last term":                {Type: raftpb.MsgVote, From: 3, To: 2, Term: math.MaxUint64, Context: []byte("CampaignTransfer")},
		"a proposal":                   {Type: raftpb.MsgProp, From: 3, To: 2, Term: term},
		"a read":                       {Type: raftpb.MsgReadIndex, From: 3, To: 2, Term: term},
		"commits what is not there":    {Type: raftpb.MsgHeartbeat, From: 3, To: 2, Term: term, Commit: last},
		"appends behind the end":       {Type: raftpb.MsgApp, From: 3, To: 2, Term: term, Index: last, Commit: last},
		"entry of another index":       {Type: raftpb.MsgApp, From: 3, To: 2, Term: term, Index: 1, LogTerm: 1, Entries: []raftpb.Entry{{Index: 1, Term: 1}}},
		"entry without a term":         {Type: raftpb.MsgApp, From: 3, To: 2, Term: term, Index: 1, LogTerm: 1, Entries: []raftpb.Entry{{Index: 2}}},
		"snapshot of no entry":         {Type: raftpb.MsgSnap, From: 3, To: 2, Term: term, Snapshot: snapshot(good, 0, 1, 2, 3)},
		"snapshot that is no block":    {Type: raftpb.MsgSnap, From: 3, To: 2, Term: term, Snapshot: snapshot([]byte("garbage"), last, 1, 2, 3)},
		"snapshot without metadata":    {Type: raftpb.MsgSnap, From: 3, To: 2, Term: term, Snapshot: snapshot(bare, last, 1, 2, 3)},
		"snapshot without a header":    {Type: raftpb.MsgSnap, From: 3, To: 2, Term: term, Snapshot: snapshot(headless, last, 1, 2, 3)},
		"snapshot without data":        {Type: raftpb.MsgSnap, From: 3, To: 2, Term: term, Snapshot: snapshot(empty, last, 1, 2, 3)},
		"snapshot with false metadata": {Type: raftpb.MsgSnap, From: 3, To: 2, Term: term, Snapshot: snapshot(protoutil.MarshalOrPanic(unread), last, 1, 2, 3)},
		"snapshot with one node twice": {Type: raftpb.MsgSnap, From: 3, To: 2, Term: term, Snapshot: snapshot(good, last, 1, 2, 2)},
	} {
		Expect(follower.takes(3, m)).NotTo(Succeed(), name)
	}
	Expect(leader.takes(3, raftpb.Message{Type: raftpb.MsgAppResp, From: 3, To: 1, Term: term, Index: math.MaxUint64})).NotTo(Succeed())
	Expect(leader.takes(3, raftpb.Message{Type: raftpb.MsgProp, From: 3, To: 1, Term: term})).NotTo(Succeed())

	Expect(leader.Order(transaction("still there"), 0)).To(Succeed())
	for id, c := range n.chains {
		Eventually(c.written, LongEventualTimeout).Should(Equal([]string{"still there"}), "node %d", id)
		Expect(c.Node.Status().Term).To(Equal(term), "node %d", id)
	}
}

// TestRenumberedConsenter: a node that others know by another number halts when it has been without a leader for long, and not earlier.
func TestRenumberedConsenter(t *testing.T) {
	n := threeConsenters(t, 1, 2, 3)
	c := n.chains[2]
	renumbered := raftpb.Message{Type: raftpb.MsgHeartbeat, From: 3, To: 9, Term: 1}
	Eventually(func() error { return c.Order(transaction("led"), 0) }, LongEventualTimeout).Should(Succeed())
	Expect(c.takes(3, renumbered)).NotTo(Succeed())
	n.disconnect(2)
	Eventually(func() error {
		c.clock.Increment(interval)
		return c.Order(transaction("no leader"), 0)
	}, LongEventualTimeout, 20*time.Millisecond).Should(MatchError("no Raft leader"))

	Expect(c.takes(3, renumbered)).NotTo(Succeed())
	c.clock.Increment(3 * ELECTION_TICK * interval)
	Expect(c.takes(3, renumbered)).NotTo(Succeed())
	Expect(c.WaitReady()).To(Succeed())
	c.clock.Increment(ELECTION_TICK * interval)
	renumbered.From = 1
	Expect(c.takes(3, renumbered)).NotTo(Succeed())
	Expect(c.WaitReady()).To(Succeed())
	renumbered.From = 3
	Expect(c.takes(3, renumbered)).To(Succeed())
	Expect(c.WaitReady()).NotTo(Succeed())
}
