// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"net"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"
	lru "github.com/hashicorp/golang-lru/v2"
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

// session is what an end keeps of a connection in order to resume it. It is
// immutable.
type session struct {
	id      []byte // of TLS 1.3: the ticket
	suite   uint16
	master  [masterLen]byte // of TLS 1.3: the PSK, then zeros
	created time.Time       // when the peer proved who it is

	// On a client of TLS 1.3.
	received time.Time
	expires  time.Time // by the server's word; zero: it gave none
	ageAdd   uint32    // hides the age of the ticket

	// What the session is bound to.
	serverName string
	clientAuth ClientAuthType   // on a server
	verified   bool             // the peer's certificates were verified
	roots      *smx509.CertPool // copy of the pool that they were verified under
	local      [][]byte         // on a client: the certificates that it sent

	peer *peer // nil if the client did not authenticate itself
}

// ClientSessionState is a session as a client keeps it. It holds a secret and
// stays in memory.
type ClientSessionState struct{ session *session }

// ServerSessionState is a session as a server keeps it. It holds a secret and
// stays in memory.
type ServerSessionState struct{ session *session }

// NewLRUClientSessionCache returns a cache of the given capacity that drops the
// least recently used session; a capacity below 1 means 64.
func NewLRUClientSessionCache(capacity int) ClientSessionCache {
	return newLRU[ClientSessionState](capacity)
}

// NewLRUServerSessionCache returns a cache of the given capacity that drops the
// least recently used session; a capacity below 1 means 64.
func NewLRUServerSessionCache(capacity int) ServerSessionCache {
	return newLRU[ServerSessionState](capacity)
}

// lruSessions is a cache of sessions of one kind.
type lruSessions[S any] struct{ *lru.Cache[string, *S] }

func newLRU[S any](capacity int) lruSessions[S] {
	if capacity < 1 {
		capacity = defaultSessionCacheSize
	}
	cache, _ := lru.New[string, *S](capacity) // fails for a capacity below 1
	return lruSessions[S]{cache}
}

// Put stores the session under the key, or removes the key if s is nil.
func (l lruSessions[S]) Put(key string, s *S) {
	if s == nil {
		l.Remove(key)
	} else {
		l.Add(key, s)
	}
}

func (c *Config) sessionLifetime() time.Duration {
	if c.SessionLifetime <= 0 {
		return defaultSessionLifetime
	}
	return min(c.SessionLifetime, maxSessionLifetime)
}

// resumableNow checks what a session of either kind needs: its age, the pool
// under which the peer was verified, and the validity of the peer's chains.
// What may have changed otherwise is checked by verifying the peer again.
func (s *session) resumableNow(c *Config, roots *smx509.CertPool) bool {
	now := c.now()
	if s.expired(c, now) || !c.suiteListed(s.version(), s.suite) {
		return false
	}
	if s.verified && s.peer != nil {
		return roots != nil && s.roots.Equal(roots) && s.peer.validAt(now)
	}
	return true
}

func (s *session) expired(c *Config, now time.Time) bool {
	age := now.Sub(s.created)
	return age < 0 || age > c.sessionLifetime() || !s.expires.IsZero() && now.After(s.expires)
}

// version is that of the protocol in which the session was made, and in which
// alone it can be resumed.
func (s *session) version() uint16 { return suiteByID(s.suite).version() }

// sessionRoots returns the copy of roots that a session with the peer is bound
// to.
func (p *peer) sessionRoots(roots *smx509.CertPool) *smx509.CertPool {
	switch {
	case p == nil || len(p.signChains) == 0:
		return nil
	case p.roots != nil:
		return p.roots
	}
	return roots.Clone()
}

// clientSessionKey is the key of a client's session for a server: the name
// that was verified, and the address, since several servers may share a name.
func clientSessionKey(serverName string, addr net.Addr) string {
	if addr == nil {
		return serverName
	}
	return serverName + "|" + addr.String()
}

// resumableByClient reports whether a client may offer the session under its
// present configuration.
func (s *session) resumableByClient(c *Config) bool {
	if s.serverName != c.ServerName || s.verified == c.InsecureSkipVerify ||
		!s.resumableNow(c, c.RootCAs) {
		return false
	}
	if s.local == nil {
		return true // nobody was presented
	}
	if c.GetClientCertificate != nil {
		return false // whom it would present now is not known before the server asks
	}
	return slices.ContainsFunc(c.Certificates, func(cert Certificate) bool {
		return len(cert.Certificate) > 0 && bytes.Equal(cert.Certificate[0], s.local[0])
	})
}

// resumableByServer reports whether a server may resume the session for a client
// that asks for serverName, or for none: a different name forbids it (RFC 6066,
// section 3), a missing one does not.
func (s *session) resumableByServer(c *Config, serverName string) bool {
	switch {
	case serverName != "" && s.serverName != serverName, s.clientAuth != c.ClientAuth:
		return false
	case c.ClientAuth.demanded() && s.peer == nil:
		return false
	}
	return s.resumableNow(c, c.ClientCAs)
}
