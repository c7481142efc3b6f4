// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"fmt"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/protoutil"
)

// recountAfter is how long a full pool is not counted again. It may have 100,000 requests, and is locked while they are listed.
const recountAfter = 100 * time.Millisecond

// poolBound is how many bytes of requests clients can have in the pool of a channel, whose own bound is a number. Tests change it.
var poolBound = func(largest uint64) int { return max(256<<20, 4*int(largest)) }

// BFTChain gets a field.
//
//fork:fields fix: the pool of requests has a bound in bytes
type BFTChain struct {
	pending pending
}

// pending is an upper bound of the bytes in the pool, which does not tell its own.
type pending struct {
	sync.Mutex
	arriving int // of requests that wait for the pool to take or refuse them
	held     int // of those that it has taken, when it was counted and since
	counted  time.Time
}

// arrives says whether there is room for a request of size bytes, and takes the room. The pool is counted only when it seems to be full.
func (p *pending) arrives(size, most int, count func() int) error {
	p.Lock()
	defer p.Unlock()
	if p.arriving+p.held+size > most && time.Since(p.counted) >= recountAfter {
		p.held, p.counted = count(), time.Now()
	}
	if p.arriving+p.held+size > most {
		return fmt.Errorf("the pool of the channel has %d bytes of requests, and no room for %d more", p.arriving+p.held, size)
	}
	p.arriving += size
	return nil
}

func (p *pending) arrived(size int, err error) {
	p.Lock()
	defer p.Unlock()
	p.arriving -= size
	if err == nil {
		p.held += size
	}
}

// inPool has submit give a request to the pool if there is room in so many times the bound.
func (c *BFTChain) inPool(request []byte, times int, submit func() error) error {
	most := times * poolBound(c.RuntimeConfig.Load().(RuntimeConfig).BFTConfig.RequestBatchMaxBytes)
	if err := c.pending.arrives(len(request), most, c.countPool); err != nil {
		return err
	}
	err := submit()
	c.pending.arrived(len(request), err)
	return err
}

// countPool removes nothing: the pool can be walked only by judging its requests.
func (c *BFTChain) countPool() (size int) {
	c.consensus.Pool.Prune(func(request []byte) error {
		size += len(request)
		return nil
	})
	return size
}

// HandleRequest gives a leader a request that another consenter forwards. There is twice the room for these, so that clients who fill the
// pool of the leader do not have others complain about it.
//
//fork:wrap fix: the pool of requests has a bound in bytes
func (c *BFTChain) HandleRequest(sender uint64, req []byte) {
	err := c.inPool(req, 2, func() error {
		c.upstreamHandleRequest(sender, req)
		return nil
	})
	if err != nil {
		c.Logger.Warnf("Dropped a request of consenter %d: %v", sender, err)
	}
}

// toPool gives a request of a client to the pool from which proposals are made. A request that other consenters would forward, or
// refuse in a proposal, is judged by the same rule.
func (c *BFTChain) toPool(request []byte) error {
	if _, err := c.verifier.VerifyRequest(request); err != nil {
		return err
	}
	return c.inPool(request, 1, func() error { return c.consensus.SubmitRequest(request) })
}

// JudgeContent refuses what no proposal may have, so that its client is told that another attempt is in vain. The signature was
// judged by the channel's filters just before.
func (c *BFTChain) JudgeContent(env *cb.Envelope) error {
	request, err := proto.Marshal(env)
	if err != nil {
		return err
	}
	content := *c.verifier
	content.AccessController = judgedBefore{}
	_, err = content.VerifyRequest(request)
	return err
}

// judgedBefore is an AccessController that has nothing left to judge.
type judgedBefore struct{}

func (judgedBefore) Evaluate([]*protoutil.SignedData) error { return nil }
