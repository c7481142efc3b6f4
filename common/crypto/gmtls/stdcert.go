// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/x509"

	"github.com/emmansun/gmsm/smx509"
)

// stdCertificate returns c as a certificate of crypto/x509, whose own parser
// refuses the SM2 curve. Slices and pointers are shared with c. Algorithms that
// crypto/x509 does not know, SM2 with SM3 among them, become "unknown"; an SM2
// public key is an *ecdsa.PublicKey whose PublicKeyAlgorithm is ECDSA.
func stdCertificate(c *smx509.Certificate) *x509.Certificate {
	std := &x509.Certificate{
		AuthorityKeyId:              c.AuthorityKeyId,
		BasicConstraintsValid:       c.BasicConstraintsValid,
		CRLDistributionPoints:       c.CRLDistributionPoints,
		DNSNames:                    c.DNSNames,
		EmailAddresses:              c.EmailAddresses,
		ExcludedDNSDomains:          c.ExcludedDNSDomains,
		ExcludedEmailAddresses:      c.ExcludedEmailAddresses,
		ExcludedIPRanges:            c.ExcludedIPRanges,
		ExcludedURIDomains:          c.ExcludedURIDomains,
		Extensions:                  c.Extensions,
		IPAddresses:                 c.IPAddresses,
		InhibitAnyPolicy:            c.InhibitAnyPolicy,
		InhibitAnyPolicyZero:        c.InhibitAnyPolicyZero,
		InhibitPolicyMapping:        c.InhibitPolicyMapping,
		InhibitPolicyMappingZero:    c.InhibitPolicyMappingZero,
		IsCA:                        c.IsCA,
		Issuer:                      c.Issuer,
		IssuingCertificateURL:       c.IssuingCertificateURL,
		KeyUsage:                    x509.KeyUsage(c.KeyUsage),
		MaxPathLen:                  c.MaxPathLen,
		MaxPathLenZero:              c.MaxPathLenZero,
		NotAfter:                    c.NotAfter,
		NotBefore:                   c.NotBefore,
		OCSPServer:                  c.OCSPServer,
		PermittedDNSDomains:         c.PermittedDNSDomains,
		PermittedDNSDomainsCritical: c.PermittedDNSDomainsCritical,
		PermittedEmailAddresses:     c.PermittedEmailAddresses,
		PermittedIPRanges:           c.PermittedIPRanges,
		PermittedURIDomains:         c.PermittedURIDomains,
		PolicyIdentifiers:           c.PolicyIdentifiers,
		PublicKey:                   c.PublicKey,
		Raw:                         c.Raw,
		RawIssuer:                   c.RawIssuer,
		RawSubject:                  c.RawSubject,
		RawSubjectPublicKeyInfo:     c.RawSubjectPublicKeyInfo,
		RawTBSCertificate:           c.RawTBSCertificate,
		RequireExplicitPolicy:       c.RequireExplicitPolicy,
		RequireExplicitPolicyZero:   c.RequireExplicitPolicyZero,
		SerialNumber:                c.SerialNumber,
		Signature:                   c.Signature,
		Subject:                     c.Subject,
		SubjectKeyId:                c.SubjectKeyId,
		URIs:                        c.URIs,
		UnhandledCriticalExtensions: c.UnhandledCriticalExtensions,
		UnknownExtKeyUsage:          c.UnknownExtKeyUsage,
		Version:                     c.Version,
	}
	if c.SignatureAlgorithm <= smx509.PureEd25519 {
		std.SignatureAlgorithm = x509.SignatureAlgorithm(c.SignatureAlgorithm)
	}
	if c.PublicKeyAlgorithm <= smx509.Ed25519 {
		std.PublicKeyAlgorithm = x509.PublicKeyAlgorithm(c.PublicKeyAlgorithm)
	}
	for _, usage := range c.ExtKeyUsage {
		std.ExtKeyUsage = append(std.ExtKeyUsage, x509.ExtKeyUsage(usage))
	}
	for _, policy := range c.Policies {
		if oid, err := x509.ParseOID(policy.String()); err == nil {
			std.Policies = append(std.Policies, oid)
		}
	}
	return std
}

// stdChains converts chains; known holds the certificates converted before and
// is added to. No chains make nil.
func stdChains(chains [][]*smx509.Certificate, known map[*smx509.Certificate]*x509.Certificate) [][]*x509.Certificate {
	if len(chains) == 0 {
		return nil
	}
	std := make([][]*x509.Certificate, len(chains))
	for i, chain := range chains {
		std[i] = make([]*x509.Certificate, len(chain))
		for j, c := range chain {
			if known[c] == nil {
				known[c] = stdCertificate(c)
			}
			std[i][j] = known[c]
		}
	}
	return std
}
