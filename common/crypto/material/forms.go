// SPDX-License-Identifier: Apache-2.0

package material

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Form is the kind of DER by its outline. Only the parser of the form finds out whether the DER is well-formed to its end.
type Form string

// The forms that FormOf distinguishes.
const (
	FormUnknown      Form = "DER of an unknown kind"
	FormCertificate  Form = "a certificate"
	FormRequest      Form = "a certificate request (PKCS #10)"
	FormList         Form = "a revocation list"
	FormPKCS8        Form = "a private key (PKCS #8)"
	FormEncrypted    Form = "an encrypted private key (PKCS #8)"
	FormSEC1         Form = "a private key (SEC 1)"
	FormPKCS1        Form = "a private key (PKCS #1)"
	FormPublicKey    Form = "a public key"
	FormPKCS7        Form = "a PKCS #7 message"
	FormGMSigned     Form = "a GM/T 0010 message with certificates"
	FormSealed       Form = "a PKCS #7 or GM/T 0010 message without certificates"
	FormPKCS12       Form = "a PKCS #12 file"
	FormEnvelopedKey Form = "an SM2EnvelopedKey (GM/T 0009)"
	FormCFCA         Form = "a CFCA .sm2 file"
	FormCSRResponse  Form = "a CSRResponse (GM/T 0092)"
	FormLegacy       Form = "an encrypted private key (RFC 1423)"
	FormEscrow       Form = "an encryption key as CFCA sends it" // which is text
)

var (
	oidGMData = asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 1, 4, 2, 1} // GM/T 0010, data
	oidPKCS7  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7}
	oidGM0010 = asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 1, 4, 2}
	oidPBE    = []asn1.ObjectIdentifier{
		{1, 2, 840, 113549, 1, 5},     // PKCS #5
		{1, 2, 840, 113549, 1, 12, 1}, // PKCS #12
	}
)

// outline is the types and first values of the members of a sequence.
type outline struct {
	tags    []cbasn1.Tag
	members []cryptobyte.String // with their headers
}

func outlineOf(der cryptobyte.String) (o outline, ok bool) {
	var seq cryptobyte.String
	if !der.ReadASN1(&seq, cbasn1.SEQUENCE) || !der.Empty() {
		return o, false
	}
	for !seq.Empty() && len(o.tags) < 8 {
		var member cryptobyte.String
		var tag cbasn1.Tag
		if !seq.ReadAnyASN1Element(&member, &tag) {
			return o, false
		}
		o.tags, o.members = append(o.tags, tag), append(o.members, member)
	}
	return o, true
}

// starts reports whether the members begin with these types.
func (o outline) starts(tags ...cbasn1.Tag) bool {
	if len(o.tags) < len(tags) {
		return false
	}
	for i, tag := range tags {
		if o.tags[i] != tag {
			return false
		}
	}
	return true
}

// oid returns the first object identifier inside member i, a sequence.
func (o outline) oid(i int) (id asn1.ObjectIdentifier) {
	member := o.members[i]
	var seq cryptobyte.String
	if member.ReadASN1(&seq, cbasn1.SEQUENCE) {
		seq.ReadASN1ObjectIdentifier(&id)
	}
	return id
}

const (
	seqTag  = cbasn1.SEQUENCE
	intTag  = cbasn1.INTEGER
	octTag  = cbasn1.OCTET_STRING
	bitTag  = cbasn1.BIT_STRING
	oidTag  = cbasn1.OBJECT_IDENTIFIER
	attrTag = cbasn1.Tag(0xa0)
)

// FormOf recognises DER by its outline.
func FormOf(der []byte) Form {
	o, ok := outlineOf(der)
	if !ok {
		return FormUnknown
	}
	switch {
	case o.starts(seqTag, seqTag, bitTag, bitTag):
		return FormEnvelopedKey
	case o.starts(seqTag, seqTag, bitTag):
		return signedForm(o.members[0])
	case o.starts(intTag, seqTag, octTag):
		return FormPKCS8
	case o.starts(intTag, seqTag, seqTag) && o.oid(1).Equal(oidGMData):
		return FormCFCA
	case o.starts(intTag, seqTag):
		return FormPKCS12
	case o.starts(intTag, octTag):
		return FormSEC1
	case o.starts(intTag, intTag, intTag, intTag):
		return FormPKCS1
	case o.starts(seqTag, octTag) && isPBE(o.oid(0)):
		return FormEncrypted
	case o.starts(seqTag, bitTag):
		return FormPublicKey
	case o.starts(oidTag):
		return messageForm(o.members[0])
	case o.starts(cbasn1.SET):
		return FormCSRResponse
	}
	return FormUnknown
}

// messageForm tells messages by their type: of both standards, number 2 is signed data, which alone has certificates for others.
func messageForm(member cryptobyte.String) Form {
	var id asn1.ObjectIdentifier
	member.ReadASN1ObjectIdentifier(&id)
	switch {
	case len(id) == 0 || !id[:len(id)-1].Equal(oidPKCS7) && !id[:len(id)-1].Equal(oidGM0010):
		return FormUnknown
	case id[len(id)-1] != 2:
		return FormSealed
	case id[:len(id)-1].Equal(oidPKCS7):
		return FormPKCS7
	}
	return FormGMSigned
}

func isPBE(id asn1.ObjectIdentifier) bool {
	for _, arc := range oidPBE {
		if len(id) > len(arc) && id[:len(arc)].Equal(arc) {
			return true
		}
	}
	return false
}

// signedForm reports what the signed part of a certificate, a request or a revocation list belongs to.
func signedForm(signed cryptobyte.String) Form {
	o, ok := outlineOf(signed)
	if !ok {
		return FormUnknown
	}
	switch {
	case o.starts(attrTag), o.starts(intTag, seqTag, seqTag, seqTag, seqTag):
		return FormCertificate
	case o.starts(intTag, seqTag, seqTag, attrTag):
		return FormRequest
	case o.starts(intTag, seqTag, seqTag, cbasn1.UTCTime), o.starts(intTag, seqTag, seqTag, cbasn1.GeneralizedTime),
		o.starts(seqTag, seqTag, cbasn1.UTCTime), o.starts(seqTag, seqTag, cbasn1.GeneralizedTime):
		return FormList
	}
	return FormUnknown
}
