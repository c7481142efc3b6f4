// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"container/heap"
	"context"
	"runtime"
	"sync"
	"time"
)

// places bound the handshakes that compute at the same time, and share the
// processors out among the addresses that they come from: the next place goes to
// the address that has had the least of late (start-time fair queueing), so that
// an address with one handshake does not wait behind those of another with
// thousands. A place is held only while a handshake computes, never while it
// waits for the network. A client that has answered the server's flight goes
// before all that begin, once.
type places struct {
	now func() time.Time

	mu      sync.Mutex
	free    int                      // protected by mu, as all below
	waiting placeQueue               // empty while there are free places
	order   uint64                   // of the latest to come
	virtual time.Duration            // start of the latest that was served
	ends    map[string]time.Duration // by source: where its next one starts, if later than virtual
}

// placeEstimate stands for the time that a computation takes until it is known.
const placeEstimate = time.Millisecond

// handshakePlaces are those of all listeners of the process.
var handshakePlaces = newPlaces(runtime.GOMAXPROCS(0))

func newPlaces(n int) *places {
	return &places{now: time.Now, free: n, ends: make(map[string]time.Duration)}
}

// place is the right of one source to compute.
type place struct {
	source string
	since  time.Time
	first  bool          // comes before those that are not, once for each handshake
	start  time.Duration // in virtual time
	order  uint64
	ready  chan struct{} // closed when the place is given
	index  int           // in the queue; -1: not there
}

// take waits for a place of the source until ctx ends, ahead of others with first.
func (p *places) take(ctx context.Context, source string, first bool) (*place, error) {
	w := p.queue(source, first)
	if w.ready == nil {
		return w, nil
	}
	select {
	case <-w.ready:
		w.since = p.now()
		return w, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	if w.index >= 0 {
		heap.Remove(&p.waiting, w.index)
		p.settleLocked(w, 0)
		p.mu.Unlock()
		return nil, context.Cause(ctx)
	}
	p.mu.Unlock() // it was given a place in this moment
	w.since = p.now()
	p.leave(w)
	return nil, context.Cause(ctx)
}

// queue gives the source a place, or one in the queue with a channel to wait for.
func (p *places) queue(source string, first bool) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order++
	w := &place{source: source, first: first, since: p.now(), start: max(p.virtual, p.ends[source]), order: p.order, index: -1}
	if _, known := p.ends[source]; !known && len(p.ends) >= maxSources {
		clear(p.ends) // what they had is forgotten
	}
	p.ends[source] = w.start + placeEstimate
	if p.free > 0 {
		p.free--
		p.virtual = max(p.virtual, w.start)
		return w
	}
	w.ready = make(chan struct{})
	heap.Push(&p.waiting, w)
	return w
}

// leave gives a place back.
func (p *places) leave(w *place) {
	used := p.now().Sub(w.since)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settleLocked(w, used)
	if len(p.waiting) == 0 {
		p.free++
		return
	}
	next := heap.Pop(&p.waiting).(*place)
	p.virtual = max(p.virtual, next.start)
	close(next.ready)
}

// settleLocked puts what was used in the place of the estimate.
func (p *places) settleLocked(w *place, used time.Duration) {
	end, ok := p.ends[w.source]
	if end += used - placeEstimate; ok && end > p.virtual {
		p.ends[w.source] = end
	} else {
		delete(p.ends, w.source)
	}
}

// placeQueue is a heap of those that wait, the next one first.
type placeQueue []*place

func (q placeQueue) Len() int { return len(q) }

func (q placeQueue) Less(i, j int) bool {
	if q[i].first != q[j].first {
		return q[i].first
	}
	if q[i].start != q[j].start {
		return q[i].start < q[j].start
	}
	return q[i].order < q[j].order
}

func (q placeQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push adds the last one.
func (q *placeQueue) Push(x any) {
	w := x.(*place)
	w.index = len(*q)
	*q = append(*q, w)
}

// Pop removes the last one.
func (q *placeQueue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	w.index = -1
	return w
}
