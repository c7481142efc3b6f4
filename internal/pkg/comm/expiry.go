// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"time"

	"github.com/hyperledger/fabric/common/crypto"
)

// expiryTracker is how the ends of certificates are told.
type expiryTracker struct {
	info, warn crypto.MessageFunc
	schedule   crypto.Scheduler
}

// TrackExpiration replaces the function of that name in common/crypto and writes
// the same messages. It also tracks the certificates of every source, and after a
// reload the new ones. Certificates of no source are tracked as they are given. A
// process calls it once.
func TrackExpiration(tls bool, serverCert []byte, clientCertChain [][]byte, identity []byte, info, warn crypto.MessageFunc, now time.Time, schedule crypto.Scheduler) {
	if sourceOf(serverCert) != nil {
		serverCert = nil
	}
	if len(clientCertChain) > 0 && sourceOf(clientCertChain[0]) != nil {
		clientCertChain = nil
	}
	crypto.TrackExpiration(tls, serverCert, clientCertChain, identity, info, warn, now, schedule)
	observeIdentity(identity)

	registry.mu.Lock()
	defer registry.mu.Unlock()
	registry.expiry = &expiryTracker{info: info, warn: warn, schedule: schedule}
	for _, s := range sortedLocked() {
		s.trackExpiryLocked(s.state.Load())
	}
}

// trackExpiryLocked schedules warnings for the certificates of the state, in
// place of those for certificates that were presented before.
func (s *Source) trackExpiryLocked(state *sourceState) {
	s.stopExpiryLocked()
	tracker := registry.expiry
	if tracker == nil {
		return
	}
	var server []byte
	var client [][]byte
	if state.serverMode != "" {
		server = state.PEM()
	} else {
		client = [][]byte{state.PEM()}
	}
	crypto.TrackExpiration(true, server, client, nil, s.named(tracker.info), s.named(tracker.warn), time.Now(),
		func(d time.Duration, f func()) *time.Timer {
			timer := tracker.schedule(d, f)
			s.expiry = append(s.expiry, timer)
			return timer
		})
}

func (s *Source) stopExpiryLocked() {
	for _, timer := range s.expiry {
		timer.Stop()
	}
	s.expiry = nil
}

// named adds the role to messages: several roles have server certificates.
func (s *Source) named(message crypto.MessageFunc) crypto.MessageFunc {
	return func(format string, args ...any) {
		message(format+" (%s)", append(args, s.role)...)
	}
}
