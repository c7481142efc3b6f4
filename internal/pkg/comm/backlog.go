// SPDX-License-Identifier: Apache-2.0

package comm

import "sync"

// maxAhead bounds what is read from a client while a write to it does not end,
// because it takes no answers. gRPC keeps up to 10,000 frames that ask for an
// answer for each connection, such as SETTINGS of 16 KiB. A write that waits goes
// on when a third of the system's buffer is free, of at most 4 MiB as a rule:
// with less than about that a slow line that is busy both ways would be idle
// one way.
const maxAhead = 1 << 20

// backlog makes the reading of a connection wait where too much was read since
// a write began that has not ended. It is for the server's end alone: if both
// ends did so, each could wait for the other.
type backlog struct {
	mu      sync.Mutex
	ended   sync.Cond // of mu, which is its L: a write has ended
	writing bool      // protected by mu, as the next
	ahead   int       // bytes read since the write began
}

func newBacklog() *backlog {
	b := new(backlog)
	b.ended.L = &b.mu
	return b
}

// begin and end enclose a write.
func (b *backlog) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing, b.ahead = true, 0
}

func (b *backlog) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing = false
	b.ended.Broadcast()
}

// wait returns when more may be read. The close of the connection ends the
// write, and so the waiting.
func (b *backlog) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.writing && b.ahead >= maxAhead {
		b.ended.Wait()
	}
}

// took counts bytes that were read.
func (b *backlog) took(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead += n
}
