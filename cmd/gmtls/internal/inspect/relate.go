// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/mspfolder"
)

// maxCompared bounds how often a signature is verified.
const maxCompared = 100_000

// relate checks whether items belong together. Chains are checked where there
// are CA certificates among them.
func (r *Report) relate(items []*Item) {
	var cas, leaves, lists []*Item
	for _, i := range items {
		switch {
		case i.crl != nil:
			lists = append(lists, i)
		case i.cert != nil && i.cert.IsCA:
			cas = append(cas, i)
		case i.cert != nil:
			leaves = append(leaves, i)
		}
	}
	r.matchKeys(items)
	r.matchPairs(leaves)
	if len(cas) > 0 {
		roots, intermediates := split(cas)
		for _, leaf := range leaves {
			if !leaf.side {
				r.found(leaf.Where, material.CheckChain(leaf.cert, intermediates, roots, r.now)...)
			}
		}
		r.checkLists(lists, cas, leaves)
	}
}

// split parts authorities into roots and the others.
func split(cas []*Item) (roots, others []*x509.Certificate) {
	for _, ca := range cas {
		if bytes.Equal(ca.cert.RawSubject, ca.cert.RawIssuer) {
			roots = append(roots, ca.cert)
		} else {
			others = append(others, ca.cert)
		}
	}
	return roots, others
}

// matchKeys finds the certificate of each private key.
func (r *Report) matchKeys(items []*Item) {
	keyOf, certified := map[string]*Item{}, map[string]bool{}
	certs := 0
	for _, key := range items {
		if id := publicID(key.pub); id != "" && keyOf[id] == nil {
			keyOf[id] = key
		}
	}
	for _, c := range items {
		if c.cert == nil {
			continue
		}
		certs++
		id := publicID(c.cert.PublicKey)
		if certified[id] = id != ""; keyOf[id] != nil {
			c.Note = note(c.Note, "its key is "+keyOf[id].Where)
		}
	}
	for _, key := range items {
		if key.pub != nil && certs > 0 && !certified[publicID(key.pub)] {
			r.found(key.Where, cause.Find(cause.KeyMismatch, "it belongs to none of the %d certificates given", certs))
		}
	}
}

// publicID is the same for the same key, and empty if there is none.
func publicID(key any) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	return string(der)
}

func note(old, more string) string {
	if old == "" {
		return more
	}
	return old + ", " + more
}

func samePublic(a, b any) bool { return publicID(a) != "" && publicID(a) == publicID(b) }

// matchPairs checks SM2 leaves as TLCP pairs: each two that follow one another,
// as in the bundles of consenters, or as given.
func (r *Report) matchPairs(leaves []*Item) {
	var gm []*Item
	for _, leaf := range leaves {
		if x509.IsSM2(leaf.cert.PublicKey) {
			gm = append(gm, leaf)
		}
	}
	for i := 0; i+1 < len(gm); i += 2 {
		first, second := gm[i], gm[i+1]
		if material.CanSign(first.cert) && !material.CanEncrypt(first.cert) &&
			material.CanSign(second.cert) && !material.CanEncrypt(second.cert) &&
			!bytes.Equal(first.cert.RawSubject, second.cert.RawSubject) {
			i-- // two single signing certificates, of identities
			continue
		}
		found := material.CheckPair(first.cert, second.cert)
		for i := range found { // files are often named in alphabetical order
			found[i].Warning = found[i].Cause == cause.SwappedPair && first.file != second.file
		}
		r.found(fmt.Sprintf("%s and %s", first.Where, second.Where), found...)
		if !cause.Failed(found) {
			first.Note = note(first.Note, "a TLCP pair with "+second.Where)
		}
	}
}

// checkLists checks revocation lists as an MSP with these authorities does, and finds who is on them.
func (r *Report) checkLists(lists, cas, leaves []*Item) {
	authorities := certsOf(cas)
	if len(lists)*len(cas) > maxCompared {
		r.found("", cause.Find(cause.Unparsable, "%d revocation lists and %d CAs are too many to compare: inspect fewer at a time", len(lists), len(cas)))
		return
	}
	for _, list := range lists {
		if list.crl == nil {
			continue
		}
		issuer := loglimit.Printable(list.crl.TBSCertList.Issuer.String())
		if err := mspfolder.CheckFolderList(list.crl.CertificateList, authorities); err != nil {
			id := cause.CRLForeign
			if errors.Is(err, x509.ErrOtherSignerID) {
				id = cause.SignerID
			}
			r.found(list.Where, cause.Find(id, "list of %q: %s", issuer, loglimit.Printable(err.Error())))
			continue
		}
		signed := map[string]bool{} // by CAs of these names; one that was renewed says the same
		for _, ca := range authorities {
			if signed[string(ca.RawSubject)] || x509.CheckCRLSignature(ca, list.crl.CertificateList) != nil {
				continue
			}
			signed[string(ca.RawSubject)] = true
			r.revoked(list, ca, leaves)
		}
		if len(signed) == 0 {
			// A node takes it, and revokes nobody by it.
			r.found(list.Where, cause.Warn(cause.CRLForeign, "%q signed it, which is not one of the CAs given", issuer))
		}
	}
}

func (r *Report) revoked(list *Item, ca *x509.Certificate, leaves []*Item) {
	issued := map[string][]*Item{} // by serial number
	for _, leaf := range leaves {
		if bytes.Equal(leaf.cert.RawIssuer, ca.RawSubject) {
			serial := leaf.cert.SerialNumber.Text(16)
			issued[serial] = append(issued[serial], leaf)
		}
	}
	for _, entry := range list.crl.TBSCertList.RevokedCertificates {
		for _, leaf := range issued[entry.SerialNumber.Text(16)] {
			r.found(leaf.Where, cause.Find(cause.Revoked, "%q is on %s", loglimit.Printable(leaf.cert.Subject.String()), list.Where))
		}
	}
}
