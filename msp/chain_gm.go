// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"strings"
	"time"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/mspfolder"
	"github.com/pkg/errors"
)

// getUniqueValidationChain verifies a certificate under the CAs of the MSP.
//
//fork:wrap gm: says what is meant where the library's text misleads: CAs that were renewed, CAs that constrain names
func (msp *bccspmsp) getUniqueValidationChain(cert *x509.Certificate, opts x509.VerifyOptions) ([]*x509.Certificate, error) {
	chain, err := msp.upstreamGetUniqueValidationChain(cert, opts)
	if err != nil && strings.HasPrefix(err.Error(), "this MSP only supports a single validation chain") {
		chains, _ := x509.Verify(cert, opts)
		return nil, explainChains(err, chains)
	}
	return chain, explainChain(err, cert)
}

// explainChains names the two certificates at which the first two chains part. These are mostly of one CA, before and after it was renewed.
func explainChains(err error, chains [][]*x509.Certificate) error {
	if len(chains) < 2 {
		return err
	}
	for i := range min(len(chains[0]), len(chains[1])) {
		if a, b := chains[0][i], chains[1][i]; !bytes.Equal(a.Raw, b.Raw) {
			return errors.Errorf("%v: the CA certificates %q, serial number %x, valid from %s, and %q, serial number %x, valid from %s, both lead to it: keep one of them; "+
				"if the CA was renewed with its key, one that is valid from the older day, in place of both, serves for all identities",
				err, a.Subject, a.SerialNumber, a.NotBefore.UTC().Format(time.RFC3339), b.Subject, b.SerialNumber, b.NotBefore.UTC().Format(time.RFC3339))
		}
	}
	return err
}

// verifyLegacyNameConstraints refuses host names without alternative names below CAs with name constraints, leaf first.
//
//fork:wrap gm: the rule is in one place, which tools use too
func verifyLegacyNameConstraints(chain []*x509.Certificate) error {
	if mspfolder.CheckNameConstraints(chain) != nil {
		return x509.CertificateInvalidError{Cert: chain[0], Reason: x509.NameConstraintsWithoutSANs}
	}
	return nil
}

// explainChain adds the reason to an error of verification. An MSP looks at a chain at the time from which the certificate is
// valid, so that an identity stays one when a CA expires; for a CA that became valid later the library then prints that
// time as the current one.
func explainChain(err error, cert *x509.Certificate) error {
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Cert == nil {
		return err
	}
	switch {
	case invalid.Reason == x509.Expired && cert.NotBefore.Before(invalid.Cert.NotBefore):
		return errors.Wrapf(err, "the certificate of %q is valid from %s, and its CA %q from %s only: if the CA was renewed with its key, "+
			"put its older certificate back, together with the new one, or put one there that is valid from the older day", cert.Subject, cert.NotBefore.UTC().Format(time.RFC3339),
			invalid.Cert.Subject, invalid.Cert.NotBefore.UTC().Format(time.RFC3339))
	case invalid.Reason == x509.NameConstraintsWithoutSANs:
		return errors.Wrapf(err, "the certificate of %q has a host name as its common name and no subject alternative name, "+
			"and its CA %q, or one above it, has name constraints: issue it with an alternative name", cert.Subject, cert.Issuer)
	}
	return err
}
