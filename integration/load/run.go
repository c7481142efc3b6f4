// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
)

// seeds is the number of assets that evaluators read.
const seeds = 16

// callLimit bounds each exchange with the gateway.
const callLimit = time.Minute

// pauseAfterError keeps a worker from spinning while the network is down.
const pauseAfterError = 100 * time.Millisecond

// load is one measurement in progress.
type load struct {
	Settings
	contracts []*client.Contract // one of each connection
	recorder  *recorder
	tracker   *tracker
	prefix    string // of asset ids, so that runs do not meet
	payload   string
	next      atomic.Int64 // number of the next asset
}

// measure runs the load against a chaincode over one or more connections, the first of which follows the blocks, and returns
// what it measured. Progress goes to progress once a second.
func measure(ctx context.Context, s Settings, networks []*client.Network, chaincode string, processes []Process, progress io.Writer) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &load{
		Settings: s, prefix: "load-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-", payload: strings.Repeat("x", s.Payload),
	}
	for _, n := range networks {
		l.contracts = append(l.contracts, n.GetContract(chaincode))
	}
	start, err := l.seed(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	l.recorder = newRecorder(began.Add(s.WarmUp), began.Add(s.WarmUp+s.Duration))
	l.tracker = newTracker(l.recorder, s.CommitLimit)

	followed := make(chan error, 1)
	go func() {
		err := l.tracker.follow(ctx, networks[0], start)
		if err != nil {
			cancel() // without blocks there is nothing to measure
		}
		followed <- err
	}()
	usage := make(chan []ProcessUse, 1)
	go func() { usage <- watch(ctx, processes, l.recorder.from, l.recorder.to) }()
	go l.report(ctx, progress)

	l.runWorkers(ctx)
	uses := <-usage
	left := l.tracker.drain(ctx, s.Drain)
	broken := context.Cause(ctx)
	cancel()
	if err := <-followed; err != nil {
		return nil, err
	}
	if broken != nil {
		return nil, fmt.Errorf("interrupted: %w", broken)
	}
	return l.result(uses, left), nil
}

// seed creates the assets to read and returns the number of the first block after them.
func (l *load) seed(ctx context.Context) (uint64, error) {
	var last uint64
	var group sync.WaitGroup
	var mu sync.Mutex
	var failure error
	for i := range seeds {
		group.Go(func() {
			block, err := l.create(ctx, l.prefix+"seed-"+strconv.Itoa(i))
			mu.Lock()
			defer mu.Unlock()
			last, failure = max(last, block), errors.Join(failure, err)
		})
	}
	group.Wait()
	if failure != nil {
		return 0, fmt.Errorf("create the assets to read: %w", failure)
	}
	return last + 1, nil
}

func (l *load) create(ctx context.Context, id string) (uint64, error) {
	_, commit, err := l.contracts[0].SubmitAsyncWithContext(ctx, "CreateAsset", l.arguments(id))
	if err != nil {
		return 0, err
	}
	result, err := commit.StatusWithContext(ctx)
	if err != nil {
		return 0, err
	}
	if !result.Successful {
		return 0, fmt.Errorf("transaction %s is invalid: %s", result.TransactionID, result.Code)
	}
	return result.BlockNumber, nil
}

func (l *load) arguments(id string) client.ProposalOption {
	return client.WithArguments(id, l.payload, "1", "load", "1")
}

// runWorkers runs all workers until the window is over.
func (l *load) runWorkers(ctx context.Context) {
	ctx, cancel := context.WithDeadline(ctx, l.recorder.to)
	defer cancel()
	var workers sync.WaitGroup
	submit := l.submitClosed
	if l.Loop == loopOpen {
		submit = l.opener(ctx)
	}
	for i := range l.Submitters {
		contract := l.contracts[i%len(l.contracts)]
		workers.Go(func() {
			for ctx.Err() == nil {
				l.stepWithPause(ctx, func(ctx context.Context) error { return submit(ctx, contract) })
			}
		})
	}
	for i := range l.Evaluators {
		contract := l.contracts[i%len(l.contracts)]
		workers.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				l.stepWithPause(ctx, func(ctx context.Context) error { return l.evaluate(ctx, contract, n%seeds) })
			}
		})
	}
	expire := time.NewTicker(time.Second)
	defer expire.Stop()
	for ctx.Err() == nil {
		select {
		case now := <-expire.C:
			l.tracker.expire(now)
		case <-ctx.Done():
		}
	}
	workers.Wait()
}

// stepWithPause runs one step and pauses after an error.
func (l *load) stepWithPause(ctx context.Context, step func(context.Context) error) {
	if err := step(ctx); err == nil {
		return
	}
	select {
	case <-time.After(pauseAfterError):
	case <-ctx.Done():
	}
}

// opener returns the step of an open loop: it waits for its turn and for room among the uncommitted, endorses and submits.
// Latency counts from the turn, so that waiting for room in a slow network shows.
func (l *load) opener(ctx context.Context) func(context.Context, *client.Contract) error {
	room := make(chan struct{}, l.Uncommitted)
	began := time.Now()
	var turn atomic.Int64
	return func(ctx context.Context, contract *client.Contract) error {
		due := time.Now()
		if l.Rate > 0 {
			due = began.Add(time.Duration(float64(turn.Add(1)-1) / l.Rate * float64(time.Second)))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if l.Rate == 0 {
			due = time.Now() // without a rate a transaction is due when there is room for it
		}
		_, err := l.submit(ctx, contract, func(at time.Time, failure string) {
			if failure == "" {
				l.recorder.submitted(due, at)
			} else {
				l.recorder.failed(at, failure)
			}
			<-room
		})
		if err != nil {
			<-room
		}
		return err
	}
}

// submitClosed is the step of a closed loop.
func (l *load) submitClosed(ctx context.Context, contract *client.Contract) error {
	due := time.Now()
	// The commit status decides; that the block comes by as well matters for the throughput alone.
	commit, err := l.submit(ctx, contract, func(time.Time, string) {})
	if err != nil {
		return err
	}
	if commit == nil {
		l.recorder.submitted(due, time.Now())
		return nil
	}
	// The transaction is under way: its commit is awaited even when the window is over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Drain)
	defer cancel()
	result, err := commit.StatusWithContext(ctx)
	switch now := time.Now(); {
	case err != nil:
		l.recorder.failed(now, cause("commit status", err))
	case !result.Successful:
		l.recorder.failed(now, "commit: invalid, "+result.Code.String())
	default:
		l.recorder.submitted(due, now)
	}
	return err
}

// submit endorses and submits a transaction. Unless it returns an error, done is called once. It returns nil and no error
// when the call failed and the transaction came in a block nevertheless.
func (l *load) submit(ctx context.Context, contract *client.Contract, done outcome) (*client.Commit, error) {
	// Calls under way when the window ends are finished, so that none is left in doubt.
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	fail := func(step string, err error) (*client.Commit, error) {
		l.recorder.failed(time.Now(), cause(step, err))
		return nil, err
	}
	id := l.prefix + strconv.FormatInt(l.next.Add(1), 10)
	proposal, err := contract.NewProposal("CreateAsset", l.arguments(id))
	if err != nil {
		return fail("propose", err)
	}
	transaction, err := proposal.EndorseWithContext(call)
	if err != nil {
		return fail("endorse", err)
	}
	l.tracker.add(transaction.TransactionID(), done)
	commit, err := transaction.SubmitWithContext(call)
	if err != nil && l.tracker.drop(transaction.TransactionID()) {
		return fail("submit", err)
	}
	return commit, nil
}

func (l *load) evaluate(ctx context.Context, contract *client.Contract, seed int) error {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	began := time.Now()
	_, err := contract.EvaluateWithContext(call, "ReadAsset", client.WithArguments(l.prefix+"seed-"+strconv.Itoa(seed)))
	if err != nil {
		l.recorder.failed(time.Now(), cause("evaluate", err))
		return err
	}
	l.recorder.evaluated(began, time.Now())
	return nil
}

// report writes a line of progress each second.
func (l *load) report(ctx context.Context, out io.Writer) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case now := <-tick.C:
			l.recorder.mu.Lock()
			committed, evaluated, failed := l.recorder.committed, len(l.recorder.evaluations), 0
			for _, n := range l.recorder.errors {
				failed += n
			}
			l.recorder.mu.Unlock()
			phase := "measuring"
			switch {
			case now.Before(l.recorder.from):
				phase = "warming up"
			case !now.Before(l.recorder.to):
				phase = "draining"
			}
			fmt.Fprintf(out, "%4.0f s  %-10s  %d committed, %d uncommitted, %d evaluated, %d errors\n",
				now.Sub(began).Seconds(), phase, committed, l.tracker.open(), evaluated, failed)
		case <-ctx.Done():
			return
		}
	}
}
