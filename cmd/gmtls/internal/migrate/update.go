// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/safefile"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// Kinds of configuration updates.
const (
	addGMTLS            = "add-gm-tls-roots"
	removeGMTLS         = "remove-gm-tls-roots"
	consentersBoth      = "consenters-both"
	consentersTLS       = "consenters-tls"
	addGMIdentity       = "add-gm-identity-roots"
	removeGMIdentity    = "remove-gm-identity-roots"
	consentersGM        = "consenters-gm"
	removeECDSATLS      = "remove-ecdsa-tls-roots"
	removeECDSAIdentity = "remove-ecdsa-identity-roots"
)

var kinds = []string{
	addGMTLS, removeGMTLS, consentersBoth, consentersTLS, addGMIdentity, removeGMIdentity, consentersGM, removeECDSATLS, removeECDSAIdentity,
}

// step is a file that was written, with what to know before signing it.
type step struct {
	File  string   `json:"file"`
	What  string   `json:"what"`
	Notes []string `json:"notes,omitempty"`
	Sign  []string `json:"sign"` // policies that the signatures have to satisfy

	changes []change
}

// updater makes the files of one kind of update.
type updater struct {
	kind    string
	orgs    []string // MSP ids; empty: those of the inventory
	out     string
	signers []signer // of recent blocks
	passed  int      // signatures and transactions in them that prove nothing
	q       question // whose stage the kind decides

	inv *inventory
	net *network
}

// outcome is the result of gmtls migrate update.
type outcome struct {
	Kind     string `json:"kind"`
	Refusals []gap  `json:"refusals,omitempty"`
	Steps    []step `json:"steps,omitempty"`
	// Passed counts what proves nothing in the blocks of --recent.
	Passed int `json:"passed_over,omitempty"`
	// Left is how many consenters are to be changed after this one.
	Left int `json:"consenters_left"`
}

// run makes the updates and writes them, unless something speaks against any.
func (u *updater) run(ctx context.Context) (*outcome, error) {
	o := &outcome{Kind: u.kind, Passed: u.passed}
	if err := u.choose(); err != nil {
		return nil, err
	}
	o.Refusals = u.preconditions()
	if len(o.Refusals) > 0 {
		return o, nil
	}
	if f, ok := forms[u.kind]; ok {
		if err := u.consenters(ctx, o, f); err != nil {
			return nil, err
		}
	} else {
		u.roots(o)
	}
	if len(o.Refusals) > 0 {
		o.Steps = nil
		return o, nil
	}
	for i := range o.Steps {
		if err := u.write(&o.Steps[i]); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// choose checks the organisations that were named, or takes all.
func (u *updater) choose() error {
	if len(u.orgs) == 0 {
		u.orgs = sortedKeys(u.inv.Organizations)
	}
	for _, id := range u.orgs {
		if u.inv.Organizations[id] == nil {
			return fmt.Errorf("the inventory has no organisation %s", id)
		}
		if u.net.channel.member(id) == nil {
			return fmt.Errorf("channel %s has no organisation with the MSP id %s", u.net.channel.Name, id)
		}
	}
	return nil
}

// preconditions lists what speaks against the update.
func (u *updater) preconditions() []gap {
	q := u.q
	switch u.kind {
	case addGMTLS, addGMIdentity:
		q.stage = stageRoots
	case consentersBoth:
		q.stage = stageDialing
	case consentersGM, removeECDSATLS, removeECDSAIdentity:
		q.stage = stageIdentities
	default: // on the way back
		return append(u.net.healthGaps(q), u.stillNeeded()...)
	}
	all := u.net.entry(q, u.inv)
	switch u.kind {
	case removeECDSAIdentity:
		all = append(all, u.unused(false)...)
	case removeECDSATLS:
		all = append(all, u.seats(func(s *seat) bool { return s.std }, "the channel still has its TLS certificate, which the root verifies", consentersGM)...)
	}
	return all
}

// stillNeeded lists what still needs what an update takes away.
func (u *updater) stillNeeded() []gap {
	switch u.kind {
	case removeGMIdentity:
		return u.unused(true)
	case removeGMTLS:
		// Whoever still uses the roots need not be in this inventory.
		all := append(u.net.coverage(u.q), u.net.each(usingGM)...)
		return append(all, u.seats(func(s *seat) bool { return s.gm }, "the channel has its SM2 certificate, which the root verifies", consentersTLS)...)
	}
	return u.net.each(func(f *facts) []gap {
		if !f.isConsenterOf(u.net.channel) {
			return nil
		}
		return dialingGM(f)
	})
}

func (u *updater) unused(gm bool) (all []gap) {
	for _, id := range u.orgs {
		all = append(all, inUse(u.signers, id, gm)...)
	}
	return all
}

// seats lists consenters that need the roots of an ordering organisation which is to lose them.
func (u *updater) seats(need func(*seat) bool, reason, kind string) (all []gap) {
	if !slices.ContainsFunc(u.orgs, func(id string) bool { return u.net.channel.member(id).isOrdering() }) {
		return nil
	}
	for _, s := range u.net.channel.consenters {
		if need(s) {
			all = append(all, u.net.seatGap(s, reason, u.net.consenterRemedy(s, kind)+", first"))
		}
	}
	return all
}

func dialingGM(f *facts) (all []gap) {
	for _, r := range f.Roles {
		if r.ClientMode == tlsstatus.ClientGM {
			all = append(all, f.gap(fmt.Sprintf(`PUT {"role":%q,"clientMode":"tls"} to its /tls as one of its operators, and write it into its configuration`, r.Name), "%s dials a GM protocol", r.Name))
		}
	}
	return all
}

func usingGM(f *facts) []gap {
	all := dialingGM(f)
	for _, r := range f.Roles {
		if r.ServerMode == tlsstatus.ModeGM && r.InNetwork() {
			all = append(all, f.gap(fmt.Sprintf(`PUT {"role":%q,"serverMode":"dual"} to its /tls as one of its operators, and write it into its configuration`, r.Name), "%s listens only for GM protocols", r.Name))
		}
	}
	return all
}

// roots makes one update for each organisation: they do not depend on each other
// and can be submitted in any order.
func (u *updater) roots(o *outcome) {
	for _, id := range u.orgs {
		e, refused := u.edit(id)
		if o.Refusals = append(o.Refusals, refused...); len(refused) > 0 {
			continue
		}
		changes, notes, err := u.net.channel.member(id).apply(e)
		if err != nil {
			o.Refusals = append(o.Refusals, gap{Organization: id, Reason: err.Error(), Remedy: "see gmtls inspect of the config block"})
			continue
		}
		if len(changes) > 0 {
			o.Steps = append(o.Steps, step{What: id, Notes: notes, changes: changes})
		}
	}
}

// edit is what the kind does to an organisation's MSP.
func (u *updater) edit(id string) (edit, []gap) {
	org := u.inv.Organizations[id]
	switch u.kind {
	case addGMTLS:
		return addTLSRoots(org.tlsRoots), nil // checked on entry
	case addGMIdentity:
		return addIdentityRoots(org.identityRoots), u.fitRoots(id, org.identityRoots)
	case removeGMIdentity:
		return removeIdentityRoots(true), nil
	case removeECDSAIdentity:
		return removeIdentityRoots(false), nil
	case removeGMTLS:
		return removeTLSRoots(true), nil
	}
	return removeTLSRoots(false), nil
}

func (u *updater) fitRoots(id string, certs []*x509.Certificate) (all []gap) {
	const remedy = "name the file of its SM2 CA for identities under gmIdentityRoots"
	if len(certs) == 0 {
		all = append(all, gap{Organization: id, Reason: "gmIdentityRoots of the inventory is empty", Remedy: remedy})
	}
	for _, c := range certs {
		if reason := unfitAsRoot(c, u.q.now, u.q.validFor); reason != "" {
			all = append(all, gap{Organization: id, Reason: reason, Remedy: remedy})
		}
	}
	return all
}

// consenters makes the update of the next consenter.
func (u *updater) consenters(ctx context.Context, o *outcome, f form) error {
	r, refused, err := u.net.rotate(ctx, u.inv, f)
	if err != nil || len(refused) > 0 || len(r.left) == 0 {
		o.Refusals = refused
		return err
	}
	next := r.left[0]
	c, refusal, err := u.net.changeConsenter(next, f, u.q)
	if err != nil {
		return err
	}
	if refusal != nil {
		o.Refusals = []gap{*refusal}
		return nil
	}
	o.Left = len(r.left) - 1
	o.Steps = []step{{
		What:    "consenter-" + next.address,
		Notes:   []string{fmt.Sprintf("consenter %s, %d of %d", next.address, r.done+1, r.done+len(r.left))},
		changes: []change{*c},
	}}
	return nil
}

// write puts a step's envelope into a new file, which must not exist.
func (u *updater) write(s *step) error {
	data, err := u.net.channel.envelope(u.net.channel.Name, s.changes)
	if err != nil {
		return err
	}
	for _, c := range s.changes {
		group := u.net.channel.group
		for _, name := range c.path {
			group = group.Groups[name]
		}
		s.Sign = append(s.Sign, policyOf(c.path, group.Values[c.key].ModPolicy))
	}
	name := fmt.Sprintf("%s-%d-%s-%s.pb", u.net.channel.Name, u.net.channel.Number, u.kind, s.What)
	if err := os.MkdirAll(u.out, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	s.File = filepath.Join(u.out, fileName(name))
	err = safefile.Create(safefile.File{Name: s.File, Data: data, Mode: 0o644})
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already, from the same config block: use it, or remove it", s.File)
	}
	return err
}

// policyOf is the full name of a modification policy that is at a value of a group.
func policyOf(path []string, policy string) string {
	if strings.HasPrefix(policy, "/") {
		return policy
	}
	return groupPath(path) + "/" + policy
}

// fileName keeps a name to one file of a folder.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", r) {
			return r
		}
		return '_'
	}, name)
}
