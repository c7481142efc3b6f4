// SPDX-License-Identifier: Apache-2.0

package server

import (
	"log/slog"
	"sync"
	"time"
)

// Bounds of what one user can take, so that it leaves the others theirs.
const (
	maxConns = 512 // eight processes with as many operations as each may have under way
	maxLarge = 2   // messages above a few KiB in memory at a time
	maxLines = 20  // of the log in a second
)

// share is what one user takes.
type share struct {
	conns, large chan struct{} // one element for each in use
	log          throttle
}

func newShare() *share {
	return &share{conns: make(chan struct{}, maxConns), large: make(chan struct{}, maxLarge)}
}

// throttle bounds the lines of the log that clients cause.
type throttle struct {
	mu      sync.Mutex
	since   time.Time // protected by mu: the beginning of the second that lines counts in
	lines   int       // protected by mu
	omitted int       // protected by mu: lines that were not written
}

// warn writes a line, or leaves it out if there were many in this second. The next line that is written says how many were left out.
func (t *throttle) warn(log *slog.Logger, text string, args ...any) {
	t.mu.Lock()
	if now := time.Now(); now.Sub(t.since) >= time.Second {
		t.since, t.lines = now, 0
	}
	t.lines++
	if t.lines > maxLines {
		t.omitted++
		t.mu.Unlock()
		return
	}
	omitted := t.omitted
	t.omitted = 0
	t.mu.Unlock()
	if omitted != 0 {
		args = append(args, "lines left out before", omitted)
	}
	log.Warn(text, args...)
}
