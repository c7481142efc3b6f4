// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"errors"
	"fmt"
)

// The KeyUsage bits that distinguish the two certificates of a TLCP pair (GB/T 38636-2020, 6.4.5.3). A certificate fits its
// place if it has one bit of the set; a certificate without KeyUsage fits neither place.
const (
	PairSigningUsage    = KeyUsageDigitalSignature | KeyUsageContentCommitment
	PairEncryptionUsage = KeyUsageKeyEncipherment | KeyUsageDataEncipherment | KeyUsageKeyAgreement
)

// Errors of CheckPairUsage, CheckTLS13Usage, CheckPairNames and CheckPairKeys.
var (
	ErrPairSigningUsage = errors.New("the signing certificate (the first of the pair) has no KeyUsage digitalSignature or " +
		"contentCommitment; let the CA issue it with one of them")
	ErrPairEncryptionUsage = errors.New("the encryption certificate (the second of the pair) has no KeyUsage keyEncipherment, " +
		"dataEncipherment or keyAgreement; let the CA issue it with one of them")
	ErrTLS13Usage = errors.New("the signing certificate has a KeyUsage without digitalSignature, which TLS 1.3 demands (RFC 8446, section 4.4.2.2); " +
		"let the CA issue it with digitalSignature, or speak TLCP")
	ErrUnpaired = errors.New("the two certificates of the pair differ in subject or issuer: let one CA issue both, for the same subject")
	ErrOneKey   = errors.New("both certificates of the pair have the same key: let the CA issue the pair with two keys")
)

// IsPairSigning reports whether KeyUsage lets a certificate be the first of a TLCP pair, which signs.
func IsPairSigning(cert *Certificate) bool { return cert.KeyUsage&PairSigningUsage != 0 }

// IsPairEncryption reports whether KeyUsage lets a certificate be the second of a TLCP pair, to which keys are encrypted.
func IsPairEncryption(cert *Certificate) bool { return cert.KeyUsage&PairEncryptionUsage != 0 }

// CheckPairUsage checks that each certificate of a TLCP pair has a KeyUsage for its place. enc may be nil. The errors
// are ErrPairSigningUsage and ErrPairEncryptionUsage.
func CheckPairUsage(sign, enc *Certificate) error {
	if !IsPairSigning(sign) {
		return ErrPairSigningUsage
	}
	if enc != nil && !IsPairEncryption(enc) {
		return ErrPairEncryptionUsage
	}
	return nil
}

// CheckTLS13Usage checks that the KeyUsage of a certificate, if it has one, lets its key sign in a handshake of TLS 1.3. For TLCP, contentCommitment
// is enough. The error is ErrTLS13Usage.
func CheckTLS13Usage(sign *Certificate) error {
	if sign.KeyUsage != 0 && sign.KeyUsage&KeyUsageDigitalSignature == 0 {
		return ErrTLS13Usage
	}
	return nil
}

// CheckPairNames checks that the two certificates of a TLCP pair are of one subject and one issuer. The error wraps
// ErrUnpaired and gives the names.
func CheckPairNames(sign, enc *Certificate) error {
	switch {
	case !bytes.Equal(sign.RawSubject, enc.RawSubject):
		return fmt.Errorf("%w (subjects %q and %q)", ErrUnpaired, sign.Subject, enc.Subject)
	case !bytes.Equal(sign.RawIssuer, enc.RawIssuer):
		return fmt.Errorf("%w (issuers %q and %q)", ErrUnpaired, sign.Issuer, enc.Issuer)
	}
	return nil
}

// CheckPairKeys checks that the two certificates of a TLCP pair have different keys: a CA may keep an encryption key, and
// never a signing key. The error is ErrOneKey.
func CheckPairKeys(sign, enc *Certificate) error {
	if bytes.Equal(sign.RawSubjectPublicKeyInfo, enc.RawSubjectPublicKeyInfo) {
		return ErrOneKey
	}
	return nil
}
