// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

var errNotSigner = errors.New("x509: private key does not implement crypto.Signer")

// signerOf returns key as a signer, SM2 keys in the type that can sign.
func signerOf(key any) (crypto.Signer, error) {
	if priv, ok := AsSM2(key); ok {
		return priv, nil
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errNotSigner
	}
	return signer, nil
}

// CreateCertificate makes a certificate as the function of crypto/x509 does, and returns its DER. priv, the issuer's key,
// may be *sm2.PrivateKey, *ecdsa.PrivateKey on any known curve, or any crypto.Signer; a signer with an SM2 public key gets
// the whole to-be-signed part with sm2.DefaultSM2SignerOpts and must hash it itself.
// Issuer and subject must be of one family, as Verify accepts no other chains.
func CreateCertificate(rand io.Reader, template, parent *Certificate, pub, priv any) ([]byte, error) {
	signer, err := signerOf(priv)
	if err != nil {
		return nil, err
	}
	if !IsSM2(signer.Public()) && !IsSM2(pub) {
		return x509.CreateCertificate(rand, template, parent, pub, priv)
	}
	if IsSM2(signer.Public()) != IsSM2(pub) {
		return nil, fmt.Errorf("x509: the issuer's key is %s and the subject's is %s: a chain must be of one family",
			family(signer.Public()), family(pub))
	}
	smTemplate, err := certToSM(template)
	if err != nil {
		return nil, err
	}
	smParent, err := certToSM(parent)
	if err != nil {
		return nil, err
	}
	return smx509.CreateCertificate(rand, smTemplate, smParent, pub, signer)
}

// CreateCertificateRequest makes a certificate request (PKCS #10) signed by priv and returns its DER. The
// key types are those of CreateCertificate.
func CreateCertificateRequest(rand io.Reader, template *CertificateRequest, priv any) ([]byte, error) {
	signer, err := signerOf(priv)
	if err != nil {
		return nil, err
	}
	if !IsSM2(signer.Public()) {
		return x509.CreateCertificateRequest(rand, template, priv)
	}
	return smx509.CreateCertificateRequest(rand, requestToSM(template), signer)
}

// CreateRevocationList makes a revocation list (RFC 5280, section 5) signed by issuer's key and returns its DER.
func CreateRevocationList(rand io.Reader, template *RevocationList, issuer *Certificate, priv crypto.Signer) ([]byte, error) {
	signer, err := signerOf(priv)
	if err != nil {
		return nil, err
	}
	if !IsSM2(signer.Public()) {
		return x509.CreateRevocationList(rand, template, issuer, priv)
	}
	smIssuer, err := certToSM(issuer)
	if err != nil {
		return nil, err
	}
	return smx509.CreateRevocationList(rand, revocationListToSM(template), smIssuer, signer)
}

// CreateCRL makes a revocation list from the old pkix types, signed by issuer's key, and returns its DER. It replaces
// the deprecated method of the standard type; new code uses CreateRevocationList.
func CreateCRL(issuer *Certificate, rand io.Reader, priv any, revoked []pkix.RevokedCertificate, now, expiry time.Time) ([]byte, error) {
	signer, err := signerOf(priv)
	if err != nil {
		return nil, err
	}
	if !IsSM2(signer.Public()) {
		return issuer.CreateCRL(rand, priv, revoked, now, expiry) // see above
	}
	smIssuer, err := certToSM(issuer)
	if err != nil {
		return nil, err
	}
	return smIssuer.CreateCRL(rand, signer, revoked, now, expiry)
}
