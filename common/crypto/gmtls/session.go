// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"container/list"
	"sync"
)

// ClientSessionCache keeps the sessions of a client for resumption. Put with a
// nil session removes the key. It must be safe for use by several goroutines.
type ClientSessionCache interface {
	Get(sessionKey string) (session *ClientSessionState, ok bool)
	Put(sessionKey string, cs *ClientSessionState)
}

// ServerSessionCache keeps the sessions of a server for resumption, by session
// identifier. Put with a nil session removes the identifier. It must be safe
// for use by several goroutines.
type ServerSessionCache interface {
	Get(sessionID string) (session *ServerSessionState, ok bool)
	Put(sessionID string, ss *ServerSessionState)
}

// ClientSessionState is a session as a client keeps it. It holds a secret and
// stays in memory.
// session is what both ends keep of a session.
type session struct{}

type ClientSessionState struct{ session }

// ServerSessionState is a session as a server keeps it. It holds a secret and
// stays in memory.
type ServerSessionState struct{ session }

// NewLRUClientSessionCache returns a cache of the given capacity that drops the
// session that was not used for longest; capacity below 1 means 64.
func NewLRUClientSessionCache(capacity int) ClientSessionCache {
	return newLRU[ClientSessionState](capacity)
}

// NewLRUServerSessionCache returns a cache of the given capacity that drops the
// session that was not used for longest; capacity below 1 means 64.
func NewLRUServerSessionCache(capacity int) ServerSessionCache {
	return newLRU[ServerSessionState](capacity)
}

// lruSessions is a cache of sessions of one kind.
type lruSessions[S any] struct {
	mu       sync.Mutex
	capacity int
	byKey    map[string]*list.Element // protected by mu
	order    *list.List               // protected by mu; most recent first
}

type lruEntry[S any] struct {
	key     string
	session *S
}

func newLRU[S any](capacity int) *lruSessions[S] {
	if capacity < 1 {
		capacity = defaultSessionCacheSize
	}
	return &lruSessions[S]{
		capacity: capacity,
		byKey:    make(map[string]*list.Element),
		order:    list.New(),
	}
}

// Get returns the session under the key.
func (l *lruSessions[S]) Get(key string) (*S, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	el, ok := l.byKey[key]
	if !ok {
		return nil, false
	}
	l.order.MoveToFront(el)
	return el.Value.(*lruEntry[S]).session, true
}

// Put stores the session under the key, or removes the key if s is nil.
func (l *lruSessions[S]) Put(key string, s *S) {
	l.mu.Lock()
	defer l.mu.Unlock()
	el, ok := l.byKey[key]
	switch {
	case s == nil && ok:
		l.removeLocked(el)
	case s == nil:
	case ok:
		el.Value.(*lruEntry[S]).session = s
		l.order.MoveToFront(el)
	default:
		if l.order.Len() >= l.capacity {
			l.removeLocked(l.order.Back())
		}
		l.byKey[key] = l.order.PushFront(&lruEntry[S]{key, s})
	}
}

func (l *lruSessions[S]) removeLocked(el *list.Element) {
	l.order.Remove(el)
	delete(l.byKey, el.Value.(*lruEntry[S]).key)
}
