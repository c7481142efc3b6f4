// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// channelLists are the revocation lists of the channels' MSPs.
var channelLists struct {
	mu        sync.Mutex
	byChannel map[string][]*organization // protected by mu
	all       atomic.Pointer[[]*organization]
}

// warn says what the lists make handshakes refuse.
func (o *organization) warn() {
	for _, err := range o.problems(time.Now()) {
		commLogger.Errorf("TLS and TLCP certificates are refused: %s", err)
	}
}

// auditLists records the lists that are in force from now on and were not before.
func auditLists(earlier, orgs []*organization) {
	before := listsOf(earlier)
	for key, list := range listsOf(orgs) {
		if _, ok := before[key]; ok {
			continue
		}
		tbs, next := &list.TBSCertList, "never"
		if !tbs.NextUpdate.IsZero() {
			next = tbs.NextUpdate.UTC().Format(time.RFC3339)
		}
		audit.Bounded(audit.RevocationList, "origin", key.origin, "issuer", nameOf(list), "this-update", tbs.ThisUpdate.UTC().Format(time.RFC3339),
			"next-update", next, "entries", len(tbs.RevokedCertificates))
	}
}

type listKey struct{ origin, bytes string }

// listsOf returns the newest list of each CA and scope.
func listsOf(orgs []*organization) map[listKey]*pkix.CertificateList {
	all := make(map[listKey]*pkix.CertificateList)
	for _, o := range orgs {
		for _, scopes := range o.current {
			for _, list := range scopes {
				all[listKey{o.name, string(list.TBSCertList.Raw)}] = list
			}
		}
	}
	return all
}

// loadLists reads and verifies revocation lists under the roots of the role and ListCAs. At
// a start or reload the operator is there to mend what cannot be verified.
func (f Files) loadLists(roots rootSet) (*organization, error) {
	if len(f.RevocationLists) == 0 {
		return nil, nil
	}
	others, err := f.loadRoots(f.ListCAs)
	if err != nil {
		return nil, err
	}
	roots.add(others)
	cas := append(slices.Clone(roots.std), roots.authorities()...)
	o := newOrganization("the node's own files", nil)
	for _, path := range f.RevocationLists {
		lists, err := material.ReadLists(path)
		if err != nil {
			return nil, &RootsError{f.blame(path, err)}
		}
		for _, list := range lists {
			if err := o.add(list.CertificateList, cas); err != nil {
				return nil, &RootsError{f.blame(path, fmt.Errorf("%s: revocation list of issuer %s: %w; the CA has to be among the root CAs of the "+
					"role, in a separate file or after another", path, nameOf(list.CertificateList), err))}
			}
		}
	}
	o.warn()
	return o, nil
}

// dialerPolicy is the source whose lists also judge what dialers without a
// source meet: of the node's dialing roles one that checks revocation, or nil.
var dialerPolicy atomic.Pointer[Source]

// setDialerPolicyLocked chooses it again.
func setDialerPolicyLocked() {
	var policy *Source
	for _, s := range sortedLocked() {
		if s.revocation && s.configured.client != "" {
			policy = s
		}
	}
	dialerPolicy.Store(policy)
}

// revocationPolicy returns the source whose lists judge a connection of a role,
// or nil if revocation is not checked there.
func revocationPolicy(s *Source) *Source {
	switch {
	case s == nil:
		return dialerPolicy.Load()
	case s.revocation:
		return s
	}
	return nil
}

// lists returns what judges now.
func (s *Source) lists() []*organization {
	return append(slices.Clip(ofChannels()), s.state.Load().ownLists()...)
}

// ofChannels are the lists of all channels' MSPs.
func ofChannels() []*organization {
	if all := channelLists.all.Load(); all != nil {
		return *all
	}
	return nil
}

// ownLists are those of the role's files.
func (s *sourceState) ownLists() []*organization {
	if s.lists == nil {
		return nil
	}
	return []*organization{s.lists}
}

// observeOwnLists records which lists of the role's files are in force, and shows when they end.
func (s *Source) observeOwnLists(earlier []*organization) {
	if s.revocation {
		auditLists(earlier, s.state.Load().ownLists())
		observeLists(s.role, earlier, s.state.Load().ownLists())
	}
}

// checkStd judges both sides of a TLS handshake whose chains have been verified.
func (s *Source) checkStd(clock func() time.Time) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		return judge(s.lists(), state.VerifiedChains, timeOf(clock))
	}
}

// checkGM judges both certificates of a TLCP peer.
func (s *Source) checkGM(clock func() time.Time) func(gmtls.ConnectionState) error {
	return func(state gmtls.ConnectionState) error {
		orgs, now := s.lists(), timeOf(clock)
		if err := judge(orgs, state.VerifiedChains, now); err != nil {
			return err
		}
		return judge(orgs, state.EncVerifiedChains, now)
	}
}

func timeOf(clock func() time.Time) time.Time {
	if clock == nil {
		return time.Now()
	}
	return clock()
}

// retireRefusedLocked drains the connections that the present lists of the role
// refuse.
func (s *Source) retireRefusedLocked() {
	if !s.revocation {
		return
	}
	for e := range s.endpoints {
		e.conns.retireRefused(s.grace)
	}
	s.dialed.retireRefused(s.grace)
	if s == dialerPolicy.Load() {
		unnamed.retireRefused(s.grace)
	}
}

func (g *connGroup) retireRefused(grace time.Duration) {
	g.retire(grace, "a revocation list", func(t *tracked) bool { return t.refused != nil && t.refused() != nil })
}
