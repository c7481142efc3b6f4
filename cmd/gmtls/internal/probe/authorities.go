// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
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
		names = append(names, wire.Printable(name.String()))
	}
	return names
}

func (a *Attempt) authorities() string {
	names := authorityNames(a.wire.Authorities)
	switch {
	case len(names) == 0:
		return ""
	case len(names) > maxAuthorities:
		names = append(names[:maxAuthorities], "and more")
	}
	return "; certificates of these authorities are accepted: " + strings.Join(names, "; ")
}
