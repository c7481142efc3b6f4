// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// taken is what a waiter has got: a session or nothing.
func taken(w *waiter) *session {
	select {
	case s := <-w.ready:
		return s
	default:
		return nil
	}
}

// The next session goes to whoever has the fewest. Among users with equally many it goes to the one that has waited for a turn longest, and
// among requests of one user to the first.
func TestQueue(t *testing.T) {
	q := newQueue([]*session{{}, {}})
	a1, _ := q.take(1, "a1")
	a2, _ := q.take(1, "a2")
	require.NotNil(t, a1)
	require.NotNil(t, a2)
	none, a3 := q.take(1, "a3")
	require.Nil(t, none)
	_, a4 := q.take(1, "a4")
	_, b1 := q.take(2, "b1")
	_, b2 := q.take(2, "b2")
	require.Equal(t, 2, q.inUse())

	q.giveBack(a1) // user 1 has one, user 2 has none
	s := taken(b1)
	require.NotNil(t, s, "whoever has none comes first")
	require.Equal(t, "b1", s.call)
	q.giveBack(a2) // user 1 has none, user 2 has one
	s = taken(a3)
	require.NotNil(t, s)
	require.Equal(t, "a3", s.call)
	q.giveBack(s) // the same again: user 2 still has one
	s = taken(a4)
	require.NotNil(t, s)
	require.Nil(t, taken(b2))

	_, a5 := q.take(1, "a5")
	_, c1 := q.take(3, "c1")
	q.giveBack(s) // users 1 and 3 have none; user 3 has never had one
	s = taken(c1)
	require.NotNil(t, s)
	require.Nil(t, taken(a5))
}

// With one session, users take turns however many requests they have.
func TestQueueOfOneSession(t *testing.T) {
	q := newQueue([]*session{{}})
	s, _ := q.take(1, "")
	var of [3][]*waiter
	for user := range of {
		for range 5 {
			_, w := q.take(User(user), "")
			of[user] = append(of[user], w)
		}
	}
	var order []int
	for range 9 {
		q.giveBack(s)
		for user := range of {
			if got := taken(of[user][0]); got != nil {
				s, order, of[user] = got, append(order, user), of[user][1:]
				break
			}
		}
	}
	require.Len(t, order, 9)
	for i := 3; i < 9; i++ {
		require.Equal(t, order[i-3], order[i], "%v", order)
	}
	require.ElementsMatch(t, []int{0, 1, 2}, order[:3])
	require.Equal(t, 1, order[2], "it had the session before")
}

// Whoever leaves takes no session along, not even one that came at the same moment.
func TestQueueLeft(t *testing.T) {
	q := newQueue([]*session{{}})
	s, _ := q.take(1, "")
	_, gone := q.take(2, "")
	_, stays := q.take(2, "")
	q.leave(2, gone)
	q.giveBack(s)
	require.Nil(t, taken(gone))
	_, next := q.take(1, "")
	q.leave(2, stays) // which has a session already
	require.NotNil(t, taken(next))
	require.Equal(t, 1, q.inUse())
}

// A queue that ends gives nothing to anybody, and has ended when all of its sessions are at rest.
func TestQueueEnds(t *testing.T) {
	q := newQueue([]*session{{}, {}})
	s, _ := q.take(1, "")
	other, _ := q.take(1, "")
	_, waits := q.take(2, "")
	ended := make(chan []*session)
	go func() { ended <- q.end(2) }()
	require.Eventually(t, func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.ended
	}, 10*time.Second, time.Millisecond)
	q.giveBack(other)
	require.Nil(t, taken(waits))
	none, _ := q.take(1, "")
	require.Nil(t, none)
	select {
	case <-ended:
		t.Fatal("a session is in use")
	case <-time.After(50 * time.Millisecond):
	}
	q.giveBack(s)
	require.Len(t, <-ended, 2)
}

// The session in which a function of the library runs for longest is named.
func TestLongest(t *testing.T) {
	q := newQueue([]*session{{}, {}})
	_, age := q.longest()
	require.Zero(t, age)
	first, _ := q.take(1, "first")
	time.Sleep(time.Millisecond)
	second, _ := q.take(1, "second")
	call, age := q.longest()
	require.Equal(t, "first", call)
	require.GreaterOrEqual(t, age, time.Millisecond)
	time.Sleep(time.Millisecond)
	first.began.now() // the next function
	call, _ = q.longest()
	require.Equal(t, "second", call)
	q.giveBack(second)
	call, _ = q.longest()
	require.Equal(t, "first", call)
}

// Requests that end while they wait, of several users, leave all sessions to others. The device stays as fast as it is.
func TestNoSessionIsLost(t *testing.T) {
	const sessions = 4
	f := newFake(t)
	f.delay = time.Millisecond
	d := startFake(t, f, Options{Sessions: sessions})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sign := func(ctx context.Context, user User) error {
		_, err := d.Sign(ctx, user, uriOf(1), make([]byte, 32), false)
		return err
	}
	require.NoError(t, sign(ctx, 0))
	var all sync.WaitGroup
	for user := range User(3) {
		for range 20 {
			all.Go(func() {
				for i := range 50 {
					short, stop := context.WithTimeout(ctx, time.Duration(i)*100*time.Microsecond)
					_ = sign(short, user)
					stop()
				}
			})
		}
	}
	all.Wait()
	together, arrived := make(chan struct{}), 0
	f.failWith(func() error {
		f.failMu.Lock()
		if arrived++; arrived == sessions {
			close(together)
		}
		f.failMu.Unlock()
		select {
		case <-together:
			return nil
		case <-time.After(10 * time.Second):
			return context.DeadlineExceeded
		}
	})
	for range sessions {
		all.Go(func() {
			if err := sign(ctx, 1); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Zero(t, d.State().Busy)
}

// While one user floods the device, another's signature is made in the session that becomes free next.
func TestFloodOfOneUser(t *testing.T) {
	const flood = 200
	for _, sessions := range []int{1, 2, 8} {
		f := newFake(t)
		f.hold = make(chan held)
		d := startFake(t, f, Options{Sessions: sessions})
		close((<-f.hold).goOn) // of the self-test
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var all sync.WaitGroup
		sign := func(user User) {
			all.Go(func() {
				if _, err := d.Sign(ctx, user, uriOf(1), bytes.Repeat([]byte{byte(user)}, 32), false); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			})
		}
		waiting := func(user User, n int) {
			t.Helper()
			require.Eventually(t, func() bool {
				q := d.link.queue
				q.mu.Lock()
				defer q.mu.Unlock()
				return q.users[user] != nil && len(q.users[user].waiting) == n
			}, 20*time.Second, time.Millisecond)
		}
		var underWay []held
		for range flood {
			sign(1)
		}
		for range sessions {
			underWay = append(underWay, <-f.hold)
		}
		waiting(1, flood-sessions)
		const rounds = 10
		for range rounds {
			sign(2)
			waiting(2, 1)
			close(underWay[0].goOn)
			next := <-f.hold
			require.Equal(t, byte(2), next.digest[0], "another of %d comes first", flood)
			close(next.goOn)
			underWay = append(underWay[1:], <-f.hold)
		}
		for _, h := range underWay {
			close(h.goOn)
		}
		for range flood - sessions - rounds { // have not begun
			close((<-f.hold).goOn)
		}
		all.Wait()
	}
}
