// SPDX-License-Identifier: Apache-2.0

package mspfolder

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"regexp"
	"slices"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

var (
	oidSubjectAltName  = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

	// hostName is what Go takes for one: labels with colons and underscores too, and a star in front.
	hostName = regexp.MustCompile(`^(\*|[0-9A-Za-z_:][0-9A-Za-z_:-]*)(\.[0-9A-Za-z_:][0-9A-Za-z_:-]*)*\.?$`)
)

// CheckNameConstraints refuses what an MSP refuses beyond the verification of a chain, leaf first: a certificate without alternative
// names, whose common name is a host name, below a CA with name constraints. Peers must agree on it: it is upstream's rule, which the
// tests of package msp compare it with.
func CheckNameConstraints(chain []*x509.Certificate) error {
	if len(chain) < 2 || hasExtension(chain[0], oidSubjectAltName) || !hostName.MatchString(chain[0].Subject.CommonName) {
		return nil
	}
	for _, ca := range chain[1:] {
		if hasExtension(ca, oidNameConstraints) {
			return fmt.Errorf("the certificate of %q has a host name as its common name and no subject alternative name, and its CA %q has "+
				"name constraints: issue it with an alternative name", chain[0].Subject, ca.Subject)
		}
	}
	return nil
}

// CheckParent refuses an identity whose CA, parent, has also issued one of the intermediate CAs. It is a rule of upstream's, whose error has
// the bytes of the certificate and no name.
func CheckParent(identity, parent *x509.Certificate, intermediates []*x509.Certificate) error {
	for _, ca := range intermediates {
		if bytes.Equal(ca.RawIssuer, parent.RawSubject) && !bytes.Equal(ca.Raw, parent.Raw) && x509.CheckSignatureFrom(ca, parent) == nil {
			return fmt.Errorf("%q issued %q and also the intermediate CA %q (serial number %x), and an MSP takes identities only of a CA without CAs below it: "+
				"let the intermediate CA issue it, or take that CA out of the MSP", parent.Subject, identity.Subject, ca.Subject, ca.SerialNumber)
		}
	}
	return nil
}

func hasExtension(c *x509.Certificate, id asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
}
