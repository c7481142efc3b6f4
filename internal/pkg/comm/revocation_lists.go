// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/msp"
)

// channelLists are the revocation lists of the channels' MSPs.
var channelLists struct {
	mu        sync.Mutex
	byChannel map[string][]*organization // protected by mu
	all       atomic.Pointer[[]*organization]
}

// UpdateRevocationLists takes the revocation lists of a channel from its
// configuration. Roles that check revocation judge every handshake by them from
// now on, and drain the connections that they would refuse.
func UpdateRevocationLists(channel channelconfig.Resources) {
	updateLists(channel.ConfigtxValidator().ChannelID(), channel.ConfigtxValidator().ConfigProto())
}

func updateLists(channel string, config *cb.Config) {
	orgs := organizationsOf(channel, config)
	for _, o := range orgs {
		if o.unread != nil {
			commLogger.Errorf("CA certificates of %s cannot be read, and nodes and clients below them not verified, until a configuration update mends it: %s", o.name, o.unread)
		}
	}
	earlier := setChannelLists(channel, orgs)
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	if !anyChecksLocked() {
		return
	}
	for _, o := range orgs {
		o.warn()
	}
	observeLists(earlier, orgs)
	for _, s := range registry.byRole {
		s.retireRefusedLocked()
	}
	if s := dialerPolicy.Load(); s != nil {
		unnamed.retireRefused(s.grace)
	}
}

func setChannelLists(channel string, orgs []*organization) (earlier []*organization) {
	channelLists.mu.Lock()
	defer channelLists.mu.Unlock()
	if channelLists.byChannel == nil {
		channelLists.byChannel = make(map[string][]*organization)
	}
	earlier = channelLists.byChannel[channel]
	channelLists.byChannel[channel] = orgs
	var all []*organization
	for _, channel := range slices.Sorted(maps.Keys(channelLists.byChannel)) {
		all = append(all, channelLists.byChannel[channel]...)
	}
	channelLists.all.Store(&all)
	return earlier
}

// organizationsOf reads the MSPs of a channel, wherever in its configuration
// they stand. The MSPs of one identifier are one organisation: a channel does
// not have two that differ.
func organizationsOf(channel string, config *cb.Config) []*organization {
	byID := make(map[string]*organization)
	var walk func(*cb.ConfigGroup)
	walk = func(group *cb.ConfigGroup) {
		if value := group.GetValues()[channelconfig.MSPKey]; value != nil {
			if fabric := fabricMSP(value.Value); fabric != nil && byID[fabric.Name] == nil {
				byID[fabric.Name] = organizationOf(channel, fabric)
			}
		}
		for _, below := range group.GetGroups() {
			walk(below)
		}
	}
	walk(config.GetChannelGroup())
	orgs := make([]*organization, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		orgs = append(orgs, byID[id])
	}
	return orgs
}

// fabricMSP returns nil for an MSP of another type, and for what is none: the
// channel's own MSPs have been made of the same bytes.
func fabricMSP(raw []byte) *mspproto.FabricMSPConfig {
	config, fabric := &mspproto.MSPConfig{}, &mspproto.FabricMSPConfig{}
	if proto.Unmarshal(raw, config) != nil || config.Type != int32(msp.FABRIC) || proto.Unmarshal(config.Config, fabric) != nil {
		return nil
	}
	return fabric
}

func organizationOf(channel string, fabric *mspproto.FabricMSPConfig) *organization {
	name := fmt.Sprintf("MSP %s in channel %s", fabric.Name, channel)
	var cas []*x509.Certificate
	var unread error
	for _, field := range []struct {
		name  string
		texts [][]byte
	}{
		{"root_certs", fabric.RootCerts}, {"intermediate_certs", fabric.IntermediateCerts},
		{"tls_root_certs", fabric.TlsRootCerts}, {"tls_intermediate_certs", fabric.TlsIntermediateCerts},
	} {
		for i, text := range field.texts {
			certs, err := material.ParseCertificates(fmt.Sprintf("%s %d", field.name, i), text)
			unread = errors.Join(unread, err)
			for _, cert := range certs {
				cas = append(cas, cert.Certificate)
			}
		}
	}
	o := newOrganization(name, cas)
	o.channel, o.msp, o.unread = channel, fabric.Name, unread
	for i, text := range fabric.RevocationList {
		lists, err := material.ParseLists(fmt.Sprintf("list %d", i), text)
		if err != nil {
			o.refuse(err)
		}
		for _, list := range lists {
			if err := o.add(list.CertificateList, cas); err != nil {
				o.refuse(fmt.Errorf("list %d (issuer %s): %w", i, nameOf(list.CertificateList), err))
			}
		}
	}
	return o
}

// warn says what the lists make handshakes refuse.
func (o *organization) warn() {
	for _, err := range o.problems(time.Now()) {
		commLogger.Errorf("TLS and TLCP certificates are refused: %s", err)
	}
}

func anyChecksLocked() bool {
	for _, s := range registry.byRole {
		if s.revocation {
			return true
		}
	}
	return false
}

// loadLists reads and verifies revocation lists under the roots of the role. At
// a start or reload the operator is there to mend what cannot be verified.
func (f Files) loadLists(roots rootSet) (*organization, error) {
	if len(f.RevocationLists) == 0 {
		return nil, nil
	}
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
					"role, in a file of its own or behind another", path, nameOf(list.CertificateList), err))}
			}
		}
	}
	o.warn()
	return o, nil
}

// dialerPolicy is the source whose lists also judge what dialers without a
// source meet: of the node's dialing roles one that checks revocation, or nil.
var dialerPolicy atomic.Pointer[Source]

// setDialerPolicyLocked chooses it anew.
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
	var all []*organization
	if channels := channelLists.all.Load(); channels != nil {
		all = *channels
	}
	return append(slices.Clip(all), s.state.Load().ownLists()...)
}

// ownLists are those of the role's files.
func (s *sourceState) ownLists() []*organization {
	if s.material.read == nil || s.material.read.lists == nil {
		return nil
	}
	return []*organization{s.material.read.lists}
}

// observeOwnLists shows when the lists of the role's files end.
func (s *Source) observeOwnLists(earlier []*organization) {
	if s.revocation {
		observeLists(earlier, s.state.Load().ownLists())
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

// retireRefusedLocked drains the connections of the role that the present lists
// refuse.
func (s *Source) retireRefusedLocked() {
	if !s.revocation {
		return
	}
	for e := range s.endpoints {
		e.conns.retireRefused(s.grace)
	}
	s.dialed.retireRefused(s.grace)
}

func (g *connGroup) retireRefused(grace time.Duration) {
	g.retire(grace, "a revocation list", func(t *tracked) bool { return t.refused != nil && t.refused() != nil })
}
