// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DER of the object identifiers that decide who parses a certificate, tag and length included.
var (
	derIDECPublicKey = []byte{0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01}       // 1.2.840.10045.2.1
	derSM2Curve      = []byte{0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D} // 1.2.156.10197.1.301
	derSM2WithSM3    = []byte{0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x83, 0x75} // 1.2.156.10197.1.501
)

// outline is what certificates, requests and revocation lists say of their algorithms. It alone decides which library parses
// them: bytes that look like an object identifier of SM2 elsewhere decide nothing.
type outline struct {
	sm2Key        bool // the key's curve is named by the object identifier of SM2
	explicitCurve bool // the key's curve is given by parameters
	sm2Signature  bool // the signature algorithm is SM2 with SM3
}

// certificateOutline reads the outline of a DER certificate (RFC 5280, section 4.1). What it cannot read it leaves empty: the
// standard library then says what is wrong.
func certificateOutline(der []byte) (o outline) {
	tbs, ok := signedPart(der)
	if !ok || !tbs.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) || !tbs.SkipASN1(asn1.INTEGER) {
		return outline{}
	}
	var algorithm, key cryptobyte.String
	if !tbs.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!tbs.SkipASN1(asn1.SEQUENCE) || !tbs.SkipASN1(asn1.SEQUENCE) || !tbs.SkipASN1(asn1.SEQUENCE) || // issuer, validity, subject
		!tbs.ReadASN1Element(&key, asn1.SEQUENCE) {
		return outline{}
	}
	o = keyOutline(key)
	o.sm2Signature = namesSM2WithSM3(algorithm)
	return o
}

// requestOutline reads the outline of a DER certificate request (RFC 2986, section 4).
func requestOutline(der []byte) (o outline) {
	input := cryptobyte.String(der)
	var info, key, algorithm cryptobyte.String
	if !input.ReadASN1(&input, asn1.SEQUENCE) || !input.ReadASN1(&info, asn1.SEQUENCE) || !input.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!info.SkipASN1(asn1.INTEGER) || !info.SkipASN1(asn1.SEQUENCE) || !info.ReadASN1Element(&key, asn1.SEQUENCE) {
		return outline{}
	}
	o = keyOutline(key)
	o.sm2Signature = namesSM2WithSM3(algorithm)
	return o
}

// listIsSM2 reports whether a DER revocation list says that it is signed with SM2 (RFC 5280, section 5.1).
func listIsSM2(der []byte) bool {
	tbs, ok := signedPart(der)
	var algorithm cryptobyte.String
	return ok && tbs.SkipOptionalASN1(asn1.INTEGER) && tbs.ReadASN1(&algorithm, asn1.SEQUENCE) && namesSM2WithSM3(algorithm)
}

// signedPart is the content of the first member, a SEQUENCE, of a SEQUENCE.
func signedPart(der []byte) (tbs cryptobyte.String, ok bool) {
	input := cryptobyte.String(der)
	ok = input.ReadASN1(&input, asn1.SEQUENCE) && input.ReadASN1(&tbs, asn1.SEQUENCE)
	return tbs, ok
}

// keyOutline reads a DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7). Keys on curves are under id-ecPublicKey (RFC 5480);
// for SM2 keys some encoders write the curve's identifier in that place too.
func keyOutline(der cryptobyte.String) (o outline) {
	var info, algorithm, id, parameters cryptobyte.String
	var tag asn1.Tag
	if !der.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!algorithm.ReadASN1Element(&id, asn1.OBJECT_IDENTIFIER) || !algorithm.ReadAnyASN1Element(&parameters, &tag) {
		return outline{}
	}
	if !bytes.Equal(id, derIDECPublicKey) && !bytes.Equal(id, derSM2Curve) {
		return outline{}
	}
	o.sm2Key = bytes.Equal(parameters, derSM2Curve) && algorithm.Empty()
	o.explicitCurve = tag != asn1.OBJECT_IDENTIFIER
	return o
}

// namesSM2WithSM3 reports whether the content of an AlgorithmIdentifier begins with the identifier of SM2 with SM3.
func namesSM2WithSM3(algorithm cryptobyte.String) bool {
	var id cryptobyte.String
	return algorithm.ReadASN1Element(&id, asn1.OBJECT_IDENTIFIER) && bytes.Equal(id, derSM2WithSM3)
}
