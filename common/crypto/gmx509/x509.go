// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"

	"github.com/emmansun/gmsm/sm2"
)

// Types shared with crypto/x509.
type (
	Certificate             = x509.Certificate
	CertificateInvalidError = x509.CertificateInvalidError
	CertificateRequest      = x509.CertificateRequest
	ExtKeyUsage             = x509.ExtKeyUsage
	HostnameError           = x509.HostnameError
	InvalidReason           = x509.InvalidReason
	KeyUsage                = x509.KeyUsage
	PEMCipher               = x509.PEMCipher
	PublicKeyAlgorithm      = x509.PublicKeyAlgorithm
	RevocationList          = x509.RevocationList
	RevocationListEntry     = x509.RevocationListEntry
	SignatureAlgorithm      = x509.SignatureAlgorithm
	UnknownAuthorityError   = x509.UnknownAuthorityError
)

// Constants shared with crypto/x509.
const (
	UnknownPublicKeyAlgorithm = x509.UnknownPublicKeyAlgorithm
	RSA                       = x509.RSA
	ECDSA                     = x509.ECDSA
	Ed25519                   = x509.Ed25519

	UnknownSignatureAlgorithm = x509.UnknownSignatureAlgorithm
	MD2WithRSA                = x509.MD2WithRSA
	SHA1WithRSA               = x509.SHA1WithRSA
	SHA256WithRSA             = x509.SHA256WithRSA
	SHA384WithRSA             = x509.SHA384WithRSA
	SHA512WithRSA             = x509.SHA512WithRSA
	ECDSAWithSHA1             = x509.ECDSAWithSHA1
	ECDSAWithSHA256           = x509.ECDSAWithSHA256
	ECDSAWithSHA384           = x509.ECDSAWithSHA384
	ECDSAWithSHA512           = x509.ECDSAWithSHA512
	PureEd25519               = x509.PureEd25519

	KeyUsageCRLSign           = x509.KeyUsageCRLSign
	KeyUsageCertSign          = x509.KeyUsageCertSign
	KeyUsageContentCommitment = x509.KeyUsageContentCommitment
	KeyUsageDataEncipherment  = x509.KeyUsageDataEncipherment
	KeyUsageDigitalSignature  = x509.KeyUsageDigitalSignature
	KeyUsageKeyAgreement      = x509.KeyUsageKeyAgreement
	KeyUsageKeyEncipherment   = x509.KeyUsageKeyEncipherment

	ExtKeyUsageAny        = x509.ExtKeyUsageAny
	ExtKeyUsageServerAuth = x509.ExtKeyUsageServerAuth
	ExtKeyUsageClientAuth = x509.ExtKeyUsageClientAuth

	NotAuthorizedToSign        = x509.NotAuthorizedToSign
	Expired                    = x509.Expired
	IncompatibleUsage          = x509.IncompatibleUsage
	NameConstraintsWithoutSANs = x509.NameConstraintsWithoutSANs
	NoValidChains              = x509.NoValidChains

	PEMCipherAES256 = x509.PEMCipherAES256
)

// SM2WithSM3 is the SignatureAlgorithm of certificates, requests and revocation lists signed with SM2 over SM3
// (OID 1.2.156.10197.1.501, default signer id 1234567812345678). crypto/x509 has no name for it; the value is far above
// those that it assigns.
const SM2WithSM3 SignatureAlgorithm = 99

// ErrUnsupportedAlgorithm is the standard library's error for a signature algorithm that cannot be checked.
var ErrUnsupportedAlgorithm = x509.ErrUnsupportedAlgorithm

// IsSM2 reports whether key is an SM2 key: *ecdsa.PublicKey or *ecdsa.PrivateKey on the SM2 curve, or *sm2.PrivateKey.
func IsSM2(key any) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return k != nil && k.Curve == sm2.P256()
	case *ecdsa.PrivateKey:
		return k != nil && k.Curve == sm2.P256()
	case *sm2.PrivateKey:
		return k != nil && k.Curve == sm2.P256()
	}
	return false
}

// gmArc is the start of the DER of every object identifier below 1.2.156.10197.1 that has eight content bytes: the SM2
// curve (…1.301) and sm2-with-sm3 (…1.501) among them.
var gmArc = []byte{0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01}

// NamesGM reports whether the DER of a key names a GM algorithm, so that readers of key files try SM2. It decides
// nothing about certificates.
func NamesGM(der []byte) bool {
	return bytes.Contains(der, gmArc)
}
