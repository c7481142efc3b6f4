// SPDX-License-Identifier: Apache-2.0

// Package loglimit bounds log lines that strangers can cause at will, and keeps what strangers wrote from acting on logs and terminals.
package loglimit

import (
	"fmt"
	"sync"
	"time"
)

// A zero [Limit] lets Burst lines pass at once, and Rate lines a second in the long run.
const (
	Burst = 50
	Rate  = 10
)

// Limit limits lines of one kind. The zero value is ready.
type Limit struct {
	PerSecond int // lines at once, and a second in the long run; 0: Burst and Rate

	mu         sync.Mutex
	tokens     float64   // protected by mu, as all below
	last       time.Time // zero: never asked
	suppressed int
}

// Allow reports whether a line may be written at this time, and what to add to it about lines that were not.
func (l *Limit) Allow(now time.Time) (ok bool, note string) {
	ok, suppressed := l.Take(now)
	if suppressed > 0 {
		note = fmt.Sprintf(" (%d similar lines suppressed)", suppressed)
	}
	return ok, note
}

// Take is Allow with the number of lines that were not written since the last one that was.
func (l *Limit) Take(now time.Time) (ok bool, suppressed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	burst, rate := float64(Burst), float64(Rate)
	if l.PerSecond > 0 {
		burst, rate = float64(l.PerSecond), float64(l.PerSecond)
	}
	if l.last.IsZero() {
		l.tokens, l.last = burst, now
	}
	l.tokens = min(burst, l.tokens+rate*now.Sub(l.last).Seconds())
	l.last = now
	if l.tokens < 1 {
		l.suppressed++
		return false, 0
	}
	l.tokens--
	suppressed, l.suppressed = l.suppressed, 0
	return true, suppressed
}
