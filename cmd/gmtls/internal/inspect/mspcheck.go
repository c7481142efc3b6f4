// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	stdx509 "crypto/x509"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/mspfolder"
)

// checkMSP checks what a node checks when it loads an MSP, and besides what
// makes others refuse its identity.
func (r *Report) checkMSP(m *mspFolder) {
	if len(m.roots) == 0 {
		r.found(m.dir, cause.Find(cause.MSPIncomplete, "cacerts holds no certificate"))
	}
	authorities := certified(slices.Concat(m.roots, m.intermediates, m.tlsRoots, m.tlsIntermediates))
	for _, i := range authorities {
		r.checkAuthority(i)
	}
	for _, i := range certified(m.intermediates) {
		r.checkPath(i, m)
	}
	for _, i := range certified(slices.Concat(m.admins, m.signers)) {
		r.checkIdentity(i, m)
	}
	for _, i := range certified(m.tlsIntermediates) {
		r.found(i.Where, material.CheckChain(i.cert, certsOf(m.tlsIntermediates), certsOf(m.tlsRoots), r.now)...)
	}
	r.checkLists(m.lists, authorities, certified(slices.Concat(m.intermediates, m.admins, m.signers)))
	r.checkSigner(m)
	r.checkOUs(m)
}

func (r *Report) checkAuthority(i *Item) {
	switch {
	case !i.cert.IsCA, i.cert.KeyUsage != 0 && i.cert.KeyUsage&stdx509.KeyUsageCertSign == 0:
		r.found(i.Where, cause.Find(cause.NotACA, "%q is for %s", i.Cert.Subject, strings.Join(i.Cert.Usage, ", ")))
	case len(i.cert.SubjectKeyId) == 0:
		r.found(i.Where, cause.Find(cause.NotACA, "%q has no subject key identifier, which an MSP demands of its CAs", i.Cert.Subject))
	}
}

// checkFamily finds certificates that join SM2 and other algorithms.
func (r *Report) checkFamily(i *Item) {
	if x509.IsSM2(i.cert.PublicKey) != (i.cert.SignatureAlgorithm == x509.SM2WithSM3) {
		r.found(i.Where, cause.Find(cause.FamilyMixed, "the key of %q is %s, and %q signed it with %v",
			i.Cert.Subject, i.Cert.Key, i.Cert.Issuer, i.cert.SignatureAlgorithm))
	}
}

// checkIdentity checks a certificate of signcerts or admincerts.
func (r *Report) checkIdentity(i *Item, m *mspFolder) {
	if i.cert.IsCA {
		r.found(i.Where, cause.Find(cause.ChainBroken, "%q is a CA, which cannot be an identity", i.Cert.Subject))
		return
	}
	if x509.IsSM2(i.cert.PublicKey) {
		if err := x509.CheckExactDER(i.cert); err != nil {
			r.found(i.Where, cause.Find(cause.ChainBroken, "other nodes refuse %q: %v; have the CA issue it in DER", i.Cert.Subject, err))
		}
	}
	if parent := r.checkPath(i, m); parent != nil {
		if err := mspfolder.CheckParent(i.cert, parent, certsOf(m.intermediates)); err != nil {
			r.found(i.Where, cause.Find(cause.ChainBroken, "%s", loglimit.Printable(err.Error())))
		}
	}
}

// checkPath checks that one chain leads from a certificate to a root. As an MSP
// does, it leaves the clock aside and wants serverAuth among the extended key
// usages if there are any. It returns who issued the certificate if nothing is wrong.
func (r *Report) checkPath(i *Item, m *mspFolder) (parent *x509.Certificate) {
	roots, intermediates := certsOf(m.roots), certsOf(m.intermediates)
	if found := material.CheckChain(i.cert, intermediates, roots, r.now); len(found) > 0 {
		r.found(i.Where, found...)
		return nil
	}
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: x509.JudgedAt(i.cert)}
	for _, c := range roots {
		opts.Roots.AddCert(c)
	}
	for _, c := range intermediates {
		opts.Intermediates.AddCert(c)
	}
	chains, err := x509.Verify(i.cert, opts)
	var invalid stdx509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == stdx509.IncompatibleUsage:
		r.found(i.Where, cause.Find(cause.NoServerAuth, "an MSP takes %q only with serverAuth, or without extended key usages", i.Cert.Subject))
	case err != nil:
		r.found(i.Where, cause.Find(cause.ChainBroken, "%q: %v", i.Cert.Subject, err))
	case len(chains) != 1:
		r.found(i.Where, cause.Find(cause.ChainBroken, "%d chains lead from %q to a CA, an MSP takes one: no CA may stand both in cacerts and in intermediatecerts, "+
			"or there with two certificates of one key that are valid at the same time", len(chains), i.Cert.Subject))
	default:
		if err := mspfolder.CheckNameConstraints(chains[0]); err != nil {
			r.found(i.Where, cause.Find(cause.ChainBroken, "%s", loglimit.Printable(err.Error())))
		} else if len(chains[0]) > 1 {
			return chains[0][1]
		}
	}
	return nil
}

// checkSigner checks the node's own identity. An MSP without signcerts and
// keystore serves to verify others, as in channel configurations.
func (r *Report) checkSigner(m *mspFolder) {
	switch {
	case len(m.signers) == 0 && !isDir(filepath.Join(m.dir, "keystore")):
		r.add(&Item{Where: m.dir, Kind: "MSP", Note: "verifies identities, has no identity itself"})
		return
	case len(m.signers) == 0:
		r.found(m.dir, cause.Find(cause.MSPIncomplete, "signcerts holds no certificate"))
		return
	case len(m.signers) > 1:
		r.found(m.dir, cause.Warn(cause.UnusedFile, "signcerts holds %d certificates; the node takes the first one", len(m.signers)))
	}
	signer := m.signers[0]
	r.add(&Item{Where: m.dir, Kind: "MSP", Note: "of a node or user"})
	if signer.cert == nil {
		return
	}
	if len(m.keystore) == 0 {
		r.found(m.dir, cause.Warn(cause.KeyMissing, "keystore is empty; %q needs a key from an HSM", signer.Cert.Subject))
		return
	}
	for _, key := range m.keystore {
		if key.pub != nil && samePublic(signer.cert.PublicKey, key.pub) {
			signer.Note = note(signer.Note, "its key is "+key.Where)
			return
		}
	}
	if slices.ContainsFunc(m.keystore, func(k *Item) bool { return k.Kind == kindKey && k.pub == nil }) {
		return // encrypted: that was warned of
	}
	r.found(signer.Where, cause.Find(cause.KeyMismatch, "none of the %d keys in keystore is that of %q", len(m.keystore), signer.Cert.Subject))
}
