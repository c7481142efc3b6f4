// SPDX-License-Identifier: Apache-2.0

package util

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A subscription joins the set of its topic before anybody can take that away: a lost set makes the end of a subscription
// dereference nil, in a separate goroutine, which ends the process.
func TestSubscribeIsOneStep(t *testing.T) {
	pubSub := NewPubSub()
	pubSub.Subscribe("topic", time.Hour)
	set := pubSub.subscriptions["topic"]
	set.lock.Lock() // whoever joins waits
	joined := make(chan struct{})
	go func() {
		pubSub.Subscribe("topic", time.Hour)
		close(joined)
	}()
	held := 0
	require.Eventually(t, func() bool {
		if pubSub.TryLock() {
			pubSub.Unlock()
			held = 0
			return false
		}
		held++
		return held == 100
	}, 30*time.Second, time.Millisecond, "the last other subscription could end now")
	set.lock.Unlock()
	<-joined
	require.Equal(t, 2, set.Size())
}

// Subscriptions that begin as others end all end, and leave nothing behind.
func TestSubscriptionsThatBeginAsOthersEnd(t *testing.T) {
	pubSub := NewPubSub()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
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

// The random numbers of gossip come from many goroutines: a separate generator without a lock panics with "index out of
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
