// SPDX-License-Identifier: Apache-2.0

package util

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Subscriptions that begin as the last one before them ends: a lost set makes the end of a subscription dereference nil, in a
// goroutine of its own, which ends the process.
func TestSubscriptionsThatBeginAsOthersEnd(t *testing.T) {
	pubSub := NewPubSub()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20000 {
				pubSub.Subscribe("topic", time.Microsecond)
			}
		})
	}
	wg.Wait()
	require.Eventually(t, func() bool {
		pubSub.RLock()
		defer pubSub.RUnlock()
		return len(pubSub.subscriptions) == 0
	}, 30*time.Second, time.Millisecond)
}

// The random numbers of gossip come from many goroutines: a generator of its own without a lock panics with "index out of
// range" now and then, as upstream's did in some versions (issue 5169).
func TestRandomNumbersFromManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20000 {
				RandomUInt64()
				RandomInt(3)
				GetRandomIndices(2, 3)
			}
		})
	}
	wg.Wait()
}
