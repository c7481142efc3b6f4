// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The part of a certificate that is signed has one encoding, since a byte that differs voids the signature. What stands around
// it is not signed: whoever hands a certificate on could give it any number of forms that all parse and verify. The checks
// below leave one.

var (
	errFormSequence  = errors.New("x509: certificate is not one SEQUENCE in DER with nothing behind it")
	errFormMembers   = errors.New("x509: certificate is not { signed part, algorithm, signature } in DER")
	errFormRest      = errors.New("x509: certificate has bytes behind its signature")
	errFormBits      = errors.New("x509: signature of the certificate is a BIT STRING with unused bits, or is empty")
	errFormSignature = errors.New("x509: signature of the certificate is not the canonical DER of SEQUENCE { r INTEGER, s INTEGER }")
)

// CheckExactDER refuses a DER certificate (RFC 5280, section 4.1) in any form but the one: exactly { signed part, algorithm,
// BIT STRING without unused bits }, minimal lengths, nothing left over, and with ECDSA and SM2 a canonical signature. The
// second algorithm only has to parse, because parsing compares its bytes with the signed ones. Both s and n-s of an ECDSA
// signature pass, because the certificate alone does not show which of them the CA wrote.
func CheckExactDER(cert *Certificate) error {
	input := cryptobyte.String(cert.Raw)
	var outer, signed, algorithm, bits cryptobyte.String
	if !input.ReadASN1(&outer, asn1.SEQUENCE) || !input.Empty() {
		return errFormSequence
	}
	if !outer.ReadASN1Element(&signed, asn1.SEQUENCE) || !outer.ReadASN1Element(&algorithm, asn1.SEQUENCE) ||
		!outer.ReadASN1(&bits, asn1.BIT_STRING) {
		return errFormMembers
	}
	if !outer.Empty() {
		return errFormRest
	}
	if len(bits) < 2 || bits[0] != 0 {
		return errFormBits
	}
	switch cert.SignatureAlgorithm {
	case SM2WithSM3:
		return CheckSM2SignatureDER(bits[1:])
	case ECDSAWithSHA1, ECDSAWithSHA256, ECDSAWithSHA384, ECDSAWithSHA512:
		return checkSignaturePair(bits[1:])
	}
	return nil
}

// checkSignaturePair demands the canonical DER of two positive integers.
func checkSignaturePair(sig []byte) error {
	input, zero := cryptobyte.String(sig), []byte{0}
	var inner cryptobyte.String
	var r, s []byte
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) ||
		!inner.Empty() || bytes.Equal(r, zero) || bytes.Equal(s, zero) {
		return errFormSignature
	}
	return nil
}

// ParseExactPEM parses a certificate in exactly the PEM that Fabric writes (RFC 7468, section 3, lines of 64 characters that end
// in LF, the last one too): no headers, nothing around it, no other label. It does not check the DER: see CheckExactDER.
func ParseExactPEM(text []byte) (*Certificate, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("x509: no PEM block in certificate")
	}
	if err := checkExactPEM(text, block, rest); err != nil {
		return nil, err
	}
	return ParseShared(block.Bytes)
}

// ParseExact parses a certificate in the one form, in PEM and in DER: that of ParseExactPEM and of CheckExactDER.
func ParseExact(text []byte) (*Certificate, error) {
	cert, err := ParseExactPEM(text)
	if err != nil {
		return nil, err
	}
	if err := CheckExactDER(cert); err != nil {
		return nil, err
	}
	return cert, nil
}

// checkExactPEM compares with what encoding the block gives, and says what differs. The first byte that differs would say
// little.
func checkExactPEM(text []byte, block *pem.Block, rest []byte) error {
	if bytes.Equal(text, pem.EncodeToMemory(&pem.Block{Type: pemTypeCertificate, Bytes: block.Bytes})) {
		return nil
	}
	what := "its lines are not of 64 characters that end in LF, the last one too"
	switch {
	case block.Type != pemTypeCertificate:
		what = fmt.Sprintf("its label is %q", block.Type)
	case len(block.Headers) != 0:
		what = "it has headers"
	case len(bytes.TrimSpace(rest)) != 0:
		what = "something follows it"
	case !strings.HasPrefix(string(text), "-----BEGIN"):
		what = "something precedes it"
	}
	return fmt.Errorf("x509: not exactly the PEM of a %s: %s; \"openssl x509 -in FILE\" prints the certificate in FILE as it should be", pemTypeCertificate, what)
}
