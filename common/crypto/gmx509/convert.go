// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/x509"
	"fmt"

	"github.com/emmansun/gmsm/smx509"
)

// sigAlgToStd maps smx509's numbering to that of crypto/x509; they agree up to PureEd25519. Algorithms unknown to
// crypto/x509 other than SM2 become UnknownSignatureAlgorithm, with which every check fails.
func sigAlgToStd(a smx509.SignatureAlgorithm) x509.SignatureAlgorithm {
	switch {
	case a == smx509.SM2WithSM3:
		return SM2WithSM3
	case a <= smx509.PureEd25519:
		return x509.SignatureAlgorithm(a)
	}
	return x509.UnknownSignatureAlgorithm
}

// sigAlgToSM is the inverse of sigAlgToStd. Unknown values map to one that smx509 does not know either.
func sigAlgToSM(a x509.SignatureAlgorithm) smx509.SignatureAlgorithm {
	switch {
	case a == SM2WithSM3:
		return smx509.SM2WithSM3
	case a >= x509.UnknownSignatureAlgorithm && a <= x509.PureEd25519:
		return smx509.SignatureAlgorithm(a)
	}
	return smx509.SignatureAlgorithm(-1)
}

func pubAlgToStd(a smx509.PublicKeyAlgorithm) x509.PublicKeyAlgorithm {
	if a <= smx509.Ed25519 {
		return x509.PublicKeyAlgorithm(a)
	}
	return x509.UnknownPublicKeyAlgorithm
}

func oidToStd(o smx509.OID) (x509.OID, error) {
	var out x509.OID
	raw, err := o.MarshalBinary()
	if err == nil {
		err = out.UnmarshalBinary(raw)
	}
	return out, err
}

func oidToSM(o x509.OID) (smx509.OID, error) {
	var out smx509.OID
	raw, err := o.MarshalBinary()
	if err == nil {
		err = out.UnmarshalBinary(raw)
	}
	return out, err
}

// convertEach applies f to every element, keeping nil slices nil.
func convertEach[A, B any](in []A, f func(A) (B, error)) ([]B, error) {
	if in == nil {
		return nil, nil
	}
	out := make([]B, len(in))
	for i := range in {
		var err error
		if out[i], err = f(in[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// certToStd copies a parsed smx509 certificate into the standard type. Slices are shared.
func certToStd(c *smx509.Certificate) (*x509.Certificate, error) {
	ekus, _ := convertEach(c.ExtKeyUsage, func(u smx509.ExtKeyUsage) (x509.ExtKeyUsage, error) {
		return x509.ExtKeyUsage(u), nil
	})
	policies, err := convertEach(c.Policies, oidToStd)
	if err != nil {
		return nil, fmt.Errorf("x509: certificate policies: %w", err)
	}
	mappings, err := convertEach(c.PolicyMappings, func(m smx509.PolicyMapping) (out x509.PolicyMapping, err error) {
		if out.IssuerDomainPolicy, err = oidToStd(m.IssuerDomainPolicy); err != nil {
			return out, err
		}
		out.SubjectDomainPolicy, err = oidToStd(m.SubjectDomainPolicy)
		return out, err
	})
	if err != nil {
		return nil, fmt.Errorf("x509: certificate policy mappings: %w", err)
	}
	out := &x509.Certificate{
		SignatureAlgorithm: sigAlgToStd(c.SignatureAlgorithm),
		PublicKeyAlgorithm: pubAlgToStd(c.PublicKeyAlgorithm),
		KeyUsage:           x509.KeyUsage(c.KeyUsage),
		ExtKeyUsage:        ekus,
		Policies:           policies,
		PolicyMappings:     mappings,
	}
	copyCertToStd(out, c)
	return out, nil
}

// certToSM copies a template, or a certificate that was never encoded, into smx509's type. Slices are shared.
func certToSM(c *x509.Certificate) (*smx509.Certificate, error) {
	ekus, _ := convertEach(c.ExtKeyUsage, func(u x509.ExtKeyUsage) (smx509.ExtKeyUsage, error) {
		return smx509.ExtKeyUsage(u), nil
	})
	policies, err := convertEach(c.Policies, oidToSM)
	if err != nil {
		return nil, fmt.Errorf("x509: certificate policies: %w", err)
	}
	mappings, err := convertEach(c.PolicyMappings, func(m x509.PolicyMapping) (out smx509.PolicyMapping, err error) {
		if out.IssuerDomainPolicy, err = oidToSM(m.IssuerDomainPolicy); err != nil {
			return out, err
		}
		out.SubjectDomainPolicy, err = oidToSM(m.SubjectDomainPolicy)
		return out, err
	})
	if err != nil {
		return nil, fmt.Errorf("x509: certificate policy mappings: %w", err)
	}
	out := &smx509.Certificate{
		SignatureAlgorithm: sigAlgToSM(c.SignatureAlgorithm),
		PublicKeyAlgorithm: smx509.PublicKeyAlgorithm(c.PublicKeyAlgorithm),
		KeyUsage:           smx509.KeyUsage(c.KeyUsage),
		ExtKeyUsage:        ekus,
		Policies:           policies,
		PolicyMappings:     mappings,
	}
	copyCertToSM(out, c)
	return out, nil
}

// requestToStd copies a parsed smx509 request into the standard type.
func requestToStd(r *smx509.CertificateRequest) *x509.CertificateRequest {
	out := &x509.CertificateRequest{
		SignatureAlgorithm: sigAlgToStd(r.SignatureAlgorithm),
		PublicKeyAlgorithm: pubAlgToStd(r.PublicKeyAlgorithm),
	}
	copyRequestToStd(out, r)
	return out
}

// requestToSM copies a request template into smx509's type.
func requestToSM(r *x509.CertificateRequest) *smx509.CertificateRequest {
	out := &smx509.CertificateRequest{
		SignatureAlgorithm: sigAlgToSM(r.SignatureAlgorithm),
		PublicKeyAlgorithm: smx509.PublicKeyAlgorithm(r.PublicKeyAlgorithm),
	}
	copyRequestToSM(out, r)
	return out
}

// revocationListToSM copies a revocation list template into smx509's type.
func revocationListToSM(l *x509.RevocationList) *smx509.RevocationList {
	entries, _ := convertEach(l.RevokedCertificateEntries, func(e x509.RevocationListEntry) (smx509.RevocationListEntry, error) {
		return smx509.RevocationListEntry(e), nil
	})
	out := &smx509.RevocationList{
		SignatureAlgorithm:        sigAlgToSM(l.SignatureAlgorithm),
		RevokedCertificateEntries: entries,
	}
	copyRevocationListToSM(out, l)
	return out
}
