// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/smx509"
)

// permitted returns the chains without those in which an authority excludes a host that a
// wildcard below it stands for. The engine compares names label by label, so that
// *.example.com passes where host.example.com is excluded (CVE-2025-61727).
func permitted(chains [][]*smx509.Certificate) ([][]*smx509.Certificate, error) {
	var refused error
	chains = slices.DeleteFunc(chains, func(chain []*smx509.Certificate) bool {
		err := checkWildcards(chain)
		if refused == nil {
			refused = err
		}
		return err != nil
	})
	if len(chains) == 0 {
		return nil, refused
	}
	return chains, nil
}

// checkWildcards checks the wildcards of a chain against the excluded hosts of the
// authorities above them. A wildcard stands for one label (RFC 6125, 6.4.3), so that it
// covers an excluded host if both are the same without their first.
func checkWildcards(chain []*smx509.Certificate) error {
	wildcards := make(map[string]string) // name by what follows the asterisk
	for _, cert := range chain {
		for _, excluded := range cert.ExcludedDNSDomains {
			_, parent, _ := strings.Cut(strings.ToLower(excluded), ".")
			if name := wildcards[parent]; name != "" {
				return smx509.CertificateInvalidError{
					Cert: cert, Reason: smx509.CANotAuthorizedForThisName,
					Detail: fmt.Sprintf("DNS name %q is excluded by constraint %q", name, excluded),
				}
			}
		}
		for _, name := range cert.DNSNames {
			if parent, ok := strings.CutPrefix(strings.ToLower(name), "*."); ok {
				wildcards[parent] = name
			}
		}
	}
	return nil
}
