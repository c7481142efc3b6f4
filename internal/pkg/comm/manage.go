// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric/common/tlsstatus"
)

// Status describes every registered source, the listeners without one, ordered
// by role, and the connections of dialers without a source, if there are any.
func Status() []tlsstatus.Role {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	all := make([]tlsstatus.Role, 0, len(registry.byRole))
	for _, s := range registry.byRole {
		all = append(all, s.statusLocked())
	}
	for s := range registry.fixed {
		all = append(all, s.statusLocked())
	}
	if dialed := unnamed.count(); len(dialed) > 0 {
		all = append(all, tlsstatus.Role{Name: tlsstatus.Unnamed, Certificates: []tlsstatus.Certificate{}, Dialed: dialed})
	}
	slices.SortFunc(all, func(a, b tlsstatus.Role) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (s *Source) statusLocked() tlsstatus.Role {
	state := s.state.Load()
	status := tlsstatus.Role{
		Name:                 roleName(s.role),
		ServerMode:           state.serverMode,
		ClientMode:           state.clientMode,
		ConfiguredServerMode: s.configured.server,
		ConfiguredClientMode: s.configured.client,
		Certificates:         state.status(time.Now()),
		ServerRoots:          state.serverRoots.status(),
		ClientRoots:          state.clientRoots.status(),
		Dialed:               s.dialed.count(),
	}
	if state.serverMode.GM() || s.unwrittenGMServer(state) {
		status.GMProtocols, status.ConfiguredGMProtocols = settingsOf(state.gmServer), settingsOf(s.configured.gmServer)
	}
	if state.clientMode == ClientGM || s.unwrittenGMClient(state) {
		status.GMClientProtocol, status.ConfiguredGMClientProtocol = settingOf(state.gmClient), settingOf(s.configured.gmClient)
	}
	if s.last != nil {
		last := *s.last
		status.Last = &last
	}
	if s.revocation {
		status.Revocation = revocationStatus(s.lists(), time.Now())
	}
	for e := range s.endpoints {
		status.Listeners = append(status.Listeners, tlsstatus.Listener{
			Address:     e.conns.listener,
			MutualTLS:   e.policy.requireClientCert,
			Connections: e.conns.count(),
		})
	}
	slices.SortFunc(status.Listeners, func(a, b tlsstatus.Listener) int { return strings.Compare(a.Address, b.Address) })
	return status
}

func (m Material) status(now time.Time) []tlsstatus.Certificate {
	uses := []string{tlsstatus.UseGMSigning, tlsstatus.UseGMEncryption}
	if m.Std != nil {
		uses = append([]string{tlsstatus.UseTLS}, uses...)
	}
	all := make([]tlsstatus.Certificate, 0, len(uses))
	for i, cert := range m.certificates() {
		all = append(all, tlsstatus.Certificate{
			Use:      uses[i],
			Subject:  cert.Subject.String(),
			Serial:   cert.SerialNumber.Text(16),
			NotAfter: cert.NotAfter,
			Expired:  now.After(cert.NotAfter),
		})
	}
	return all
}

func (r rootSet) status() []tlsstatus.Root {
	var all []tlsstatus.Root
	for _, cert := range r.std {
		all = append(all, tlsstatus.Root{Family: tlsstatus.FamilyTLS, Subject: cert.Subject.String(), NotAfter: cert.NotAfter})
	}
	for _, cert := range r.gm {
		all = append(all, tlsstatus.Root{Family: tlsstatus.FamilyGM, Subject: cert.Subject.String(), NotAfter: cert.NotAfter})
	}
	return all
}

// Reload reloads the material of a role, or of all roles if role is empty.
// Everything is loaded and checked before anything is swapped: on an error
// nothing has changed. A root that was removed from the files is no longer
// trusted unless options or a channel configuration have it as well.
//
// Files are read before anything is locked, because they may be on a mount that
// does not respond. After a minute Reload gives up.
func Reload(role string) error {
	loaded, finish, err := loadRole(role)
	if err != nil {
		return err
	}
	defer finish()
	return change(role, "reload", func(s *Source) (*sourceState, error) {
		l, ok := loaded[s]
		if !ok {
			return nil, fmt.Errorf("comm: %s was set up during the reload: reload again", s.role)
		}
		if l.err != nil {
			return nil, fmt.Errorf("comm: load material of %s: %w", s.role, l.err)
		}
		old := s.state.Load()
		state, err := s.prepare(l.material, old)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		if err := state.checkValidity(s.role, now); err != nil {
			return nil, err
		}
		return state, s.checkOwn(state, now, true)
	})
}

// loadTimeout bounds the reading of files for a reload.
var loadTimeout = time.Minute

var (
	errLoading = errors.New("an earlier reload is under way: do its files lie on a mount that does not answer?")
	errUnread  = fmt.Errorf("its files could not be read within %s: do they lie on a mount that does not answer?", loadTimeout)
)

// loading is what a source has loaded, or why it has not.
type loading struct {
	source   *Source
	material Material
	err      error
}

// loadRole loads the material of the sources that role chooses, without a lock.
// No other reload of these sources begins before finish is called.
func loadRole(role string) (loaded map[*Source]loading, finish func(), err error) {
	registry.mu.RLock()
	chosen, err := chooseLocked(role)
	registry.mu.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	loaded = make(map[*Source]loading)
	results := make(chan loading, len(chosen))
	left := 0
	for _, s := range chosen {
		if !s.reloading.CompareAndSwap(false, true) {
			loaded[s] = loading{err: errLoading}
			continue
		}
		loaded[s] = loading{err: errUnread}
		left++
		go func() {
			material, err := s.load()
			results <- loading{s, material, err}
		}()
	}
	var arrived []*Source
	timeout := time.NewTimer(loadTimeout)
	defer timeout.Stop()
	for ; left > 0; left-- {
		select {
		case r := <-results:
			loaded[r.source] = r
			arrived = append(arrived, r.source)
			continue
		case <-timeout.C:
		}
		break
	}
	go func() { // those that are late can be tried again when they come
		for range left {
			late := <-results
			late.source.reloading.Store(false)
		}
	}()
	return loaded, func() {
		for _, s := range arrived {
			s.reloading.Store(false)
		}
	}, nil
}

// SetMode switches the modes of a role, or of all roles that have such a mode
// if role is empty. An empty mode leaves that side as it is. On an error
// nothing has changed. Connections of a protocol that the new mode does not
// have are asked to end, and closed after the grace period.
func SetMode(role string, server ServerMode, client ClientMode) error {
	if server == "" && client == "" {
		return errors.New("comm: no mode given")
	}
	if _, err := ParseServerMode(string(server)); err != nil {
		return err
	}
	if _, err := ParseClientMode(string(client)); err != nil {
		return err
	}
	var listen, dial func(*sourceState)
	if server != "" {
		listen = func(state *sourceState) { state.serverMode = server }
	}
	if client != "" {
		dial = func(state *sourceState) { state.clientMode = client }
	}
	return changeSides(role, "mode", listen, dial)
}

// changeSides changes how a role, or each role if role is empty, listens and
// dials; nil leaves that side as it is.
func changeSides(role, action string, listen, dial func(*sourceState)) error {
	if err := requireSides(role, listen != nil, dial != nil); err != nil {
		return err
	}
	return change(role, action, func(s *Source) (*sourceState, error) {
		state := *s.state.Load()
		if listen != nil && state.serverMode != "" {
			listen(&state)
		}
		if dial != nil && state.clientMode != "" {
			dial(&state)
		}
		return &state, s.checkModes(&state)
	})
}

// requireSides refuses a change that would change nothing: of a side that the
// role does not have or, if role is empty, that none has.
func requireSides(role string, listening, dialing bool) error {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	chosen, err := chooseLocked(role)
	if err != nil {
		return err
	}
	who := role
	if role == "" {
		who = "this process"
	}
	has := func(side func(*sourceState) bool) bool {
		return slices.ContainsFunc(chosen, func(s *Source) bool { return side(s.state.Load()) })
	}
	if listening && !has(func(state *sourceState) bool { return state.serverMode != "" }) {
		return fmt.Errorf("comm: %s does not listen: leave out the server mode and the GM protocols of listeners", who)
	}
	if dialing && !has(func(state *sourceState) bool { return state.clientMode != "" }) {
		return fmt.Errorf("comm: %s does not dial: leave out the client mode and the GM protocol of dialers", who)
	}
	return nil
}

// swap is a new state of a source with the states that its listeners get.
type swap struct {
	source    *Source
	state     *sourceState
	endpoints map[*endpoint]*serverState
}

// change prepares a new state for each chosen source and all of its listeners,
// and swaps only if all succeeded.
func change(role, action string, next func(*Source) (*sourceState, error)) error {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	chosen, err := chooseLocked(role)
	if err != nil {
		return err
	}
	var swaps []swap
	var failed []error
	for _, s := range chosen {
		prepared, err := s.prepareSwapLocked(next)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		swaps = append(swaps, prepared)
	}
	err = errors.Join(failed...)
	outcome := tlsstatus.Outcome{Time: time.Now(), Action: action}
	if err != nil {
		outcome.Error = err.Error()
	}
	for _, s := range chosen {
		last := outcome
		s.last = &last
	}
	if err != nil {
		return err
	}
	for _, w := range swaps {
		w.commitLocked()
		if action != "reload" {
			w.source.warnUnwritten()
		}
	}
	return nil
}

// unwrittenGMServer reports whether listeners of the role speak other GM protocols than at start.
func (s *Source) unwrittenGMServer(state *sourceState) bool {
	return state.serverMode != "" && !slices.Equal(state.gmServer, s.configured.gmServer)
}

// unwrittenGMClient reports whether the role dials another GM protocol than at start.
func (s *Source) unwrittenGMClient(state *sourceState) bool {
	return state.clientMode != "" && state.gmClient != s.configured.gmClient
}

// warnUnwritten logs what to write into the configuration if the present modes
// and GM protocols are to outlive a restart.
func (s *Source) warnUnwritten() {
	state := s.state.Load()
	server, client := state.serverMode, state.clientMode
	if server != s.configured.server {
		commLogger.Warningf("%s listens in mode %s now and was started with %s, which a restart brings back: set %s to %s", s.role, server, s.configured.server, s.modeKey, server)
	}
	if client != s.configured.client {
		commLogger.Warningf("%s dials in mode %s now and was started with %s, which a restart brings back: set %s to %s", s.role, client, s.configured.client, s.modeKey, client)
	}
	if s.unwrittenGMServer(state) {
		now := joinProtocols(state.gmServer)
		commLogger.Warningf("%s listens for the GM protocols %s now and was started with %s, which a restart brings back: set %s to [%s]", s.role, now, joinProtocols(s.configured.gmServer), s.gmKey, now)
	}
	if s.unwrittenGMClient(state) {
		now := settingOf(state.gmClient)
		commLogger.Warningf("%s dials the GM protocol %s now and was started with %s, which a restart brings back: set %s to %s", s.role, now, settingOf(s.configured.gmClient), s.gmKey, now)
	}
}

func chooseLocked(role string) ([]*Source, error) {
	if role != "" {
		s := registry.byRole[role]
		for fixed := range registry.fixed {
			if s == nil && fixed.role == role {
				return nil, fmt.Errorf("comm: %s is as its process started it: it can be neither switched nor reloaded", role)
			}
		}
		if s == nil {
			return nil, fmt.Errorf("comm: there is no role %q in this process", role)
		}
		return []*Source{s}, nil
	}
	return sortedLocked(), nil
}

// sortedLocked returns the registered sources by role.
func sortedLocked() []*Source {
	all := slices.Collect(maps.Values(registry.byRole))
	slices.SortFunc(all, func(a, b *Source) int { return strings.Compare(a.role, b.role) })
	return all
}

func (s *Source) prepareSwapLocked(next func(*Source) (*sourceState, error)) (swap, error) {
	state, err := next(s)
	if err != nil {
		return swap{}, err
	}
	w := swap{source: s, state: state, endpoints: make(map[*endpoint]*serverState)}
	for e := range s.endpoints {
		built, err := e.build(state)
		if err == nil {
			err = e.checkSwitch(built)
		}
		if err != nil {
			return swap{}, fmt.Errorf("comm: listener %s at %s: %w", s.role, e.conns.listener, err)
		}
		w.endpoints[e] = built
	}
	return w, nil
}

func (w swap) commitLocked() {
	s := w.source
	old := s.state.Load()
	s.state.Store(w.state)
	retireKeys(old.Material, w.state.Material)
	s.rememberLocked(w.state)
	observeCertificates(s.role, w.state)
	s.observeOwnLists(old.ownLists())
	if w.state.Std != old.Std || w.state.GM != old.GM {
		s.trackExpiryLocked(w.state)
	}
	for e, built := range w.endpoints {
		e.live.state.Store(built)
		e.conns.drain(s.grace)
	}
	s.dialed.drain(s.grace)
	s.retireRefusedLocked()
	s.dialed.retire(s.grace, "a new certificate", (*tracked).outdated)
}
