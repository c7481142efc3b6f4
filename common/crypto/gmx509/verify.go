// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// VerifyOptions are the options of Verify, with the meaning that crypto/x509 gives to the fields of the same name.
type VerifyOptions struct {
	// DNSName, if not empty, must be covered by the certificate.
	DNSName string
	// Intermediates may be used to build chains. May be nil.
	Intermediates *CertPool
	// Roots are the trust anchors. Nil means the system's roots for certificates other than SM2, and is an error for
	// SM2: no operating system ships SM2 roots.
	Roots *CertPool
	// CurrentTime is the time of validation; zero is now.
	CurrentTime time.Time
	// KeyUsages lists the accepted extended key usages; empty means server authentication.
	KeyUsages []ExtKeyUsage
	// MaxConstraintComparisions bounds the work on name constraints; zero is the library's default.
	MaxConstraintComparisions int
}

var (
	errMixedFamilies = errors.New("x509: certificate chain mixes SM2 and other keys: every certificate up to the root must " +
		"be of one family; reissue the certificate from a CA of the same family")
	errNoSM2Roots = errors.New("x509: no root certificates given to verify an SM2 certificate")
)

// Verify builds and checks the chains from cert to a root (RFC 5280, section 6), as the method of the standard type does.
// All certificates of a chain are of one family: SM2 throughout, or none of them.
// The returned certificates are cert itself and those that were added to the pools.
func Verify(cert *Certificate, opts VerifyOptions) ([][]*Certificate, error) {
	if IsSM2(cert.PublicKey) {
		return verifySM2(cert, opts)
	}
	chains, err := cert.Verify(x509.VerifyOptions{
		DNSName:                   opts.DNSName,
		Intermediates:             opts.Intermediates.Std(),
		Roots:                     opts.Roots.Std(),
		CurrentTime:               opts.CurrentTime,
		KeyUsages:                 opts.KeyUsages,
		MaxConstraintComparisions: opts.MaxConstraintComparisions,
	})
	if err != nil && cert.SignatureAlgorithm == SM2WithSM3 {
		return nil, errMixedFamilies // which the standard library, to which the algorithm is unknown, cannot say
	}
	if err != nil {
		return nil, err
	}
	// crypto/ecdsa would check an ECDSA signature by an issuer with an SM2 key.
	chains = slices.DeleteFunc(chains, func(chain []*Certificate) bool {
		return slices.ContainsFunc(chain, func(c *Certificate) bool { return IsSM2(c.PublicKey) })
	})
	if len(chains) == 0 {
		return nil, errMixedFamilies
	}
	return chains, nil
}

// JudgedAt returns the time for which an MSP judges a certificate and its chain: a second after it begins, whatever the clocks of nodes say.
// For a certificate that begins in the last second of the year 0 this is the zero time, which Verify takes for now.
func JudgedAt(cert *Certificate) time.Time {
	at := cert.NotBefore.Add(time.Second)
	if at.IsZero() {
		return at.Add(time.Nanosecond)
	}
	return at
}

func verifySM2(cert *Certificate, opts VerifyOptions) ([][]*Certificate, error) {
	if opts.Roots == nil {
		return nil, errNoSM2Roots
	}
	if cert.SignatureAlgorithm != SM2WithSM3 {
		return nil, errMixedFamilies
	}
	leaf, err := ParseCertificateSM(cert.Raw)
	if err != nil {
		return nil, err
	}
	usages, _ := convertEach(opts.KeyUsages, func(u ExtKeyUsage) (smx509.ExtKeyUsage, error) {
		return smx509.ExtKeyUsage(u), nil
	})
	chains, err := leaf.Verify(smx509.VerifyOptions{
		DNSName:                   opts.DNSName,
		Intermediates:             opts.Intermediates.SM(),
		Roots:                     opts.Roots.SM(),
		CurrentTime:               opts.CurrentTime,
		KeyUsages:                 usages,
		MaxConstraintComparisions: opts.MaxConstraintComparisions,
	})
	if err != nil {
		return nil, opts.explain(verifyErrorToStd(err, cert), cert)
	}
	var out [][]*Certificate
	for _, chain := range chains {
		if converted := sm2Chain(cert, chain, opts); converted != nil {
			out = append(out, converted)
		}
	}
	if len(out) == 0 {
		return nil, errMixedFamilies
	}
	return out, nil
}

// sm2Chain returns chain in the standard type, or nil if a member is not of the SM2 family or has a signature that is not
// canonical. The root's own signature proves nothing and is not looked at.
func sm2Chain(leaf *Certificate, chain []*smx509.Certificate, opts VerifyOptions) []*Certificate {
	out := make([]*Certificate, len(chain))
	out[0] = leaf
	for i := 1; i < len(chain); i++ {
		if out[i] = opts.Intermediates.lookup(chain[i].Raw); out[i] == nil {
			out[i] = opts.Roots.lookup(chain[i].Raw)
		}
		if out[i] == nil || !IsSM2(out[i].PublicKey) {
			return nil
		}
	}
	for _, c := range out[:len(out)-1] {
		if c.SignatureAlgorithm != SM2WithSM3 || CheckSM2SignatureDER(c.Signature) != nil {
			return nil
		}
	}
	return out
}

// verifyErrorToStd turns the error types of smx509 into those of crypto/x509, so that callers' type switches work.
func verifyErrorToStd(err error, leaf *Certificate) error {
	var (
		invalid smx509.CertificateInvalidError
		host    smx509.HostnameError
		unknown smx509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &invalid):
		cert := leaf
		if invalid.Cert != nil && sha256.Sum256(invalid.Cert.Raw) != sha256.Sum256(leaf.Raw) {
			if c, convErr := certToStd(invalid.Cert); convErr == nil {
				cert = c
			}
		}
		return CertificateInvalidError{Cert: cert, Reason: InvalidReason(invalid.Reason), Detail: invalid.Detail}
	case errors.As(err, &host):
		return HostnameError{Certificate: leaf, Host: host.Host}
	case errors.As(err, &unknown):
		// The standard type hides the reason, which is what an operator needs; keep both.
		return &unknownAuthority{text: err.Error(), std: UnknownAuthorityError{Cert: leaf}}
	}
	return err
}

// explainedAmong bounds the CAs among which explain looks for a reason. It compares each with each, and the certificate may be a stranger's.
const explainedAmong = 64

// explain adds to the error of a certificate without a chain what Explain finds.
func (opts VerifyOptions) explain(err error, cert *Certificate) error {
	var unknown *unknownAuthority
	if !errors.As(err, &unknown) || opts.Intermediates.size()+opts.Roots.size() > explainedAmong {
		return err
	}
	intermediates := opts.Intermediates.all()
	if reason := Explain(append([]*Certificate{cert}, intermediates...), append(opts.Roots.all(), intermediates...)); reason != nil {
		unknown.reason = reason
	}
	return unknown
}

type unknownAuthority struct {
	text   string
	std    UnknownAuthorityError
	reason error // found by Explain; nil if it found none
}

func (e *unknownAuthority) Error() string {
	if e.reason != nil {
		return e.reason.Error()
	}
	return e.text
}

func (e *unknownAuthority) Unwrap() []error {
	if e.reason != nil {
		return []error{e.std, e.reason}
	}
	return []error{e.std}
}

// CheckSignature checks sig, by cert's key, over signed. SM2 signatures are over the message with the
// default signer id and must be canonical DER.
func CheckSignature(cert *Certificate, algo SignatureAlgorithm, signed, sig []byte) error {
	if IsSM2(cert.PublicKey) || algo == SM2WithSM3 {
		return checkSM2(cert.PublicKey, algo, signed, sig)
	}
	return cert.CheckSignature(algo, signed, sig)
}

// CheckSignatureFrom checks that parent, which must be allowed to sign certificates, signed child. It is not a path
// validation: see Verify.
func CheckSignatureFrom(child, parent *Certificate) error {
	if !IsSM2(parent.PublicKey) && child.SignatureAlgorithm != SM2WithSM3 {
		return child.CheckSignatureFrom(parent)
	}
	if !maySign(parent, KeyUsageCertSign) {
		return x509.ConstraintViolationError{}
	}
	return checkSM2(parent.PublicKey, child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
}

// CheckRequestSignature checks that the holder of the private key made the request.
func CheckRequestSignature(req *CertificateRequest) error {
	if IsSM2(req.PublicKey) || req.SignatureAlgorithm == SM2WithSM3 {
		return checkSM2(req.PublicKey, req.SignatureAlgorithm, req.RawTBSCertificateRequest, req.Signature)
	}
	return req.CheckSignature()
}

// CheckRevocationListFrom checks that issuer, which must be allowed to sign revocation lists, signed the list.
func CheckRevocationListFrom(list *RevocationList, issuer *Certificate) error {
	if !IsSM2(issuer.PublicKey) && list.SignatureAlgorithm != SM2WithSM3 {
		return list.CheckSignatureFrom(issuer)
	}
	if !maySign(issuer, KeyUsageCRLSign) {
		return x509.ConstraintViolationError{}
	}
	return checkSM2(issuer.PublicKey, list.SignatureAlgorithm, list.RawTBSRevocationList, list.Signature)
}

var oidSM2WithSM3 = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}

// CheckCRLSignature checks that cert's key signed the revocation list. Like the method of the standard type it looks at
// the key alone; whether cert may sign lists is the caller's concern.
func CheckCRLSignature(cert *Certificate, crl *pkix.CertificateList) error {
	if !IsSM2(cert.PublicKey) && !crl.SignatureAlgorithm.Algorithm.Equal(oidSM2WithSM3) {
		return cert.CheckCRLSignature(crl) // the MSP is built on this type
	}
	algo := UnknownSignatureAlgorithm
	// RFC 5280, section 5.1.1.2: the signed and the outer algorithm must be the same.
	if crl.SignatureAlgorithm.Algorithm.Equal(oidSM2WithSM3) && crl.TBSCertList.Signature.Algorithm.Equal(oidSM2WithSM3) {
		algo = SM2WithSM3
	}
	return checkSM2(cert.PublicKey, algo, crl.TBSCertList.Raw, crl.SignatureValue.RightAlign())
}

// maySign reports whether a certificate may sign others, or revocation lists (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
func maySign(cert *Certificate, usage KeyUsage) bool {
	if cert.Version == 3 && !cert.BasicConstraintsValid {
		return false
	}
	if cert.BasicConstraintsValid && !cert.IsCA {
		return false
	}
	return cert.KeyUsage == 0 || cert.KeyUsage&usage != 0
}

// checkSM2 checks an SM2 signature over a message (GB/T 32918.2, section 7) with the default signer id.
func checkSM2(pub any, algo SignatureAlgorithm, signed, sig []byte) error {
	if !IsSM2(pub) {
		return fmt.Errorf("x509: signature algorithm is SM2-SM3 but the key is %T, not SM2", pub)
	}
	if algo != SM2WithSM3 {
		return fmt.Errorf("x509: an SM2 key cannot have made a signature of algorithm %v: %w", algo, ErrUnsupportedAlgorithm)
	}
	if err := CheckSM2SignatureDER(sig); err != nil {
		return err
	}
	if sm2.VerifyASN1WithSM2(pub.(*ecdsa.PublicKey), nil, signed, sig) {
		return nil
	}
	if signedWithEmptyID(pub.(*ecdsa.PublicKey), signed, sig) {
		return ErrOtherSignerID
	}
	return errWrongSignature
}
