// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/smx509"
)

// maxPEM bounds the PEM and DER that ParseCertificatePEM, ParsePrivateKeyPEM and the password-based functions read, in
// bytes. A certificate or key is a few kilobytes.
const maxPEM = 1 << 20

const pemTypeCertificate = "CERTIFICATE"

// ParseCertificate parses one DER certificate of either family (RFC 5280, GB/T 20518). For SM2 the result has
// SignatureAlgorithm SM2WithSM3, PublicKeyAlgorithm ECDSA and PublicKey *ecdsa.PublicKey on sm2.P256().
// A key on a curve given by explicit parameters is refused, and so is what checkFixed refuses. A certificate whose key is not SM2 is parsed by the standard library,
// as in stock Fabric: what that accepts or refuses is accepted or refused here.
func ParseCertificate(der []byte) (*Certificate, error) {
	o := certificateOutline(der)
	switch {
	case o.explicitCurve:
		return nil, errExplicitCurve
	case !o.sm2Key:
		cert, err := x509.ParseCertificate(der)
		if err == nil && o.sm2Signature {
			cert.SignatureAlgorithm = SM2WithSM3
		}
		return cert, err
	}
	cert, err := parseEngine(der)
	if err != nil {
		return nil, err
	}
	return certToStd(cert)
}

// parseEngine parses with the engine, and refuses of SM2 certificates what checkFixed refuses.
func parseEngine(der []byte) (*smx509.Certificate, error) {
	cert, err := smx509.ParseCertificate(der)
	if err == nil && IsSM2(cert.PublicKey) {
		err = checkFixed(cert.SerialNumber, cert.URIs)
	}
	if err != nil {
		return nil, err
	}
	return cert, nil
}

// ParseCertificateSM is ParseCertificate for callers that hand the certificate to smx509, such as gmtls. It takes a key for an SM2 key only
// where ParseCertificate does: smx509 also takes one where more follows the name of the curve.
func ParseCertificateSM(der []byte) (*smx509.Certificate, error) {
	o := certificateOutline(der)
	if o.explicitCurve {
		return nil, errExplicitCurve
	}
	cert, err := parseEngine(der)
	if err == nil && IsSM2(cert.PublicKey) && !o.sm2Key {
		return nil, errMoreThanCurve
	}
	return cert, err
}

// FromEngine returns a certificate that smx509 has parsed as one of the standard type, the same that ParseCertificate
// makes of its DER. Slices and pointers are shared with it.
func FromEngine(cert *smx509.Certificate) (*Certificate, error) { return certToStd(cert) }

// ParseCertificatePEM parses the first PEM block of text, which must be a CERTIFICATE.
func ParseCertificatePEM(text []byte) (*Certificate, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("x509: certificate of %d bytes, more than the %d allowed", len(text), maxPEM)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("x509: no PEM block in certificate")
	}
	if block.Type != pemTypeCertificate {
		return nil, fmt.Errorf("x509: PEM block is %q, not %s", block.Type, pemTypeCertificate)
	}
	return ParseCertificate(block.Bytes)
}

// ParseCertificateRequest parses a DER certificate request (PKCS #10, RFC 2986). It does not check the signature:
// call CheckRequestSignature.
func ParseCertificateRequest(der []byte) (*CertificateRequest, error) {
	o := requestOutline(der)
	switch {
	case o.explicitCurve:
		return nil, errExplicitCurve
	case !o.sm2Key:
		req, err := x509.ParseCertificateRequest(der)
		if err == nil && o.sm2Signature {
			req.SignatureAlgorithm = SM2WithSM3
		}
		return req, err
	}
	req, err := smx509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	if err := checkURIs(req.URIs); err != nil { // whoever certified it would make a certificate that is refused
		return nil, err
	}
	return requestToStd(req), nil
}

// ParseCRL parses a revocation list, DER or PEM, into the old type that the MSP keeps. Its signature is checked with
// CheckCRLSignature.
func ParseCRL(crl []byte) (*pkix.CertificateList, error) {
	return x509.ParseCRL(crl) // the MSP is built on this type; parsing depends on no key family
}

// ParseRevocationList parses a DER revocation list (RFC 5280, section 5). Its signature is checked with
// CheckRevocationListFrom.
func ParseRevocationList(der []byte) (*RevocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err == nil && listIsSM2(der) {
		list.SignatureAlgorithm = SM2WithSM3
	}
	return list, err
}
