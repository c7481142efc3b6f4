// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/hyperledger/fabric/common/tlsstatus"
)

// connGroup holds the live connections of one listener, or of the dialers of
// one role.
type connGroup struct {
	role     string
	listener string  // address; empty for dialers
	source   *Source // nil: none

	mu    sync.Mutex
	conns map[*tracked]struct{} // protected by mu
}

// tracked is a connection whose handshake is done.
type tracked struct {
	group     *connGroup
	attempt   *attempt   // nil: this end has dialed
	calls     *connCalls // nil: nobody counts them
	protocol  protocol
	suite     string
	localHash []byte                                                         // SHA-256 of the certificate this end presented, nil if none
	addresses string                                                         // key in localHashes
	permitted func() bool                                                    // whether the present mode still has the protocol; takes no lock
	refused   func() error                                                   // what the present revocation lists say; nil: not checked; takes no lock
	export    func(label string, context []byte, length int) ([]byte, error) // nil: the standard state has it
	finish    func()                                                         // asks the connection to end once its streams have
	close     func() error
	gone      sync.Once
	ending    map[string]struct{} // causes for which it has been asked to end; protected by group.mu
}

// localHashes finds the hash of the certificate that this end presented, and
// the exporter, by the local and remote addresses of a live connection.
var localHashes sync.Map // string to *tracked

func addressKey(local, remote net.Addr) string {
	if local == nil || remote == nil {
		return ""
	}
	return local.String() + "|" + remote.String()
}

// LocalCertificateHash returns the SHA-256 of the certificate, in DER, that
// this end presented on the gRPC connection behind ctx, or would have presented
// had it been asked for one. It is nil for a connection without TLS, without a
// certificate, or not made by this package. A node that presents a TLS certificate
// to one peer and a TLCP pair to another must use it wherever a message is
// bound to its connection.
func LocalCertificateHash(ctx context.Context) []byte {
	if t := connectionOf(ctx); t != nil {
		return t.localHash
	}
	return nil
}

// connectionOf returns the gRPC connection behind ctx, nil for one that this
// package has not made.
func connectionOf(ctx context.Context) *tracked {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	key := addressKey(p.LocalAddr, p.Addr)
	found, ok := localHashes.Load(key)
	if !ok || key == "" { // without addresses connections cannot be told apart
		return nil
	}
	return found.(*tracked)
}

// Changes during a handshake.
var (
	errModeChanged        = errors.New("comm: the mode changed during the handshake; try again")
	errCertificateChanged = errors.New("comm: the certificate was replaced during the handshake; try again")
)

// Superseded reports whether a call failed because the mode or the certificate
// changed while its connection was made. The next attempt takes what holds now.
// gRPC passes errors of handshakes on as text.
func Superseded(err error) bool {
	return err != nil && (strings.Contains(err.Error(), errModeChanged.Error()) || strings.Contains(err.Error(), errCertificateChanged.Error()))
}

// add registers the connection. On an error, the mode, the certificate or the
// revocation lists changed during its handshake so that it must not be used.
func (g *connGroup) add(t *tracked) error {
	t.group = g
	g.mu.Lock()
	if g.conns == nil {
		g.conns = make(map[*tracked]struct{})
	}
	g.conns[t] = struct{}{}
	g.mu.Unlock()
	localHashes.Store(t.addresses, t)
	observeConnection(t, 1)
	// A switch of mode stores the new mode first and then looks through the
	// group, so that a connection is seen either there or here. So do a reload
	// and an update of revocation lists.
	err := error(nil)
	switch {
	case !t.permitted():
		err = errModeChanged
	case t.outdated():
		err = errCertificateChanged
	case t.refused != nil:
		err = t.refused()
	}
	if err != nil {
		t.remove()
	}
	return err
}

// remove takes the connection out of its group; it may be called repeatedly.
func (t *tracked) remove() {
	t.gone.Do(func() {
		t.group.mu.Lock()
		delete(t.group.conns, t)
		t.group.mu.Unlock()
		localHashes.CompareAndDelete(t.addresses, t)
		observeConnection(t, -1)
	})
}

// outdated reports whether this end has dialed with a certificate that its role
// does not present any more, and redials for a new one. It takes no lock.
func (t *tracked) outdated() bool {
	s := t.group.source
	return t.attempt == nil && s != nil && s.redial && t.localHash != nil &&
		!bytes.Equal(t.localHash, s.state.Load().hash(t.protocol))
}

// drain ends the connections whose protocol the present mode does not have:
// first by request, after the grace by closing.
func (g *connGroup) drain(grace time.Duration) {
	g.retire(grace, "a change of mode", func(t *tracked) bool { return !t.permitted() })
}

// retire ends the connections that meet the condition, which takes no lock:
// first by request, after the grace by closing. Those that have been asked to
// end for this cause, and still meet it, are not asked again.
func (g *connGroup) retire(grace time.Duration, cause string, condition func(*tracked) bool) {
	old := g.matching(func(t *tracked) bool { return t.noteCause(cause, condition(t)) })
	if len(old) == 0 {
		return
	}
	commLogger.Infof("Draining %d connections of %s %s for %s; those left after %s will be closed", len(old), roleName(g.role), g.listener, cause, grace)
	for _, t := range old {
		go t.finish() // may wait for a write that is under way
	}
	time.AfterFunc(grace, func() {
		left := g.matching(func(t *tracked) bool {
			due := condition(t)
			t.noteCause(cause, due)
			return due
		})
		if len(left) != 0 {
			commLogger.Infof("Closing %d connections of %s %s that outlived the grace after %s", len(left), roleName(g.role), g.listener, cause)
		}
		for _, t := range left {
			go t.close() // may wait to send close_notify
		}
	})
}

// noteCause notes whether the cause holds for the connection, and reports whether
// it does now and did not before. The group is locked.
func (t *tracked) noteCause(cause string, holds bool) bool {
	_, held := t.ending[cause]
	switch {
	case !holds:
		delete(t.ending, cause)
	case t.ending == nil:
		t.ending = map[string]struct{}{cause: {}}
	default:
		t.ending[cause] = struct{}{}
	}
	return holds && !held
}

func (g *connGroup) matching(condition func(*tracked) bool) []*tracked {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []*tracked
	for t := range g.conns {
		if condition(t) {
			found = append(found, t)
		}
	}
	return found
}

// count returns the number of live connections by protocol and suite.
func (g *connGroup) count() []tlsstatus.Connections {
	g.mu.Lock()
	defer g.mu.Unlock()
	counts := []tlsstatus.Connections{}
next:
	for t := range g.conns {
		for i := range counts {
			if counts[i].Protocol == string(t.protocol) && counts[i].Suite == t.suite {
				counts[i].Count++
				continue next
			}
		}
		counts = append(counts, tlsstatus.Connections{Protocol: string(t.protocol), Suite: t.suite, Count: 1})
	}
	slices.SortFunc(counts, func(a, b tlsstatus.Connections) int {
		return strings.Compare(a.Protocol+" "+a.Suite, b.Protocol+" "+b.Suite)
	})
	return counts
}
