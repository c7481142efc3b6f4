// SPDX-License-Identifier: Apache-2.0

package device

import (
	"slices"
	"sync"
	"time"
)

// User is who asks for a session: a user of this host by number, or the daemon.
type User int64

// daemon is the user that looks whether keys are still there.
const daemon User = -1

// queue hands out the sessions of a connection. A session that becomes free goes to the waiting user that has the fewest in use, and among
// several of these to the one that got its last session before the others. A user with many requests waits for its own ones, and not
// others for them.
type queue struct {
	mu      sync.Mutex
	resting *sync.Cond // of mu: a session has come to rest
	rest    []*session // protected by mu, as all below: those that nobody uses; the one unused for longest is first
	busy    map[*session]struct{}
	users   map[User]*line
	given   uint64 // how often a session was given to somebody
	ended   bool   // nobody is given one any more
}

// line is what one user has, and what it waits for.
type line struct {
	busy    int       // sessions in use
	last    uint64    // queue.given at its last session
	waiting []*waiter // in the order of their arrival
}

// waiter is a request that waits.
type waiter struct {
	call  string
	ready chan *session // has room for the one that comes
}

func newQueue(sessions []*session) *queue {
	q := &queue{rest: sessions, busy: map[*session]struct{}{}, users: map[User]*line{}}
	q.resting = sync.NewCond(&q.mu)
	return q
}

// take returns a session that is free. Otherwise it returns a place in the line of the user; the caller waits for a session there, or
// leaves it.
func (q *queue) take(user User, call string) (*session, *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.users[user]
	if u == nil {
		u = &line{}
		q.users[user] = u
	}
	if len(q.rest) == 0 || q.ended {
		w := &waiter{call: call, ready: make(chan *session, 1)}
		u.waiting = append(u.waiting, w)
		return nil, w
	}
	s := q.rest[0]
	q.rest = slices.Delete(q.rest, 0, 1)
	q.giveLocked(s, u, call)
	return s, nil
}

func (q *queue) giveLocked(s *session, u *line, call string) {
	q.given++
	u.last = q.given
	u.busy++
	s.user, s.call = u, call
	s.began.now()
	q.busy[s] = struct{}{}
}

// giveBack ends the use of a session.
func (q *queue) giveBack(s *session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.user.busy--
	delete(q.busy, s)
	u := q.nextLocked()
	if u == nil || q.ended {
		q.rest = append(q.rest, s)
		q.resting.Signal()
		return
	}
	w := u.waiting[0]
	u.waiting = slices.Delete(u.waiting, 0, 1)
	q.giveLocked(s, u, w.call)
	w.ready <- s
}

// nextLocked returns whose turn it is, nil if nobody waits.
func (q *queue) nextLocked() *line {
	var next *line
	for _, u := range q.users {
		if len(u.waiting) == 0 {
			continue
		}
		if next == nil || u.busy < next.busy || u.busy == next.busy && u.last < next.last {
			next = u
		}
	}
	return next
}

// leave gives up a place. A session that has come there meanwhile goes to the next.
func (q *queue) leave(user User, w *waiter) {
	q.mu.Lock()
	u := q.users[user]
	at := slices.Index(u.waiting, w)
	if at >= 0 {
		u.waiting = slices.Delete(u.waiting, at, at+1)
	}
	q.mu.Unlock()
	if at < 0 {
		q.giveBack(<-w.ready)
	}
}

// end waits until all of the sessions, so many, are at rest, and returns them. It gives none to anybody from now on.
func (q *queue) end(sessions int) []*session {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	for len(q.rest) < sessions {
		q.resting.Wait()
	}
	return q.rest
}

// inUse returns how many sessions are in use.
func (q *queue) inUse() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.busy)
}

// longest returns what the session does that has waited for longest for a function of the library, and for how long; 0 if none is in use.
func (q *queue) longest() (call string, age time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for s := range q.busy {
		if a := s.began.age(); a > age {
			call, age = s.call, a
		}
	}
	return call, age
}
