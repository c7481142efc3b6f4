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
		Raw:                         c.Raw,
		RawTBSCertificate:           c.RawTBSCertificate,
		RawSubjectPublicKeyInfo:     c.RawSubjectPublicKeyInfo,
		RawSubject:                  c.RawSubject,
		RawIssuer:                   c.RawIssuer,
		Signature:                   c.Signature,
		PublicKey:                   c.PublicKey,
		Version:                     c.Version,
		SerialNumber:                c.SerialNumber,
		Issuer:                      c.Issuer,
		Subject:                     c.Subject,
		NotBefore:                   c.NotBefore,
		NotAfter:                    c.NotAfter,
		KeyUsage:                    x509.KeyUsage(c.KeyUsage),
		Extensions:                  c.Extensions,
		UnhandledCriticalExtensions: c.UnhandledCriticalExtensions,
		UnknownExtKeyUsage:          c.UnknownExtKeyUsage,
		BasicConstraintsValid:       c.BasicConstraintsValid,
		IsCA:                        c.IsCA,
		MaxPathLen:                  c.MaxPathLen,
		MaxPathLenZero:              c.MaxPathLenZero,
		SubjectKeyId:                c.SubjectKeyId,
		AuthorityKeyId:              c.AuthorityKeyId,
		OCSPServer:                  c.OCSPServer,
		IssuingCertificateURL:       c.IssuingCertificateURL,
		DNSNames:                    c.DNSNames,
		EmailAddresses:              c.EmailAddresses,
		IPAddresses:                 c.IPAddresses,
		URIs:                        c.URIs,
		PermittedDNSDomainsCritical: c.PermittedDNSDomainsCritical,
		PermittedDNSDomains:         c.PermittedDNSDomains,
		ExcludedDNSDomains:          c.ExcludedDNSDomains,
		PermittedIPRanges:           c.PermittedIPRanges,
		ExcludedIPRanges:            c.ExcludedIPRanges,
		PermittedEmailAddresses:     c.PermittedEmailAddresses,
		ExcludedEmailAddresses:      c.ExcludedEmailAddresses,
		PermittedURIDomains:         c.PermittedURIDomains,
		ExcludedURIDomains:          c.ExcludedURIDomains,
		CRLDistributionPoints:       c.CRLDistributionPoints,
		PolicyIdentifiers:           c.PolicyIdentifiers,
		InhibitAnyPolicy:            c.InhibitAnyPolicy,
		InhibitAnyPolicyZero:        c.InhibitAnyPolicyZero,
		InhibitPolicyMapping:        c.InhibitPolicyMapping,
		InhibitPolicyMappingZero:    c.InhibitPolicyMappingZero,
		RequireExplicitPolicy:       c.RequireExplicitPolicy,
		RequireExplicitPolicyZero:   c.RequireExplicitPolicyZero,
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

func stdChains(chains [][]*smx509.Certificate) [][]*x509.Certificate {
	std := make([][]*x509.Certificate, len(chains))
	for i, chain := range chains {
		std[i] = make([]*x509.Certificate, len(chain))
		for j, c := range chain {
			std[i][j] = stdCertificate(c)
		}
	}
	return std
}
