// SPDX-License-Identifier: Apache-2.0

// Package loglimit bounds log lines that strangers can cause at will.
package loglimit

import (
	"fmt"
	"sync"
	"time"
)

// A [Limit] lets Burst lines pass at once, and Rate lines a second in the long run.
const (
	Burst = 50
	Rate  = 10
)

// Limit limits lines of one kind. The zero value is ready.
type Limit struct {
	mu         sync.Mutex
	tokens     float64   // protected by mu, as all below
	last       time.Time // zero: never asked
	suppressed int
}

// Allow reports whether a line may be written at this time, and what to add to it about lines that were not.
func (l *Limit) Allow(now time.Time) (ok bool, note string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		l.tokens, l.last = Burst, now
	}
	l.tokens = min(Burst, l.tokens+Rate*now.Sub(l.last).Seconds())
	l.last = now
	if l.tokens < 1 {
		l.suppressed++
		return false, ""
	}
	l.tokens--
	if l.suppressed > 0 {
		note = fmt.Sprintf(" (%d similar lines suppressed)", l.suppressed)
		l.suppressed = 0
	}
	return true, note
}
