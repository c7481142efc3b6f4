// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// tracker follows blocks and tells which transactions of ours they hold.
type tracker struct {
	recorder *recorder
	limit    time.Duration // to wait for a commit

	mu      sync.Mutex          // guards all below
	pending map[string]*pending // by transaction id
	lost    int                 // transactions given up
}

// pending is a transaction whose commit is not known yet.
type pending struct {
	began time.Time
	done  outcome
}

// outcome is called once, when a transaction is in a block or given up; failure is empty for one that is valid.
type outcome func(at time.Time, failure string)

func newTracker(r *recorder, limit time.Duration) *tracker {
	return &tracker{recorder: r, limit: limit, pending: map[string]*pending{}}
}

// add announces a transaction; it must come before the transaction is submitted, or its block may pass unseen.
func (t *tracker) add(id string, done outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending[id] = &pending{began: time.Now(), done: done}
}

// drop takes a transaction back whose submission failed. It returns false when there was an outcome already.
func (t *tracker) drop(id string) bool { return t.take(id) != nil }

func (t *tracker) take(id string) *pending {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pending[id]
	delete(t.pending, id)
	return p
}

// open is the number of transactions whose commit is not known.
func (t *tracker) open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.pending)
}

// handle notes the transactions of a block that are ours.
func (t *tracker) handle(block *peer.FilteredBlock) {
	now, valid := time.Now(), 0
	for _, tx := range block.GetFilteredTransactions() {
		p := t.take(tx.GetTxid())
		switch code := tx.GetTxValidationCode(); {
		case p == nil:
		case code == peer.TxValidationCode_VALID:
			valid++
			p.done(now, "")
		default:
			p.done(now, "commit: invalid, "+code.String())
		}
	}
	t.recorder.block(now, valid)
}

// expire gives transactions up that are older than the limit.
func (t *tracker) expire(now time.Time) {
	t.mu.Lock()
	var old []*pending
	for id, p := range t.pending {
		if now.Sub(p.began) > t.limit {
			old = append(old, p)
			delete(t.pending, id)
			t.lost++
		}
	}
	t.mu.Unlock()
	for _, p := range old {
		p.done(now, fmt.Sprintf("commit: not seen in a block within %s", t.limit))
	}
}

// follow reads blocks from start on until ctx ends. A stream that breaks is opened again at the next block, as often as it
// takes; only that the first attempt fails, or that blocks come out of order, is an error.
func (t *tracker) follow(ctx context.Context, network *client.Network, start uint64) error {
	for opened := false; ctx.Err() == nil; {
		blocks, err := network.FilteredBlockEvents(ctx, client.WithStartBlock(start))
		switch {
		case err == nil:
			opened = true
			if err := t.read(blocks, &start); err != nil {
				return err
			}
		case !opened && ctx.Err() == nil:
			return fmt.Errorf("follow blocks: %w", err)
		default:
			t.recorder.failed(time.Now(), cause("follow blocks", err))
		}
		select {
		case <-time.After(pauseAfterError):
		case <-ctx.Done():
		}
	}
	return nil
}

// read handles the blocks of one stream to its end; next is the number of the next block.
func (t *tracker) read(blocks <-chan *peer.FilteredBlock, next *uint64) error {
	for block := range blocks {
		if block.GetNumber() != *next {
			return fmt.Errorf("follow blocks: block %d came where %d was due", block.GetNumber(), *next)
		}
		*next++
		t.handle(block)
	}
	return nil
}

// drain waits until nothing is pending or the time is over, and returns how many transactions have no known outcome,
// those given up earlier included.
func (t *tracker) drain(ctx context.Context, limit time.Duration) int {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for t.open() > 0 && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost + len(t.pending)
}
