// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

// maxAuthorities is the number of names that a line shows.
const maxAuthorities = 8

// authorityNames decodes the names of a CertificateRequest.
func authorityNames(ders [][]byte) []string {
	var names []string
	for _, der := range ders {
		var rdn pkix.RDNSequence
		if _, err := asn1.Unmarshal(der, &rdn); err != nil {
			names = append(names, "(a name that cannot be parsed)")
			continue
		}
		var name pkix.Name
		name.FillFromRDNSequence(&rdn)
		names = append(names, loglimit.Printable(name.String()))
	}
	return names
}

// listed reports whether a client sends the pair to a server with this list of authorities; an empty list takes any.
func listed(pair *gmtls.Certificate, authorities [][]byte) bool {
	issues := func(leaf *x509.Certificate) bool {
		return leaf != nil && slices.ContainsFunc(authorities, func(name []byte) bool { return bytes.Equal(name, leaf.RawIssuer) })
	}
	if len(authorities) == 0 || issues(pair.Leaf) || issues(pair.EncLeaf) {
		return true
	}
	for _, der := range pair.Certificate[min(2, len(pair.Certificate)):] {
		if c, err := gmx509.ParseCertificate(der); err == nil && issues(c) {
			return true
		}
	}
	return false
}

func (a *Attempt) authorities() string {
	if a.foreign != "" {
		return "; the pair given was not sent, as its CA " + a.foreign + " is not in the server's list" + a.accepted()
	}
	return a.accepted()
}

func (a *Attempt) accepted() string {
	names := authorityNames(a.wire.Authorities)
	switch {
	case len(names) == 0:
		return ""
	case len(names) > maxAuthorities:
		names = append(names[:maxAuthorities], "and more")
	}
	return "; certificates of these authorities are accepted: " + strings.Join(names, "; ")
}

// hintAtIntermediate tells of a root given by which the server accepts clients: if the server's own issuer is not known, it may be an
// intermediate CA of that root.
func (p *prober) hintAtIntermediate(authorities [][]byte) string {
	for _, root := range p.Roots.Certs {
		if slices.ContainsFunc(authorities, func(name []byte) bool { return bytes.Equal(name, root.RawSubject) }) {
			return fmt.Sprintf("; the server accepts clients of %q, which was given, so that the issuer may be an intermediate CA of it",
				loglimit.Printable(root.Subject.String()))
		}
	}
	return ""
}

// ownAuthorities are the intermediate CAs that are behind the client's own certificates: a server of the same organisation is often
// issued by one of them.
func (p *prober) ownAuthorities() (known []*x509.Certificate) {
	var ders [][]byte
	if p.pair != nil {
		ders = p.pair.Certificate[min(2, len(p.pair.Certificate)):]
	}
	if p.cert != nil {
		ders = slices.Concat(ders, p.cert.Certificate[1:])
	}
	for _, der := range ders {
		if c, err := gmx509.ParseCertificate(der); err == nil {
			known = append(known, c)
		}
	}
	return known
}
