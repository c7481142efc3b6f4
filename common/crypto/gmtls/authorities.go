// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/smx509"
)

const (
	// maxConstraintComparisons bounds the comparisons of the names in a chain with the
	// name constraints of one authority. The engine's own bound is 250,000.
	maxConstraintComparisons = 2000
	// maxRootChecks bounds the signatures of a peer's authorities that are checked
	// against roots. It is reached only with many roots of one name.
	maxRootChecks = 100
)

// authorities returns those of the authorities that a peer sent which lead to a
// root by their signatures. No others take part in building chains: a
// stranger makes as many as he likes that have issued each other, and the path
// builder would try all ways through them, with the name constraints of each
// (as in CVE-2025-58187). Here each costs a signature for each root and each
// proved authority that has the name of its issuer.
//
// Whether they make a valid chain is left to the path builder. refused says why
// one that a root has issued is not used, if there is such a one.
func authorities(sent []*smx509.Certificate, opts smx509.VerifyOptions) (proved *smx509.CertPool, refused error) {
	opts.KeyUsages = []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny}
	roots := opts.Roots.Subjects()
	var next, left []*smx509.Certificate // next: proved, and what they have issued is yet to be found
	checks := 0
	for _, cert := range sent {
		for _, root := range roots {
			if bytes.Equal(root, cert.RawIssuer) {
				checks++
			}
		}
		err := error(smx509.UnknownAuthorityError{})
		if checks <= maxRootChecks {
			_, err = cert.Verify(opts)
		}
		if err == nil {
			next = append(next, cert)
			continue
		}
		left = append(left, cert)
		var unknown smx509.UnknownAuthorityError
		if refused == nil && !errors.As(err, &unknown) {
			refused = fmt.Errorf("authority %q of the peer: %w", cert.Subject, err)
		}
	}
	proved = smx509.NewCertPool()
	for len(next) > 0 {
		ca := next[0]
		next = next[1:]
		proved.AddCert(ca)
		left = slices.DeleteFunc(left, func(cert *smx509.Certificate) bool {
			if !bytes.Equal(cert.RawIssuer, ca.RawSubject) || cert.CheckSignatureFrom(ca) != nil {
				return false
			}
			next = append(next, cert)
			return true
		})
	}
	return proved, refused
}

// reasonOf returns why a certificate has no chain, given the error of the path
// builder and that of an authority that was refused.
func reasonOf(err, refused error) error {
	var unknown smx509.UnknownAuthorityError
	var invalid smx509.CertificateInvalidError
	switch {
	case refused != nil && errors.As(err, &unknown):
		return refused
	case errors.As(err, &invalid) && invalid.Reason == smx509.TooManyConstraints:
		return fmt.Errorf("more than %d comparisons of the names in its chain with the name constraints of %q: "+
			"let the CA issue it with fewer names (%w)", maxConstraintComparisons, invalid.Cert.Subject, err)
	}
	return err
}
