// SPDX-License-Identifier: Apache-2.0

//fork:file fix: no message that Raft does not send among honest consenters ends a consenter or halts its chain

package etcdraft

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/hyperledger/fabric-protos-go/common"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"

	"github.com/hyperledger/fabric/protoutil"
)

const (
	// termReach is by how much a message may exceed this node's term. A term is kept for ever, and Raft ends when the number overflows.
	termReach = 1 << 20
	// renumberedAfter is how many election timeouts a node waits for a leader before it believes others that it has another number.
	renumberedAfter = 4
)

// renumbered reports whether this node has another number by now, as one that was removed and added again while it was away. It must halt
// then, to find out its number. Since nobody sends to the old one, it has no leader; a node that has one is not halted by another's word, and
// any message then ends the wait.
func (c *Chain) renumbered(m *raftpb.Message, sender uint64) bool {
	if atomic.LoadUint64(&c.lastKnownLeader) != raft.None {
		c.misaddressed.Store(0)
		return false
	}
	if m.To == c.raftID || m.From != sender {
		return false
	}
	now := c.clock.Now().UnixNano()
	if c.misaddressed.CompareAndSwap(0, now) {
		return false
	}
	return now-c.misaddressed.Load() >= int64(renumberedAfter*c.electionTimeout())
}

// step gives Raft a message of another consenter. Raft trusts them: it panics where a message contradicts what it knows.
func (c *Chain) step(m raftpb.Message, sender uint64) error {
	if err := c.checkEnvelope(&m, sender); err != nil {
		return err
	}
	if err := c.checkContent(&m); err != nil {
		return fmt.Errorf("%s from %d: %w", m.Type, sender, err)
	}
	return c.Node.Step(context.TODO(), m)
}

func (c *Chain) checkEnvelope(m *raftpb.Message, sender uint64) error {
	switch {
	case m.From != sender:
		return fmt.Errorf("consenter %d sends in the name of %d", sender, m.From)
	case m.To != c.raftID:
		return fmt.Errorf("consenter %d sends a message for %d to %d", sender, m.To, c.raftID)
	case m.Term == 0 && m.Type != raftpb.MsgTimeoutNow && m.Type != raftpb.MsgHeartbeatResp:
		// Raft takes it for its own, forgets its vote, or panics when it answers. The two do nothing of this; upstream's tests send them so.
		return fmt.Errorf("consenter %d sends a message of no term", sender)
	case !c.termInReach(m.Term):
		return fmt.Errorf("consenter %d sends a message of term %d, which is too far ahead", sender, m.Term)
	}
	return nil
}

// termInReach asks Raft for its term only when a message exceeds what was known to be in reach.
func (c *Chain) termInReach(term uint64) bool {
	if term <= c.termsUpTo.Load() {
		return true
	}
	bound := c.Node.Status().Term + termReach
	c.termsUpTo.Store(bound)
	return term <= bound
}

// checkContent refuses types that consenters do not send each other, proposals and reads among them.
func (c *Chain) checkContent(m *raftpb.Message) error {
	switch m.Type {
	case raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp, raftpb.MsgHeartbeatResp, raftpb.MsgTimeoutNow:
		return nil
	case raftpb.MsgAppResp:
		if last := c.Node.lastIndex(); !m.Reject && m.Index > last {
			return fmt.Errorf("entry %d is acknowledged, and the last is %d", m.Index, last)
		}
		return nil
	case raftpb.MsgHeartbeat:
		if last := c.Node.lastIndex(); m.Commit > last {
			return fmt.Errorf("entry %d is committed, and the last is %d: false, or this node has lost its WAL, and has to be removed from the channel and added again", m.Commit, last)
		}
		return nil
	case raftpb.MsgApp:
		return checkEntries(m)
	case raftpb.MsgSnap:
		return checkSnapshot(snapshotOf(m))
	}
	return errors.New("consenters send no such message")
}

// checkEntries wants entries without gaps behind one that exists. Term 0 is that of entries that do not exist, with which Raft finds
// any index in its log.
func checkEntries(m *raftpb.Message) error {
	if m.Index != 0 && m.LogTerm == 0 {
		return fmt.Errorf("entry %d has no term", m.Index)
	}
	for i := range m.Entries {
		if e := &m.Entries[i]; e.Index != m.Index+1+uint64(i) || e.Term == 0 {
			return fmt.Errorf("entry %d of term %d is not the next one", e.Index, e.Term)
		}
	}
	return nil
}

// checkSnapshot wants what each node reads of a snapshot again at its start: a block, and consenters that are a set.
func checkSnapshot(s *raftpb.Snapshot) error {
	if s == nil || s.Metadata.Index == 0 || s.Metadata.Term == 0 {
		return errors.New("the snapshot is of no entry")
	}
	state := &s.Metadata.ConfState
	if len(state.Learners)+len(state.VotersOutgoing)+len(state.LearnersNext) > 0 || state.AutoLeave {
		return errors.New("the snapshot has other nodes than consenters")
	}
	voters := map[uint64]bool{raft.None: true}
	for _, id := range state.Voters {
		if voters[id] {
			return fmt.Errorf("the snapshot has the consenter %d twice, or it is none", id)
		}
		voters[id] = true
	}
	block, err := protoutil.UnmarshalBlock(s.Data)
	if err != nil {
		return err
	}
	if block.Header == nil || block.Data == nil || len(block.GetMetadata().GetMetadata()) <= int(common.BlockMetadataIndex_ORDERER) {
		return errors.New("the block of the snapshot lacks header, data or metadata")
	}
	_, err = protoutil.GetConsenterMetadataFromBlock(block)
	return err
}
