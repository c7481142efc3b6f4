// SPDX-License-Identifier: Apache-2.0

//go:build fork

package crypto

import (
	"encoding/asn1"
	"errors"
)

// CertificatesWithSamePublicKey compares lists: each argument is the DER of one certificate or of several, one behind the
// other, as for a node that is known by a standard and by an SM2 certificate. It returns nil when any certificate of
// the first has the public key of any of the second, ErrPubKeyMismatch when none has, and another error when a certificate
// is malformed.
//
//fork:wrap gm: compare lists of certificates, one by one
func CertificatesWithSamePublicKey(der1, der2 []byte) error {
	for _, a := range SplitCertificates(der1) {
		for _, b := range SplitCertificates(der2) {
			if err := upstreamCertificatesWithSamePublicKey(a, b); !errors.Is(err, ErrPubKeyMismatch) {
				return err
			}
		}
	}
	return ErrPubKeyMismatch
}

// SplitCertificates cuts concatenated DER values apart. What is not a sequence of DER values comes back as one piece, for
// the caller's parser to refuse. It does not look inside the values.
func SplitCertificates(der []byte) [][]byte {
	var pieces [][]byte
	for rest := der; len(rest) > 0; {
		var value asn1.RawValue
		next, err := asn1.Unmarshal(rest, &value)
		if err != nil {
			return [][]byte{der}
		}
		pieces, rest = append(pieces, value.FullBytes), next
	}
	if len(pieces) == 0 {
		return [][]byte{der}
	}
	return pieces
}
