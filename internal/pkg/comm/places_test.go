// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clockedPlaces returns n places and a clock that stands still.
func clockedPlaces(n int) (p *places, now *time.Time) {
	clock := time.Unix(1e9, 0)
	p = newPlaces(n)
	p.now = func() time.Time { return clock }
	return p, &clock
}

// serve gives all places in the queue back one by one, each after a computation
// of the same length, and returns the sources in the order in which they got one.
func serve(p *places, now *time.Time, first *place, waiting []*place, length time.Duration) (served []string) {
	for current := first; current != nil; {
		served = append(served, current.source)
		current.since = *now
		*now = now.Add(length)
		p.leave(current)
		current = nil
		for i, w := range waiting {
			if w == nil {
				continue
			}
			select {
			case <-w.ready:
				current, waiting[i] = w, nil
			default:
				continue
			}
			break
		}
	}
	return served
}

// TestPlacesAreFair: an address with many computations does not keep another
// waiting, whatever the order in which they came.
func TestPlacesAreFair(t *testing.T) {
	p, now := clockedPlaces(1)
	first := p.queue("many", false)
	require.Nil(t, first.ready)
	var waiting []*place
	for range 100 {
		waiting = append(waiting, p.queue("many", false))
	}
	for i := range 10 {
		waiting = append(waiting, p.queue(fmt.Sprint("one ", i), false))
	}
	served := serve(p, now, first, waiting, time.Millisecond)
	require.Len(t, served, 111)
	for i := range 10 {
		require.Equal(t, fmt.Sprint("one ", i), served[1+i])
	}
	require.True(t, p.idle(1))
}

// TestPlacesOfAnswers: who has answered comes before those who begin, even of the
// same address, and those who have answered are fair among themselves.
func TestPlacesOfAnswers(t *testing.T) {
	p, now := clockedPlaces(1)
	first := p.queue("many", false)
	waiting := []*place{p.queue("many", false), p.queue("begins", false), p.queue("many", true), p.queue("many", true), p.queue("answers", true)}
	require.Equal(t, []string{"many", "answers", "many", "many", "begins", "many"}, serve(p, now, first, waiting, time.Millisecond))
}

// TestPlacesCountTime: what counts is the time for which an address computed, not
// how often.
func TestPlacesCountTime(t *testing.T) {
	p, now := clockedPlaces(1)
	long := p.queue("long", false)
	*now = now.Add(50 * time.Millisecond)
	p.leave(long)
	first := p.queue("another", false)
	waiting := []*place{p.queue("long", false)}
	for range 40 {
		waiting = append(waiting, p.queue("short", false))
	}
	served := serve(p, now, first, waiting, time.Millisecond)
	require.Equal(t, "long", served[len(served)-1])
}

// TestWaitingIsNotComputing: a place is charged from when it is given.
func TestWaitingIsNotComputing(t *testing.T) {
	p, now := clockedPlaces(1)
	held, err := p.take(t.Context(), "a", false)
	require.NoError(t, err)
	given := make(chan *place)
	go func() {
		w, _ := p.take(t.Context(), "b", false)
		given <- w
	}()
	eventually(t, "it waits", func() bool { return !p.idle(0) })
	*now = now.Add(time.Second)
	p.leave(held)
	require.Equal(t, *now, (<-given).since)
}

// TestNewcomersStartNow: who comes while others wait does not start in the past, ahead of them all.
func TestNewcomersStartNow(t *testing.T) {
	p, _ := clockedPlaces(1)
	held := p.queue("a", false)
	one, two := p.queue("b", false), p.queue("b", false)
	p.leave(held)
	p.leave(one)
	<-two.ready
	require.Positive(t, two.start)
	require.Equal(t, two.start, p.queue("c", false).start)
}

// TestPlacesForgetIdle: an address that computes alone has no debt afterwards,
// and none is remembered for ever.
func TestPlacesForgetIdle(t *testing.T) {
	p, now := clockedPlaces(1)
	for range 50 {
		w := p.queue("early", false)
		*now = now.Add(10 * time.Millisecond)
		p.leave(w)
	}
	first := p.queue("another", false)
	waiting := []*place{p.queue("late", false), p.queue("early", false)}
	require.Less(t, waiting[1].start-waiting[0].start, 20*time.Millisecond)
	serve(p, now, first, waiting, time.Millisecond)

	for i := range 3 * maxSources {
		w := p.queue(fmt.Sprint(i), false)
		*now = now.Add(time.Millisecond)
		p.leave(w)
	}
	require.LessOrEqual(t, len(p.ends), maxSources)

	for source := 0; len(p.ends) < maxSources; source++ {
		p.ends[fmt.Sprint(source)] = p.virtual + time.Second
	}
	known := p.queue("0", false)
	*now = now.Add(time.Millisecond)
	p.leave(known)
	require.Len(t, p.ends, maxSources, "one that is known makes no other forgotten")
	w := p.queue("new", false)
	require.Len(t, p.ends, 1)
	clear(p.ends)
	*now = now.Add(time.Millisecond)
	p.leave(w)
	require.Empty(t, p.ends, "what was forgotten meanwhile does not come back")
	p.leave(p.queue("no time used", false))
	require.Empty(t, p.ends)
}

// TestPlacesEndWaiting: who waits no longer leaves no trace.
func TestPlacesEndWaiting(t *testing.T) {
	p := newPlaces(1)
	held, err := p.take(t.Context(), "a", false)
	require.NoError(t, err)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	refused := make(chan error)
	go func() {
		_, err := p.take(ctx, "b", false)
		refused <- err
	}()
	eventually(t, "it waits", func() bool { return !p.idle(0) })
	before := p.queue("c", true)
	cancel(cause)
	require.ErrorIs(t, <-refused, cause)
	require.NotContains(t, p.ends, "b", "it owes nothing")
	select {
	case <-before.ready:
		t.Fatal("there was no place to give")
	default:
	}
	p.leave(held)
	<-before.ready
	p.leave(before)
	require.True(t, p.idle(1))
	again, err := p.take(t.Context(), "b", false)
	require.NoError(t, err)
	p.leave(again)
}

// TestPlacesNeverLeak: whoever is given a place in the moment in which it gives up
// passes it on.
func TestPlacesNeverLeak(t *testing.T) {
	p := newPlaces(2)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				if w, err := p.take(ctx, fmt.Sprint(i%3), i%2 == 0); err == nil {
					p.leave(w)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	require.True(t, p.idle(2))
}
