// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric/common/mspfolder"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// RevocationError says that a peer's certificate is refused by revocation
// lists: a list names it or a CA above it, or the lists of its organisation cannot
// be used.
type RevocationError struct {
	Subject, Serial string // of the peer's certificate, or of the CA that is revoked
	Reason          string
}

// Error names the certificate and the reason.
func (e *RevocationError) Error() string {
	return fmt.Sprintf("comm: certificate %s (serial number %s) is refused: %s", e.Subject, e.Serial, e.Reason)
}

// keyID names a CA by its key, the SHA-256 of its SubjectPublicKeyInfo. A
// renewed CA certificate has another key identifier at times, and never another
// key.
type keyID [sha256.Size]byte

func keyIDOf(ca *x509.Certificate) keyID { return sha256.Sum256(ca.RawSubjectPublicKeyInfo) }

// organization is what one MSP of one channel, or the files of one role, say of
// revocation. It is not changed once made.
//
// What a verified list names is revoked for everybody. That a list cannot be
// verified, or that its time is over, concerns the certificates of this
// organisation alone: with one CA for several organisations it is enough that
// another one can answer for a certificate.
type organization struct {
	name    string // for messages
	msp     string // identifier; empty for files
	channel string // empty for files
	cas     map[keyID]struct{}
	broken  error // nil: all of its lists have been verified
	unread  error // of CAs in its configuration; nil: all have been read
	revoked map[keyID]map[string]struct{}
	current map[keyID]map[string]*pkix.CertificateList // the newest of each CA and scope
}

// newOrganization returns one that has these CAs, and no lists yet.
func newOrganization(name string, cas []*x509.Certificate) *organization {
	o := &organization{
		name:    name,
		cas:     make(map[keyID]struct{}),
		revoked: make(map[keyID]map[string]struct{}),
		current: make(map[keyID]map[string]*pkix.CertificateList),
	}
	for _, ca := range cas {
		o.cas[keyIDOf(ca)] = struct{}{}
	}
	return o
}

// add takes a list into account, from its verification on.
func (o *organization) add(list *pkix.CertificateList, cas []*x509.Certificate) error {
	issuer, err := mspfolder.Issuer(list, cas)
	if err != nil {
		return err
	}
	scope, err := mspfolder.Scope(list)
	if err != nil {
		return err
	}
	id := keyIDOf(issuer)
	o.cas[id] = struct{}{}
	if o.revoked[id] == nil {
		o.revoked[id] = make(map[string]struct{})
		o.current[id] = make(map[string]*pkix.CertificateList)
	}
	for _, entry := range list.TBSCertList.RevokedCertificates {
		o.revoked[id][entry.SerialNumber.String()] = struct{}{}
	}
	if known := o.current[id][scope]; known == nil || known.TBSCertList.ThisUpdate.Before(list.TBSCertList.ThisUpdate) {
		o.current[id][scope] = list
	}
	return nil
}

// refuse makes the organisation answer for no certificate any more.
func (o *organization) refuse(err error) { o.broken = errors.Join(o.broken, err) }

// problems are the reasons for which certificates are refused that no list
// names.
func (o *organization) problems(now time.Time) []error {
	if o.broken != nil {
		return []error{o.answer(nil, now)}
	}
	var all []error
	for id := range o.current {
		if err := o.stale(id, now); err != nil {
			all = append(all, err)
		}
	}
	return all
}

// knows reports whether one of the CAs is the organisation's.
func (o *organization) knows(cas []keyID) bool {
	for _, id := range cas {
		if _, ok := o.cas[id]; ok {
			return true
		}
	}
	return false
}

// answer returns nil if the lists of the organisation can be relied upon for
// certificates below the CAs.
func (o *organization) answer(cas []keyID, now time.Time) error {
	if o.broken != nil {
		return fmt.Errorf("a revocation list of %s cannot be used: %w", o.name, o.broken)
	}
	for _, id := range cas {
		if err := o.stale(id, now); err != nil {
			return err
		}
	}
	return nil
}

// stale says that a list of the CA was to be replaced by now (RFC 5280, section
// 5.1.2.5). One that names no such time never is.
func (o *organization) stale(id keyID, now time.Time) error {
	for _, list := range o.current[id] {
		if end := list.TBSCertList.NextUpdate; !end.IsZero() && now.After(end) {
			return fmt.Errorf("the revocation list of %s, issuer %s, was to be replaced by %s: put a new one in its place",
				o.name, nameOf(list), end.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// end returns the time from which a list is stale, the first of several; zero:
// never.
func (o *organization) end() (first time.Time) {
	for _, scopes := range o.current {
		for _, list := range scopes {
			if end := list.TBSCertList.NextUpdate; !end.IsZero() && (first.IsZero() || end.Before(first)) {
				first = end
			}
		}
	}
	return first
}

func nameOf(list *pkix.CertificateList) string {
	var name pkix.Name
	name.FillFromRDNSequence(&list.TBSCertList.Issuer)
	return name.String()
}

// judge refuses a peer none of whose verified chains stands up to the lists.
// Without chains nothing was verified, and there is nothing to judge.
func judge(orgs []*organization, chains [][]*x509.Certificate, now time.Time) error {
	var first error
	for _, chain := range chains {
		err := judgeChain(orgs, chain, now)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func judgeChain(orgs []*organization, chain []*x509.Certificate, now time.Time) error {
	if len(chain) < 2 {
		return nil // a certificate that the node itself trusts by name
	}
	cas := make([]keyID, len(chain)-1)
	for i, ca := range chain[1:] {
		cas[i] = keyIDOf(ca)
	}
	for i, cert := range chain[:len(chain)-1] {
		serial := cert.SerialNumber.String()
		for _, o := range orgs {
			if _, ok := o.revoked[cas[i]][serial]; ok {
				return refusal(cert, fmt.Errorf("it has been revoked, by a list of %s", o.name))
			}
		}
	}
	var refused error
	for _, o := range orgs {
		if !o.knows(cas) {
			continue
		}
		err := o.answer(cas, now)
		if err == nil {
			return nil
		}
		if refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return refusal(chain[0], refused)
	}
	return nil
}

func refusal(cert *x509.Certificate, reason error) error {
	return &RevocationError{Subject: cert.Subject.String(), Serial: cert.SerialNumber.Text(16), Reason: reason.Error()}
}

func revocationStatus(orgs []*organization, now time.Time) *tlsstatus.Revocation {
	status := &tlsstatus.Revocation{Lists: []tlsstatus.RevocationList{}}
	for _, o := range orgs {
		for _, scopes := range o.current {
			for _, list := range scopes {
				one := tlsstatus.RevocationList{Origin: o.name, Issuer: nameOf(list), ThisUpdate: list.TBSCertList.ThisUpdate}
				if end := list.TBSCertList.NextUpdate; !end.IsZero() {
					one.NextUpdate = &end
				}
				status.Lists = append(status.Lists, one)
			}
		}
		for _, err := range o.problems(now) {
			status.Refused = append(status.Refused, err.Error())
		}
	}
	slices.SortFunc(status.Lists, func(a, b tlsstatus.RevocationList) int { return strings.Compare(a.Origin+a.Issuer, b.Origin+b.Issuer) })
	return status
}
