// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// Types of handshake messages (GB/T 38636-2020, 6.4.5.1; RFC 8446, section 4).
const (
	msgHelloRequest       uint8 = 0
	msgClientHello        uint8 = 1
	msgServerHello        uint8 = 2
	msgNewSessionTicket   uint8 = 4 // TLS 1.3, as all with this remark
	msgEncryptedExts      uint8 = 8 // TLS 1.3
	msgCertificate        uint8 = 11
	msgServerKeyExchange  uint8 = 12
	msgCertificateRequest uint8 = 13
	msgServerHelloDone    uint8 = 14
	msgCertificateVerify  uint8 = 15
	msgClientKeyExchange  uint8 = 16
	msgFinished           uint8 = 20
	msgKeyUpdate          uint8 = 24  // TLS 1.3
	msgMessageHash        uint8 = 254 // TLS 1.3, in transcripts only
)

// Extensions that this package understands; others are ignored in a
// ClientHello.
const (
	extServerName        uint16 = 0
	extALPN              uint16 = 16
	extRenegotiationInfo uint16 = 0xff01
)

// suiteSCSV in a ClientHello asks for a renegotiation_info extension.
const suiteSCSV uint16 = 0x00ff

const (
	compressionNone  = 0
	maxSessionIDLen  = 32
	certTypeRSA      = 1
	certTypeECDSA    = 64
	handshakeHdrLen  = 4
	serverNameDNS    = 0
	curveTypeNamed   = 3
	curveSM2         = 41
	pointLen         = 65 // uncompressed point of the SM2 curve
	ecdhParamsLen    = 4 + pointLen
	maxServerNameLen = 255
	maxExtensions    = 128 // in a ClientHello; looking for duplicates is quadratic
	maxProtocolsLen  = 32 << 10
	maxNamesLen      = 60 << 10 // of a CertificateRequest, to keep it under defaultHandshakeSize
)

// Messages are written by append functions that take the buffer and return it
// longer by the message, and are read by parse functions that take the body and
// whose results point into it.

// beginMessage appends the header of a message; endMessage fills in its length
// once the body is there.
func beginMessage(b []byte, typ uint8) []byte { return append(b, typ, 0, 0, 0) }

func endMessage(b []byte, start int) []byte {
	n := len(b) - start - handshakeHdrLen
	b[start+1], b[start+2], b[start+3] = byte(n>>16), byte(n>>8), byte(n)
	return b
}

func appendUint24(b []byte, n int) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }

func appendVector8(b, v []byte) []byte { return append(append(b, byte(len(v))), v...) }

func appendVector16(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...)
}

// clientHello is the first message (6.4.5.2.1), with what this package knows of
// its extensions.
type clientHello struct {
	version      uint16
	random       []byte
	sessionID    []byte
	suites       []uint16
	compressions []byte
	extensions   []uint16 // types in the order received
	serverName   string
	protocols    []string
	secureReneg  bool // by extension or by suiteSCSV
}

func appendClientHello(b []byte, h *clientHello) []byte {
	start := len(b)
	b = beginMessage(b, msgClientHello)
	b = binary.BigEndian.AppendUint16(b, h.version)
	b = append(b, h.random...)
	b = appendVector8(b, h.sessionID)
	b = binary.BigEndian.AppendUint16(b, uint16(2*len(h.suites)))
	for _, s := range h.suites {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	b = append(b, 1, compressionNone)
	if h.serverName != "" || len(h.protocols) > 0 {
		at := len(b)
		b = append(b, 0, 0)
		if h.serverName != "" {
			b = appendServerName(b, h.serverName)
		}
		if len(h.protocols) > 0 {
			b = appendALPN(b, h.protocols)
		}
		binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2))
	}
	return endMessage(b, start)
}

// appendServerName appends a server_name extension with one host name (RFC
// 6066, section 3).
func appendServerName(b []byte, name string) []byte {
	n := len(name)
	for _, v := range [...]int{int(extServerName), n + 5, n + 3} {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	b = append(b, serverNameDNS)
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	return append(b, name...)
}

// appendALPN appends an ALPN extension (RFC 7301, section 3.1).
func appendALPN(b []byte, protocols []string) []byte {
	n := 0
	for _, p := range protocols {
		n += 1 + len(p)
	}
	for _, v := range [...]int{int(extALPN), n + 2, n} {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	for _, p := range protocols {
		b = append(append(b, byte(len(p))), p...)
	}
	return b
}

func parseClientHello(body []byte) (h *clientHello, ok bool) {
	h = new(clientHello)
	extensions, ok := h.parseFields(body)
	return h, ok && h.parseExtensions(extensions)
}

// parseFields parses all but the extensions, which it returns; none: empty.
func (h *clientHello) parseFields(body []byte) (extensions cryptobyte.String, ok bool) {
	s := cryptobyte.String(body)
	var sessionID, suites, compressions cryptobyte.String
	if !s.ReadUint16(&h.version) || !s.ReadBytes(&h.random, randomLen) ||
		!s.ReadUint8LengthPrefixed(&sessionID) || len(sessionID) > maxSessionIDLen ||
		!s.ReadUint16LengthPrefixed(&suites) || len(suites)%2 != 0 ||
		!s.ReadUint8LengthPrefixed(&compressions) || len(compressions) == 0 {
		return nil, false
	}
	h.sessionID, h.compressions = sessionID, compressions
	h.suites = make([]uint16, 0, len(suites)/2)
	for !suites.Empty() {
		var id uint16
		suites.ReadUint16(&id)
		h.suites = append(h.suites, id)
		h.secureReneg = h.secureReneg || id == suiteSCSV
	}
	if s.Empty() {
		return nil, true
	}
	ok = s.ReadUint16LengthPrefixed(&extensions) && s.Empty()
	return extensions, ok
}

func (h *clientHello) parseExtensions(s cryptobyte.String) bool {
	for !s.Empty() {
		var typ uint16
		var body cryptobyte.String
		if !s.ReadUint16(&typ) || !s.ReadUint16LengthPrefixed(&body) ||
			len(h.extensions) == maxExtensions || slices.Contains(h.extensions, typ) {
			return false
		}
		h.extensions = append(h.extensions, typ)
		ok := true
		switch typ {
		case extServerName:
			h.serverName, ok = parseServerName(body)
		case extALPN:
			h.protocols, ok = parseALPN(body)
		case extRenegotiationInfo:
			var verifyData cryptobyte.String
			// A first handshake has nothing to bind to, and this package
			// knows no other.
			ok = body.ReadUint8LengthPrefixed(&verifyData) && body.Empty() && len(verifyData) == 0
			h.secureReneg = true
		}
		if !ok {
			return false
		}
	}
	return true
}

func parseServerName(body cryptobyte.String) (name string, ok bool) {
	var list cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&list) || list.Empty() || !body.Empty() {
		return "", false
	}
	seen := false
	for !list.Empty() {
		var typ uint8
		var value cryptobyte.String
		if !list.ReadUint8(&typ) || !list.ReadUint16LengthPrefixed(&value) || value.Empty() {
			return "", false
		}
		if typ != serverNameDNS {
			continue
		}
		if seen || len(value) > maxServerNameLen || value[len(value)-1] == '.' ||
			slices.Contains(value, 0) {
			return "", false
		}
		seen = true
		name = strings.ToLower(string(value))
	}
	return name, true
}

func parseALPN(body cryptobyte.String) (protocols []string, ok bool) {
	var list cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&list) || list.Empty() || !body.Empty() {
		return nil, false
	}
	for !list.Empty() {
		var p cryptobyte.String
		if !list.ReadUint8LengthPrefixed(&p) || p.Empty() {
			return nil, false
		}
		protocols = append(protocols, string(p))
	}
	return protocols, true
}

// serverHello is the server's choice (6.4.5.2.2).
type serverHello struct {
	version     uint16
	random      []byte
	sessionID   []byte
	suite       uint16
	compression uint8
	protocol    string // ALPN; empty if none
	serverName  bool   // the name was taken note of
	secureReneg bool
}

func appendServerHello(b []byte, h *serverHello) []byte {
	start := len(b)
	b = beginMessage(b, msgServerHello)
	b = binary.BigEndian.AppendUint16(b, h.version)
	b = append(b, h.random...)
	b = appendVector8(b, h.sessionID)
	b = binary.BigEndian.AppendUint16(b, h.suite)
	b = append(b, h.compression)
	if h.protocol != "" || h.serverName || h.secureReneg {
		at := len(b)
		b = append(b, 0, 0)
		if h.serverName {
			b = append(b, byte(extServerName>>8), byte(extServerName&0xff), 0, 0)
		}
		if h.protocol != "" {
			b = appendALPN(b, []string{h.protocol})
		}
		if h.secureReneg {
			b = append(b, byte(extRenegotiationInfo>>8), byte(extRenegotiationInfo&0xff), 0, 1, 0)
		}
		binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2))
	}
	return endMessage(b, start)
}

// parseServerHello parses the message. An extension that this package never
// asks for, thus an unsolicited one, is reported by unsolicited.
func parseServerHello(body []byte) (h *serverHello, unsolicited, ok bool) {
	h = new(serverHello)
	s := cryptobyte.String(body)
	var sessionID cryptobyte.String
	if !s.ReadUint16(&h.version) || !s.ReadBytes(&h.random, randomLen) ||
		!s.ReadUint8LengthPrefixed(&sessionID) || len(sessionID) > maxSessionIDLen ||
		!s.ReadUint16(&h.suite) || !s.ReadUint8(&h.compression) {
		return nil, false, false
	}
	h.sessionID = sessionID
	if s.Empty() {
		return h, false, true
	}
	var extensions cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&extensions) || !s.Empty() {
		return nil, false, false
	}
	var seenName, seenALPN bool
	for !extensions.Empty() {
		var typ uint16
		var ext cryptobyte.String
		if !extensions.ReadUint16(&typ) || !extensions.ReadUint16LengthPrefixed(&ext) {
			return nil, false, false
		}
		switch typ {
		case extServerName:
			if seenName || !ext.Empty() {
				return nil, false, false
			}
			seenName, h.serverName = true, true
		case extALPN:
			protocols, valid := parseALPN(ext)
			if seenALPN || !valid || len(protocols) != 1 {
				return nil, false, false
			}
			seenALPN, h.protocol = true, protocols[0]
		default:
			unsolicited = true
		}
	}
	return h, unsolicited, true
}

// appendCertificate appends a Certificate message (6.4.5.3).
func appendCertificate(b []byte, certs [][]byte) []byte {
	start := len(b)
	b = beginMessage(b, msgCertificate)
	n := 0
	for _, der := range certs {
		n += 3 + len(der)
	}
	b = appendUint24(b, n)
	for _, der := range certs {
		b = append(appendUint24(b, len(der)), der...)
	}
	return endMessage(b, start)
}

func parseCertificate(body []byte) (certs [][]byte, ok bool) {
	s := cryptobyte.String(body)
	var list cryptobyte.String
	if !s.ReadUint24LengthPrefixed(&list) || !s.Empty() {
		return nil, false
	}
	for !list.Empty() {
		var der cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) || der.Empty() {
			return nil, false
		}
		if certs == nil {
			certs = make([][]byte, 0, 4)
		}
		certs = append(certs, der)
	}
	return certs, true
}

// appendCertificateRequest appends a CertificateRequest message (6.4.5.5) for
// the given distinguished names. Names that do not fit are left out, which
// leaves the client a shorter list to choose by.
func appendCertificateRequest(b []byte, names [][]byte) []byte {
	start := len(b)
	b = beginMessage(b, msgCertificateRequest)
	b = append(b, 2, certTypeECDSA, certTypeRSA)
	at := len(b)
	b = append(b, 0, 0)
	for _, name := range names {
		if len(b)-at+len(name) > maxNamesLen {
			break
		}
		b = appendVector16(b, name)
	}
	binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2))
	return endMessage(b, start)
}

func parseCertificateRequest(body []byte) (names [][]byte, ok bool) {
	s := cryptobyte.String(body)
	var types, list cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&types) || types.Empty() ||
		!s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
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

// appendVectorMessage appends a message whose body is one vector of up to
// 65,535 bytes: a ServerKeyExchange or ClientKeyExchange of an ECC suite, or a
// CertificateVerify.
func appendVectorMessage(b []byte, typ uint8, v []byte) []byte {
	start := len(b)
	return endMessage(appendVector16(beginMessage(b, typ), v), start)
}

func parseVectorMessage(body []byte) (v []byte, ok bool) {
	s := cryptobyte.String(body)
	var vector cryptobyte.String
	ok = s.ReadUint16LengthPrefixed(&vector) && s.Empty() && !vector.Empty()
	return vector, ok
}

// appendECDHParams appends the named curve SM2 and a point on it (6.4.5.4).
func appendECDHParams(b, point []byte) []byte {
	return append(append(b, curveTypeNamed, 0, curveSM2, byte(len(point))), point...)
}

// parseECDHParams reads the params at the start of s and returns them as they
// stand, and the point in them.
func parseECDHParams(s *cryptobyte.String) (params, point []byte, ok bool) {
	if !s.ReadBytes(&params, ecdhParamsLen) || params[0] != curveTypeNamed ||
		params[1] != 0 || params[2] != curveSM2 || params[3] != pointLen || params[4] != 4 {
		return nil, nil, false
	}
	return params, params[4:], true
}
