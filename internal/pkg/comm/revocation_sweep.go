// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"sync"
	"time"
)

// sweepInterval is how long after the end of a list a connection may stand at
// most that the list's end refuses. The clock may be set, so the time of the end
// is looked at again and again, and no timer waits for it.
var sweepInterval = 10 * time.Second

// sweeping starts the sweep of the process with its first source that checks
// revocation.
var sweeping sync.Once

// sweepLists judges standing connections again, for a list ends without an event.
func sweepLists(last time.Time) {
	for range time.Tick(sweepInterval) {
		now := time.Now()
		sweep(last, now)
		last = now
	}
}

// sweep drains what the lists refuse, and says which of them have ended since the
// last time.
func sweep(last, now time.Time) {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	said := make(map[string]struct{})
	for _, s := range sortedLocked() {
		if !s.revocation {
			continue
		}
		for _, o := range s.lists() {
			o.warnSince(last, now, said)
		}
		s.retireRefusedLocked()
	}
}

// warnSince says what the lists refuse now and did not refuse before, unless it
// has been said.
func (o *organization) warnSince(last, now time.Time, said map[string]struct{}) {
	before := make(map[string]struct{})
	for _, err := range o.problems(last) {
		before[err.Error()] = struct{}{}
	}
	for _, err := range o.problems(now) {
		_, old := before[err.Error()]
		if _, ok := said[err.Error()]; ok || old {
			continue
		}
		said[err.Error()] = struct{}{}
		commLogger.Errorf("TLS and TLCP certificates are refused, and their connections drained: %s", err)
	}
}
