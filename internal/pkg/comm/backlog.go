// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"sync"
	"time"
)

// writeBatch is the number of bytes that gRPC collects for a write. It writes fewer
// only when it has nothing left to send.
const writeBatch = 32 << 10

// maxBacklog bounds the frames that gRPC may have to answer, beside those of one
// read, while the client does not take what is being written. gRPC itself reads on:
// without bound where a frame ends the connection, to 10,000 frames otherwise, each
// of which may hold a call with its header fields.
const maxBacklog = 256

// afterWrite is how long a reader that has waited for a write gives gRPC to begin
// the next one.
const afterWrite = time.Millisecond

// backlog is what gRPC may have left to send, as far as the frames of the
// connection tell.
type backlog struct {
	mu      sync.Mutex
	frames  int           // that came since gRPC had nothing left; protected by mu, as all below
	writing chan struct{} // closed at the end of the write under way; nil: none is
	partial bool          // the last write began with all that was left
}

// came counts a frame that is to be answered.
func (b *backlog) came() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frames++
}

// begin notes that n bytes are being written, until done is called. It reports
// whether they are all that was left.
func (b *backlog) begin(n int) (all bool, done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	writing := make(chan struct{})
	b.writing, b.partial = writing, n < writeBatch
	if b.partial {
		b.frames = 0
	}
	return b.partial, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.writing = nil
		close(writing)
	}
}

// wait waits while too much is left. It reports whether nothing is. The client
// ends the wait by taking what is written, for which it needs no further frame.
func (b *backlog) wait() (none bool) {
	for {
		b.mu.Lock()
		writing, frames := b.writing, b.frames
		if none = writing == nil && b.partial; none {
			b.frames = 0
		}
		b.mu.Unlock()
		if writing == nil || frames <= maxBacklog {
			return none && frames > 0
		}
		<-writing
		time.Sleep(afterWrite)
	}
}
