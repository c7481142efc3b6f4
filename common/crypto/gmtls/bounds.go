// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds on one certificate. They are checked before a peer's certificate is
// parsed, and when one of this end is loaded. A parsed certificate needs many
// times the memory of its DER if the DER consists of small elements, such as
// extended usages of three bytes each.
const (
	maxCertificateSize = 16 << 10
	maxCertExtensions  = 64
	maxExtensionSize   = 8 << 10
	maxElements        = 1000 // ASN.1 elements, those within extensions included
)

// checkBounds says which of the bounds a certificate exceeds, as what it "has". What
// is not DER is left to the parser.
func checkBounds(der []byte) error {
	if len(der) > maxCertificateSize {
		return fmt.Errorf("has %d bytes, more than %d", len(der), maxCertificateSize)
	}
	if n := countElements(der, maxElements+1); n > maxElements {
		return fmt.Errorf("has more than %d ASN.1 elements", maxElements)
	}
	extensions := extensionsOf(der)
	for n := 0; !extensions.Empty(); n++ {
		var extension cryptobyte.String
		if !extensions.ReadASN1(&extension, asn1.SEQUENCE) {
			return nil
		}
		if n == maxCertExtensions {
			return fmt.Errorf("has more than %d extensions", maxCertExtensions)
		}
		if len(extension) > maxExtensionSize {
			return fmt.Errorf("has an extension of %d bytes, more than %d", len(extension), maxExtensionSize)
		}
	}
	return nil
}

// extensionsOf returns the contents of the field extensions (RFC 5280, 4.1), or
// nothing if there is none.
func extensionsOf(der []byte) cryptobyte.String {
	var cert, tbs, field, extensions cryptobyte.String
	var tag asn1.Tag
	input := cryptobyte.String(der)
	if !input.ReadASN1(&cert, asn1.SEQUENCE) || !cert.ReadASN1(&tbs, asn1.SEQUENCE) {
		return nil
	}
	for tbs.ReadAnyASN1(&field, &tag) {
		if tag == asn1.Tag(3).Constructed().ContextSpecific() && field.ReadASN1(&extensions, asn1.SEQUENCE) {
			return extensions
		}
	}
	return nil
}

// countElements counts the ASN.1 elements in der, at most to limit. It looks
// into octet strings, since the values of extensions are such.
func countElements(der cryptobyte.String, limit int) int {
	n := 0
	var content cryptobyte.String
	var tag asn1.Tag
	for n < limit && !der.Empty() && der.ReadAnyASN1(&content, &tag) {
		n++
		if tag&0x20 != 0 || tag == asn1.OCTET_STRING {
			n += countElements(content, limit-n)
		}
	}
	return n
}
