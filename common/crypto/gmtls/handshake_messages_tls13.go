// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"encoding/binary"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

// Extensions of TLS 1.3 (RFC 8446, section 4.2).
const (
	extSupportedGroups      uint16 = 10
	extSignatureAlgorithms  uint16 = 13
	extPadding              uint16 = 21
	extPreSharedKey         uint16 = 41
	extEarlyData            uint16 = 42
	extSupportedVersions    uint16 = 43
	extCookie               uint16 = 44
	extPSKModes             uint16 = 45
	extCertAuthorities      uint16 = 47
	extSignatureAlgorithmsC uint16 = 50
	extKeyShare             uint16 = 51
)

const (
	schemeSM2SM3 uint16 = 0x0708 // sm2sig_sm3, RFC 8998, section 3.2.1
	pskModeDHE   uint8  = 1      // psk_dhe_ke, the only one that this package uses

	maxCookieLen      = 4 << 10
	maxIdentities     = 4                // of a client's PSKs that are looked up
	maxTicketLen      = 8 << 10          // of a server's tickets that are kept: a ClientHello has to have room for one
	maxTicketLifetime = 7 * 24 * 60 * 60 // seconds, RFC 8446, section 4.6.1
)

// retryRandom in the place of the random makes a ServerHello a
// HelloRetryRequest (RFC 8446, section 4.1.3).
var retryRandom = [randomLen]byte{
	0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
	0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
}

// downgradeMark begins the last 8 bytes of the random of a server that knows
// TLS 1.3 and chose an older version (RFC 8446, section 4.1.3).
const downgradeMark = "DOWNGRD"

type keyShare struct {
	group CurveID
	data  []byte
}

type pskIdentity struct {
	id  []byte
	age uint32
}

// clientHello13 is a ClientHello with the extensions of TLS 1.3.
type clientHello13 struct {
	clientHello
	versions   []uint16
	groups     []CurveID
	schemes    []uint16
	chainSigs  []uint16 // signature_algorithms_cert; nil: the same as schemes
	shares     []keyShare
	pskModes   []byte
	cookie     []byte
	identities []pskIdentity
	binders    [][]byte
	bindersLen int // of the list of binders with its length, at the message's end
}

func (h *clientHello13) has(extension uint16) bool {
	return slices.Contains(h.extensions, extension)
}

// beginExtension appends the type of an extension and room for its length, which
// endExtension fills in.
func beginExtension(b []byte, typ uint16) ([]byte, int) {
	b = append(b, byte(typ>>8), byte(typ), 0, 0)
	return b, len(b)
}

func endExtension(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start-2:], uint16(len(b)-start))
	return b
}

// appendUint16s appends an extension that is a list of numbers with a length of
// two bytes.
func appendUint16s[T ~uint16](b []byte, typ uint16, list []T) []byte {
	b, start := beginExtension(b, typ)
	b = binary.BigEndian.AppendUint16(b, uint16(2*len(list)))
	for _, v := range list {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return endExtension(b, start)
}

// appendClientHello13 appends the message. The binders are part of it, and are
// to be filled in once the rest is there.
func appendClientHello13(b []byte, h *clientHello13) []byte {
	start := len(b)
	b = beginMessage(b, msgClientHello)
	b = binary.BigEndian.AppendUint16(b, legacyVersion)
	b = append(b, h.random...)
	b = appendVector8(b, h.sessionID)
	b = binary.BigEndian.AppendUint16(b, uint16(2*len(h.suites)))
	for _, s := range h.suites {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	b = append(b, 1, compressionNone, 0, 0)
	at := len(b)
	if h.serverName != "" {
		b = appendServerName(b, h.serverName)
	}
	b = appendUint16s(b, extSupportedGroups, h.groups)
	b = appendUint16s(b, extSignatureAlgorithms, h.schemes)
	if len(h.protocols) > 0 {
		b = appendALPN(b, h.protocols)
	}
	b = append(b, 0, byte(extSupportedVersions), 0, 3, 2, byte(VersionTLS13>>8), byte(VersionTLS13&0xff))
	b = append(b, 0, byte(extPSKModes), 0, 2, 1, pskModeDHE)
	b = h.appendShares(b)
	if len(h.cookie) > 0 {
		var cookie int
		b, cookie = beginExtension(b, extCookie)
		b = endExtension(appendVector16(b, h.cookie), cookie)
	}
	if len(h.identities) > 0 {
		b = h.appendPSK(b)
	}
	binary.BigEndian.PutUint16(b[at-2:], uint16(len(b)-at))
	return endMessage(b, start)
}

func (h *clientHello13) appendShares(b []byte) []byte {
	b, start := beginExtension(b, extKeyShare)
	b = append(b, 0, 0)
	for _, s := range h.shares {
		b = binary.BigEndian.AppendUint16(b, uint16(s.group))
		b = appendVector16(b, s.data)
	}
	binary.BigEndian.PutUint16(b[start:], uint16(len(b)-start-2))
	return endExtension(b, start)
}

func (h *clientHello13) appendPSK(b []byte) []byte {
	b, start := beginExtension(b, extPreSharedKey)
	b = append(b, 0, 0)
	for _, i := range h.identities {
		b = appendVector16(b, i.id)
		b = binary.BigEndian.AppendUint32(b, i.age)
	}
	binary.BigEndian.PutUint16(b[start:], uint16(len(b)-start-2))
	at := len(b)
	b = append(b, 0, 0)
	for _, binder := range h.binders {
		b = appendVector8(b, binder)
	}
	h.bindersLen = len(b) - at
	binary.BigEndian.PutUint16(b[at:], uint16(h.bindersLen-2))
	return endExtension(b, start)
}

// parseClientHello13 parses the body of a ClientHello of TLS 1.3. What is wrong
// comes as the error to end the connection with.
func parseClientHello13(body []byte) (*clientHello13, error) {
	h := new(clientHello13)
	rest, ok := h.parseFields(body)
	if !ok {
		return nil, decodeError(msgClientHello)
	}
	for !rest.Empty() {
		typ, ext, ok := nextExtension(&rest)
		switch {
		case !ok || len(h.extensions) == maxExtensions:
			return nil, decodeError(msgClientHello)
		case slices.Contains(h.extensions, typ):
			return nil, failf(AlertIllegalParameter, "ClientHello has the extension %d twice", typ)
		case h.has(extPreSharedKey):
			return nil, failf(AlertIllegalParameter, "ClientHello has the extension %d behind pre_shared_key", typ)
		}
		h.extensions = append(h.extensions, typ)
		if !h.parseExtension(typ, ext) {
			return nil, failf(AlertDecodeError, "ClientHello has a malformed extension %d", typ)
		}
	}
	return h, nil
}

func nextExtension(s *cryptobyte.String) (typ uint16, body cryptobyte.String, ok bool) {
	ok = s.ReadUint16(&typ) && s.ReadUint16LengthPrefixed(&body)
	return typ, body, ok
}

func (h *clientHello13) parseExtension(typ uint16, body cryptobyte.String) (ok bool) {
	switch typ {
	case extServerName:
		h.serverName, ok = parseServerName(body)
	case extALPN:
		h.protocols, ok = parseALPN(body)
	case extSupportedGroups:
		h.groups, ok = parseUint16s[CurveID](body)
	case extSignatureAlgorithms:
		h.schemes, ok = parseUint16s[uint16](body)
	case extSignatureAlgorithmsC:
		h.chainSigs, ok = parseUint16s[uint16](body)
	case extSupportedVersions:
		h.versions, ok = parseVersions(body)
	case extKeyShare:
		h.shares, ok = parseShares(body)
	case extPSKModes:
		var modes cryptobyte.String
		ok = body.ReadUint8LengthPrefixed(&modes) && !modes.Empty() && body.Empty()
		h.pskModes = modes
	case extCookie:
		h.cookie, ok = parseVectorMessage(body)
	case extPreSharedKey:
		ok = h.parsePSK(body)
	case extEarlyData:
		ok = body.Empty()
	default:
		ok = true
	}
	return ok
}

// parseUint16s parses a list of numbers with a length of two bytes, which is not
// empty.
func parseUint16s[T ~uint16](body cryptobyte.String) (values []T, ok bool) {
	var list cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&list) || !body.Empty() || list.Empty() || len(list)%2 != 0 {
		return nil, false
	}
	values = make([]T, 0, len(list)/2)
	for !list.Empty() {
		var v uint16
		list.ReadUint16(&v)
		values = append(values, T(v))
	}
	return values, true
}

func parseVersions(body cryptobyte.String) (versions []uint16, ok bool) {
	var list cryptobyte.String
	if !body.ReadUint8LengthPrefixed(&list) || !body.Empty() || list.Empty() || len(list)%2 != 0 {
		return nil, false
	}
	for !list.Empty() {
		var v uint16
		list.ReadUint16(&v)
		versions = append(versions, v)
	}
	return versions, true
}

// parseShares parses a list of key shares, which may be empty.
func parseShares(body cryptobyte.String) (shares []keyShare, ok bool) {
	var list cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&list) || !body.Empty() {
		return nil, false
	}
	for !list.Empty() {
		share, ok := parseShare(&list)
		if !ok || len(shares) == maxExtensions {
			return nil, false
		}
		shares = append(shares, share)
	}
	return shares, true
}

func parseShare(s *cryptobyte.String) (share keyShare, ok bool) {
	var group uint16
	var data cryptobyte.String
	ok = s.ReadUint16(&group) && s.ReadUint16LengthPrefixed(&data) && !data.Empty()
	return keyShare{CurveID(group), data}, ok
}

func (h *clientHello13) parsePSK(body cryptobyte.String) bool {
	var identities, binders cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&identities) || identities.Empty() {
		return false
	}
	h.bindersLen = len(body)
	if !body.ReadUint16LengthPrefixed(&binders) || binders.Empty() || !body.Empty() {
		return false
	}
	for !identities.Empty() {
		var id cryptobyte.String
		var age uint32
		if !identities.ReadUint16LengthPrefixed(&id) || id.Empty() || !identities.ReadUint32(&age) ||
			len(h.identities) == maxExtensions {
			return false
		}
		h.identities = append(h.identities, pskIdentity{id, age})
	}
	for !binders.Empty() {
		var binder cryptobyte.String
		if !binders.ReadUint8LengthPrefixed(&binder) || len(binder) < secretLen || len(h.binders) == maxExtensions {
			return false
		}
		h.binders = append(h.binders, binder)
	}
	return true
}

// lastingPart returns what a ClientHello, whose form was checked, must have in
// common with the one that follows a HelloRetryRequest: all but a few extensions
// (RFC 8446, section 4.1.2).
func lastingPart(body []byte) []byte {
	var h clientHello
	rest, _ := h.parseFields(body)
	kept := slices.Clone(body[:len(body)-len(rest)])
	if len(rest) > 0 {
		kept = kept[:len(kept)-2] // length of the extensions
	}
	for !rest.Empty() {
		typ, ext, _ := nextExtension(&rest)
		switch typ {
		case extKeyShare, extPreSharedKey, extEarlyData, extCookie, extPadding:
		default:
			kept = append(kept, byte(typ>>8), byte(typ))
			kept = appendVector16(kept, ext)
		}
	}
	return kept
}

// serverHello13 is a ServerHello or HelloRetryRequest of TLS 1.3.
type serverHello13 struct {
	legacy      uint16
	random      []byte
	sessionID   []byte
	suite       uint16
	compression uint8
	version     uint16   // selected; zero: the extension is missing
	share       keyShare // in a HelloRetryRequest without data
	cookie      []byte
	resumed     bool
	identity    uint16 // selected, if resumed
}

func (h *serverHello13) isRetry() bool { return string(h.random) == string(retryRandom[:]) }

func appendServerHello13(b []byte, h *serverHello13) []byte {
	start := len(b)
	b = beginMessage(b, msgServerHello)
	b = binary.BigEndian.AppendUint16(b, legacyVersion)
	b = append(b, h.random...)
	b = appendVector8(b, h.sessionID)
	b = binary.BigEndian.AppendUint16(b, h.suite)
	b = append(b, compressionNone, 0, 0)
	at := len(b)
	b = append(b, 0, byte(extSupportedVersions), 0, 2, byte(VersionTLS13>>8), byte(VersionTLS13&0xff))
	b, share := beginExtension(b, extKeyShare)
	b = binary.BigEndian.AppendUint16(b, uint16(h.share.group))
	if !h.isRetry() {
		b = appendVector16(b, h.share.data)
	}
	b = endExtension(b, share)
	if h.resumed {
		b = append(b, 0, byte(extPreSharedKey), 0, 2, byte(h.identity>>8), byte(h.identity))
	}
	binary.BigEndian.PutUint16(b[at-2:], uint16(len(b)-at))
	return endMessage(b, start)
}

// parseServerHello13 parses the body of a ServerHello. Extensions that it must
// not have are refused.
func parseServerHello13(body []byte) (*serverHello13, error) {
	malformed := decodeError(msgServerHello)
	h := new(serverHello13)
	s := cryptobyte.String(body)
	var sessionID, rest cryptobyte.String
	if !s.ReadUint16(&h.legacy) || !s.ReadBytes(&h.random, randomLen) ||
		!s.ReadUint8LengthPrefixed(&sessionID) || len(sessionID) > maxSessionIDLen ||
		!s.ReadUint16(&h.suite) || !s.ReadUint8(&h.compression) {
		return nil, malformed
	}
	h.sessionID = sessionID
	if !s.Empty() && (!s.ReadUint16LengthPrefixed(&rest) || !s.Empty()) {
		return nil, malformed
	}
	var seen []uint16
	for !rest.Empty() {
		typ, ext, ok := nextExtension(&rest)
		switch {
		case !ok:
			return nil, malformed
		case slices.Contains(seen, typ):
			return nil, failf(AlertIllegalParameter, "ServerHello has the extension %d twice", typ)
		}
		seen = append(seen, typ)
		switch typ {
		case extSupportedVersions:
			ok = ext.ReadUint16(&h.version) && ext.Empty()
		case extKeyShare:
			ok = h.parseShare(ext)
		case extCookie:
			if !h.isRetry() {
				return nil, unexpectedExtension("ServerHello", typ)
			}
			h.cookie, ok = parseVectorMessage(ext)
		case extPreSharedKey:
			if h.isRetry() {
				return nil, unexpectedExtension("HelloRetryRequest", typ)
			}
			ok = ext.ReadUint16(&h.identity) && ext.Empty()
			h.resumed = true
		default:
			return nil, unexpectedExtension("ServerHello", typ)
		}
		if !ok {
			return nil, failf(AlertDecodeError, "ServerHello has a malformed extension %d", typ)
		}
	}
	return h, nil
}

func (h *serverHello13) parseShare(ext cryptobyte.String) (ok bool) {
	if h.isRetry() {
		var group uint16
		ok = ext.ReadUint16(&group) && ext.Empty()
		h.share.group = CurveID(group)
		return ok
	}
	h.share, ok = parseShare(&ext)
	return ok && ext.Empty()
}

// unexpectedExtension is the error for an extension of a server's message: one
// that belongs into another message, or that was not asked for (RFC 8446,
// section 4.2).
func unexpectedExtension(message string, typ uint16) error {
	alert := AlertUnsupportedExtension
	switch typ {
	case extServerName, extALPN, extSupportedGroups, extSignatureAlgorithms, extPreSharedKey,
		extSupportedVersions, extCookie, extPSKModes, extKeyShare:
		alert = AlertIllegalParameter
	}
	return failf(alert, "%s has the extension %d, which does not belong there", message, typ)
}

// appendEncryptedExtensions appends the message (RFC 8446, section 4.3.1).
func appendEncryptedExtensions(b []byte, protocol string) []byte {
	start := len(b)
	b = append(beginMessage(b, msgEncryptedExts), 0, 0)
	at := len(b)
	if protocol != "" {
		b = appendALPN(b, []string{protocol})
	}
	binary.BigEndian.PutUint16(b[at-2:], uint16(len(b)-at))
	return endMessage(b, start)
}

// parseEncryptedExtensions returns the application protocol that the server
// chose, and whether it took note of the name.
func parseEncryptedExtensions(body []byte) (protocol string, named bool, err error) {
	s := cryptobyte.String(body)
	var rest cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&rest) || !s.Empty() {
		return "", false, decodeError(msgEncryptedExts)
	}
	var seen []uint16
	for !rest.Empty() {
		typ, ext, ok := nextExtension(&rest)
		switch {
		case !ok:
			return "", false, decodeError(msgEncryptedExts)
		case slices.Contains(seen, typ):
			return "", false, failf(AlertIllegalParameter, "EncryptedExtensions has the extension %d twice", typ)
		}
		seen = append(seen, typ)
		switch typ {
		case extServerName:
			named, ok = true, ext.Empty()
		case extALPN:
			var protocols []string
			if protocols, ok = parseALPN(ext); ok && len(protocols) == 1 {
				protocol = protocols[0]
			} else {
				ok = false
			}
		case extSupportedGroups: // a hint for later connections
			_, ok = parseUint16s[CurveID](ext)
		default:
			return "", false, unexpectedExtension("EncryptedExtensions", typ)
		}
		if !ok {
			return "", false, failf(AlertDecodeError, "EncryptedExtensions has a malformed extension %d", typ)
		}
	}
	return protocol, named, nil
}

// appendCertificateRequest13 appends the message of the handshake (RFC 8446,
// section 4.3.2). Names that do not fit are left out.
func appendCertificateRequest13(b []byte, names [][]byte) []byte {
	start := len(b)
	b = append(beginMessage(b, msgCertificateRequest), 0, 0, 0)
	at := len(b)
	b = appendUint16s(b, extSignatureAlgorithms, []uint16{schemeSM2SM3})
	if len(names) > 0 {
		var list int
		b, list = beginExtension(b, extCertAuthorities)
		b = append(b, 0, 0)
		for _, name := range names {
			if len(b)-at+len(name) > maxNamesLen {
				break
			}
			b = appendVector16(b, name)
		}
		binary.BigEndian.PutUint16(b[list:], uint16(len(b)-list-2))
		b = endExtension(b, list)
	}
	binary.BigEndian.PutUint16(b[at-2:], uint16(len(b)-at))
	return endMessage(b, start)
}

// parseCertificateRequest13 returns the signature algorithms and the names of
// authorities that the server accepts.
func parseCertificateRequest13(body []byte) (schemes []uint16, names [][]byte, err error) {
	malformed := decodeError(msgCertificateRequest)
	s := cryptobyte.String(body)
	var requestContext, rest cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&requestContext) || !s.ReadUint16LengthPrefixed(&rest) || !s.Empty() {
		return nil, nil, malformed
	}
	if len(requestContext) != 0 {
		return nil, nil, failf(AlertIllegalParameter, "CertificateRequest has a context within the handshake")
	}
	var seen []uint16
	for !rest.Empty() {
		typ, ext, ok := nextExtension(&rest)
		switch {
		case !ok || len(seen) == maxExtensions:
			return nil, nil, malformed
		case slices.Contains(seen, typ):
			return nil, nil, failf(AlertIllegalParameter, "CertificateRequest has the extension %d twice", typ)
		}
		seen = append(seen, typ)
		switch typ {
		case extSignatureAlgorithms:
			schemes, ok = parseUint16s[uint16](ext)
		case extCertAuthorities:
			names, ok = parseNames(ext)
		}
		if !ok {
			return nil, nil, failf(AlertDecodeError, "CertificateRequest has a malformed extension %d", typ)
		}
	}
	if schemes == nil {
		return nil, nil, failf(AlertMissingExtension, "CertificateRequest has no signature_algorithms")
	}
	return schemes, names, nil
}

// parseNames parses a list of distinguished names, which is not empty.
func parseNames(body cryptobyte.String) (names [][]byte, ok bool) {
	var list cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&list) || !body.Empty() || list.Empty() {
		return nil, false
	}
	for !list.Empty() {
		var name cryptobyte.String
		if !list.ReadUint16LengthPrefixed(&name) || name.Empty() {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

// appendCertificate13 appends a Certificate message (RFC 8446, section 4.4.2).
func appendCertificate13(b []byte, certs [][]byte) []byte {
	start := len(b)
	b = append(beginMessage(b, msgCertificate), 0)
	n := 0
	for _, der := range certs {
		n += 3 + len(der) + 2
	}
	b = appendUint24(b, n)
	for _, der := range certs {
		b = append(append(appendUint24(b, len(der)), der...), 0, 0)
	}
	return endMessage(b, start)
}

func parseCertificate13(body []byte) (certs [][]byte, err error) {
	malformed := decodeError(msgCertificate)
	s := cryptobyte.String(body)
	var requestContext, list cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&requestContext) || !s.ReadUint24LengthPrefixed(&list) || !s.Empty() {
		return nil, malformed
	}
	if len(requestContext) != 0 {
		return nil, failf(AlertIllegalParameter, "Certificate has a context within the handshake")
	}
	for !list.Empty() {
		var der, extensions cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) || der.Empty() || !list.ReadUint16LengthPrefixed(&extensions) {
			return nil, malformed
		}
		certs = append(certs, der)
		for !extensions.Empty() {
			typ, _, ok := nextExtension(&extensions)
			if !ok {
				return nil, malformed
			}
			return nil, unexpectedExtension("Certificate", typ) // none was asked for
		}
	}
	return certs, nil
}

// appendCertificateVerify13 appends a CertificateVerify message (section 4.4.3).
func appendCertificateVerify13(b, sig []byte) []byte {
	start := len(b)
	b = beginMessage(b, msgCertificateVerify)
	b = binary.BigEndian.AppendUint16(b, schemeSM2SM3)
	return endMessage(appendVector16(b, sig), start)
}

func parseCertificateVerify13(body []byte) (scheme uint16, sig []byte, ok bool) {
	s := cryptobyte.String(body)
	if !s.ReadUint16(&scheme) {
		return 0, nil, false
	}
	sig, ok = parseVectorMessage(s)
	return scheme, sig, ok
}

// newSessionTicket is what a server gives a client to resume by (section 4.6.1).
type newSessionTicket struct {
	lifetime uint32 // seconds
	ageAdd   uint32
	nonce    []byte
	ticket   []byte
}

func appendNewSessionTicket(b []byte, t *newSessionTicket) []byte {
	start := len(b)
	b = beginMessage(b, msgNewSessionTicket)
	b = binary.BigEndian.AppendUint32(b, t.lifetime)
	b = binary.BigEndian.AppendUint32(b, t.ageAdd)
	b = appendVector8(b, t.nonce)
	b = appendVector16(b, t.ticket)
	return endMessage(append(b, 0, 0), start)
}

func parseNewSessionTicket(body []byte) (*newSessionTicket, bool) {
	t := new(newSessionTicket)
	s := cryptobyte.String(body)
	var nonce, ticket, extensions cryptobyte.String
	if !s.ReadUint32(&t.lifetime) || !s.ReadUint32(&t.ageAdd) || !s.ReadUint8LengthPrefixed(&nonce) ||
		!s.ReadUint16LengthPrefixed(&ticket) || ticket.Empty() ||
		!s.ReadUint16LengthPrefixed(&extensions) || !s.Empty() {
		return nil, false
	}
	var seen []uint16
	for !extensions.Empty() { // one is defined, for 0-RTT, which this package does not do
		typ, _, ok := nextExtension(&extensions)
		if !ok || slices.Contains(seen, typ) || len(seen) == maxExtensions {
			return nil, false
		}
		seen = append(seen, typ)
	}
	t.nonce, t.ticket = nonce, ticket
	return t, true
}
