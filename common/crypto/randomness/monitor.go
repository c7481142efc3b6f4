// SPDX-License-Identifier: Apache-2.0

package randomness

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// The tests of each byte in use, as in SP 800-90B, 4.4, and GB/T 37092. Each number is so large that a good generator
// fails less than once in 2^64 bytes.
const (
	repeated  = 9   // equal bytes in a row
	window    = 512 // bytes, of which so many may equal the first:
	equalMost = 26
	block     = 16 // bytes of a block that is compared with the one before
)

// Errors of a Monitor.
var (
	ErrRepeats = errors.New("random bytes repeat: nine in a row are equal")
	ErrUneven  = errors.New("random bytes are uneven: too many of 512 are equal")
	ErrBlocks  = errors.New("random bytes repeat: two blocks, one after the other, are equal")
)

// OnFailure is called with the reason when a Monitor stops giving bytes, once for each Monitor. Set it before the first byte is read.
var OnFailure = func(error) {}

// Monitor is a generator that tests each byte before it gives it out. After a test has failed, or after Fail, it gives no more bytes.
// After a failure of the source itself it continues when the source does.
type Monitor struct {
	r io.Reader

	mu    sync.Mutex
	err   error       // the rest is protected by mu
	last  byte        // with how many times it came
	run   int         //
	first byte        // of the window, with how many of its bytes are equal
	seen  int         // bytes of the window
	equal int         //
	start [block]byte // of the last read that was so long
	any   bool        // whether there was one
}

// NewMonitor returns a Monitor of what r gives.
func NewMonitor(r io.Reader) *Monitor { return &Monitor{r: r} }

// Read fills p or fails, and then p holds zeros.
func (m *Monitor) Read(p []byte) (int, error) {
	_, err := io.ReadFull(m.r, p)
	if err == nil {
		err = m.Judge(p)
	}
	if err != nil {
		clear(p)
		return 0, err
	}
	return len(p), nil
}

// Err returns the reason why the monitor gives no bytes, or nil.
func (m *Monitor) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Fail makes the monitor give no more bytes.
func (m *Monitor) Fail(err error) {
	m.mu.Lock()
	first := m.err == nil
	if first {
		m.err = err
	}
	m.mu.Unlock()
	if first {
		OnFailure(err)
	}
}

// Judge puts bytes to the tests that have come on another way than by Read; they may not be used if it fails. Readers at the same time are
// judged one after the other, in any order.
func (m *Monitor) Judge(p []byte) error {
	m.mu.Lock()
	first := false
	if m.err == nil { // set before another reader's turn
		m.err = m.testLocked(p)
		first = m.err != nil
	}
	err := m.err
	m.mu.Unlock()
	if first {
		OnFailure(err)
	}
	return err
}

func (m *Monitor) testLocked(p []byte) error {
	for _, b := range p {
		if b != m.last {
			m.run = 0
		}
		m.last = b
		if m.run++; m.run == repeated {
			return ErrRepeats
		}
		if m.seen == 0 {
			m.first, m.equal = b, 0
		}
		if b == m.first {
			if m.equal++; m.equal > equalMost {
				return ErrUneven
			}
		}
		m.seen = (m.seen + 1) % window
	}
	if len(p) < block {
		return nil
	}
	if m.any && bytes.Equal(m.start[:], p[:block]) {
		return ErrBlocks // a device that answers the same to each call
	}
	m.any = true
	copy(m.start[:], p)
	for ; len(p) >= 2*block; p = p[block:] {
		if bytes.Equal(p[:block], p[block:2*block]) {
			return ErrBlocks
		}
	}
	return nil
}
