// SPDX-License-Identifier: Apache-2.0

//fork:file fix: what a leader has accepted reaches the next leader

package etcdraft

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric/protoutil"
	"go.etcd.io/etcd/raft/v3"
)

// retryInterval is the pause before a block is proposed again, or an envelope is submitted again.
const retryInterval = 50 * time.Millisecond

// The count of what HandOver waits for: the proposing goroutine of a leader, and envelopes on their way to the next leader. For the
// messages of other consenters: when one for another number was first seen while no leader is known, and the term up to which they are
// taken without asking Raft.
//
//fork:fields fix: a leader that steps down submits what it has accepted and not proposed to the next leader; one consenter cannot halt the chains of others or spend the terms of a channel
type Chain struct {
	unsettled    atomic.Int64
	misaddressed atomic.Int64
	termsUpTo    atomic.Uint64
}

// leading is the context in which this node proposes blocks as a leader. notProposed ends what it begins.
func (c *Chain) leading() (context.Context, context.CancelFunc) {
	c.unsettled.Add(1)
	return context.WithCancel(context.Background())
}

// proposeAgain proposes a block until raft takes it or ctx ends. Raft drops proposals while leadership is being transferred; if the
// transfer fails, this node continues to lead, and the next block must not leave a gap.
func (c *Chain) proposeAgain(ctx context.Context, data []byte) error {
	for {
		err := c.Node.Propose(ctx, data)
		if !errors.Is(err, raft.ErrProposalDropped) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryInterval):
		}
	}
}

// notProposed is called once when this node ends proposing: the envelopes of a block that raft did not take and of those in the queue
// go to the next leader.
func (c *Chain) notProposed(block *common.Block, queue <-chan *common.Block) {
	defer c.unsettled.Add(-1)
	var envelopes []*common.Envelope
	for {
		if block != nil {
			envelopes = append(envelopes, c.envelopes(block)...)
		}
		select {
		case block = <-queue:
		default:
			c.resubmit(envelopes)
			return
		}
	}
}

// envelopes are the transactions of a block of this node's making.
func (c *Chain) envelopes(block *common.Block) []*common.Envelope {
	list := make([]*common.Envelope, 0, len(block.Data.Data))
	for _, data := range block.Data.Data {
		envelope, err := protoutil.UnmarshalEnvelope(data)
		if err != nil {
			c.logger.Panicf("Block [%d] of this node's making cannot be read: %s", block.Header.Number, err)
		}
		list = append(list, envelope)
	}
	return list
}

// resubmit submits envelopes again in their order, in the background. Clients have been told that they are accepted. They are validated
// again where they are ordered, since the configuration may have changed.
func (c *Chain) resubmit(envelopes []*common.Envelope) {
	if len(envelopes) == 0 {
		return
	}
	c.logger.Infof("Submitting %d transactions again, which this node accepted as a leader and did not propose", len(envelopes))
	c.unsettled.Add(1)
	go func() {
		defer c.unsettled.Add(-1)
		deadline := time.Now().Add(2 * c.electionTimeout())
		for i, envelope := range envelopes {
			if err := c.resubmitOne(envelope, deadline); err != nil {
				c.logger.Warnf("%d transactions that this node accepted as a leader are lost: %s", len(envelopes)-i, err)
				return
			}
		}
	}()
}

// resubmitOne tries until there is a leader that takes the envelope, the chain ends or time is up.
func (c *Chain) resubmitOne(envelope *common.Envelope, deadline time.Time) error {
	for {
		err := c.Submit(&orderer.SubmitRequest{Payload: envelope, Channel: c.channelID}, 0)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-c.doneC:
			return err
		case <-time.After(retryInterval):
		}
	}
}

func (c *Chain) electionTimeout() time.Duration {
	return time.Duration(c.opts.ElectionTick) * c.opts.TickInterval
}

// HandOver makes a node that is about to stop give its leadership to another, so that ordering continues at once instead of after an
// election timeout. It returns when the next leader has what this one had accepted, or after two election timeouts.
func (c *Chain) HandOver() {
	if c.isRunning() != nil || atomic.LoadUint64(&c.lastKnownLeader) != c.raftID {
		return
	}
	if err := c.Node.abdicateLeadership(); err != nil {
		c.logger.Warnf("Stopping without a successor as leader: %s", err)
		return
	}
	for deadline := time.Now().Add(c.electionTimeout()); c.unsettled.Load() > 0 && time.Now().Before(deadline); {
		select {
		case <-c.doneC:
			return
		case <-time.After(retryInterval):
		}
	}
}
