// SPDX-License-Identifier: Apache-2.0

// Package wire parses TLS and TLCP handshakes from the bytes of a connection, and draws them as a ladder. It sees what is sent in the
// clear, or what a key log decrypts. It verifies no signature and no certificate.
//
// Parse functions return the contents of one message each. [Draw] writes a ladder of [Step] values.
package wire

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/loglimit"
)

// Content types of records.
const (
	RecordChangeCipherSpec = 20
	RecordAlert            = 21
	RecordHandshake        = 22
	RecordApplicationData  = 23
)

// Handshake message types.
const (
	MsgHelloRequest       = 0
	MsgClientHello        = 1
	MsgServerHello        = 2
	MsgNewSessionTicket   = 4
	MsgEncryptedExtension = 8 // EncryptedExtensions, of TLS 1.3
	MsgCertificate        = 11
	MsgServerKeyExchange  = 12
	MsgCertificateRequest = 13
	MsgServerHelloDone    = 14
	MsgCertificateVerify  = 15
	MsgClientKeyExchange  = 16
	MsgFinished           = 20
	MsgCertificateStatus  = 22
	MsgKeyUpdate          = 24 // of TLS 1.3
)

const (
	extServerName        = 0
	extALPN              = 16
	extSupportedVersions = 43
	extAuthorities       = 47 // of TLS 1.3
)

var messageNames = map[uint8]string{
	MsgHelloRequest: "HelloRequest", MsgClientHello: "ClientHello", MsgServerHello: "ServerHello",
	MsgNewSessionTicket: "NewSessionTicket", MsgCertificate: "Certificate",
	MsgServerKeyExchange: "ServerKeyExchange", MsgCertificateRequest: "CertificateRequest",
	MsgServerHelloDone: "ServerHelloDone", MsgCertificateVerify: "CertificateVerify",
	MsgClientKeyExchange: "ClientKeyExchange", MsgFinished: "Finished", MsgCertificateStatus: "CertificateStatus",
	MsgEncryptedExtension: "EncryptedExtensions", MsgKeyUpdate: "KeyUpdate",
}

// MessageName returns the name of a handshake message type.
func MessageName(typ uint8) string {
	if name, ok := messageNames[typ]; ok {
		return name
	}
	return fmt.Sprintf("handshake message %d", typ)
}

// VersionName names a TLS or TLCP version.
func VersionName(v uint16) string {
	if v == gmtls.VersionTLCP {
		return "TLCP 1.1"
	}
	return tls.VersionName(v)
}

// SuiteName names a suite of TLS or TLCP; the numbers do not overlap.
func SuiteName(id uint16) string {
	for _, s := range slices.Concat(gmtls.CipherSuites(), gmtls.CipherSuitesTLS13()) {
		if s.ID == id {
			return s.Name
		}
	}
	if name, ok := OtherSuites[id]; ok {
		return name
	}
	return tls.CipherSuiteName(id)
}

// OtherSuites are those of GB/T 38636-2020, 6.4.5.2.1, table 2, that gmtls does not implement.
var OtherSuites = map[uint16]string{
	0xE015: "IBSDH_SM4_CBC_SM3", 0xE055: "IBSDH_SM4_GCM_SM3", 0xE017: "IBC_SM4_CBC_SM3", 0xE057: "IBC_SM4_GCM_SM3",
	0xE019: "RSA_SM4_CBC_SM3", 0xE059: "RSA_SM4_GCM_SM3", 0xE01C: "RSA_SM4_CBC_SHA256", 0xE05A: "RSA_SM4_GCM_SHA256",
}

// Hello is the part of a ClientHello or ServerHello that the tools use.
type Hello struct {
	Version    uint16 // the one negotiated, or the highest one offered
	Random     []byte // 32 bytes
	SessionID  []byte
	Suites     []uint16 // of a server: the one chosen
	ServerName string
	Protocols  []string // ALPN
	Extensions int
}

// ParseHello parses the body of a ClientHello or ServerHello, without the
// header of 4 bytes.
func ParseHello(body []byte, client bool) (*Hello, bool) {
	s := cryptobyte.String(body)
	h := new(Hello)
	var id, suites, compression cryptobyte.String
	if !s.ReadUint16(&h.Version) || !s.ReadBytes(&h.Random, 32) || !s.ReadUint8LengthPrefixed(&id) {
		return nil, false
	}
	h.SessionID = id
	if client {
		if !s.ReadUint16LengthPrefixed(&suites) || !s.ReadUint8LengthPrefixed(&compression) {
			return nil, false
		}
	} else {
		var raw []byte
		if !s.ReadBytes(&raw, 2) || !s.Skip(1) {
			return nil, false
		}
		suites = raw
	}
	for !suites.Empty() {
		var id uint16
		if !suites.ReadUint16(&id) {
			return nil, false
		}
		h.Suites = append(h.Suites, id)
	}
	return h, s.Empty() || h.parseExtensions(s, client)
}

func (h *Hello) parseExtensions(s cryptobyte.String, client bool) bool {
	var list cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
		return false
	}
	for !list.Empty() {
		var typ uint16
		var ext cryptobyte.String
		if !list.ReadUint16(&typ) || !list.ReadUint16LengthPrefixed(&ext) {
			return false
		}
		h.Extensions++
		switch typ {
		case extServerName:
			h.parseServerName(ext)
		case extALPN:
			h.parseALPN(ext)
		case extSupportedVersions:
			h.parseVersions(ext, client)
		}
	}
	return true
}

func (h *Hello) parseServerName(ext cryptobyte.String) {
	var names, name cryptobyte.String
	var typ uint8
	if ext.ReadUint16LengthPrefixed(&names) && names.ReadUint8(&typ) && typ == 0 && names.ReadUint16LengthPrefixed(&name) {
		h.ServerName = loglimit.Printable(string(name))
	}
}

func (h *Hello) parseALPN(ext cryptobyte.String) {
	var list, name cryptobyte.String
	if !ext.ReadUint16LengthPrefixed(&list) {
		return
	}
	for list.ReadUint8LengthPrefixed(&name) {
		h.Protocols = append(h.Protocols, loglimit.Printable(string(name)))
	}
}

func (h *Hello) parseVersions(ext cryptobyte.String, client bool) {
	var v uint16
	if !client {
		if ext.ReadUint16(&v) {
			h.Version = v
		}
		return
	}
	var list cryptobyte.String
	if !ext.ReadUint8LengthPrefixed(&list) {
		return
	}
	for list.ReadUint16(&v) {
		if v > h.Version && v <= tls.VersionTLS13 {
			h.Version = v
		}
	}
}

// ParseCertificates parses the body of a Certificate message.
func ParseCertificates(body []byte, version uint16) (ders [][]byte, ok bool) {
	s := cryptobyte.String(body)
	var context, list, der, extensions cryptobyte.String
	newer := version == tls.VersionTLS13
	if newer && !s.ReadUint8LengthPrefixed(&context) || !s.ReadUint24LengthPrefixed(&list) || !s.Empty() {
		return nil, false
	}
	for !list.Empty() {
		if !list.ReadUint24LengthPrefixed(&der) || newer && !list.ReadUint16LengthPrefixed(&extensions) {
			return nil, false
		}
		ders = append(ders, append([]byte(nil), der...))
	}
	return ders, true
}

// ParseAuthorities parses the body of a CertificateRequest message of TLCP, of
// TLS 1.2, which also has a list of signature algorithms, or of TLS 1.3, where
// the names are in an extension. It returns the DER of the names.
func ParseAuthorities(body []byte, version uint16) (names [][]byte, ok bool) {
	s := cryptobyte.String(body)
	var types, algorithms, list, name cryptobyte.String
	switch {
	case version == tls.VersionTLS13:
		if list, ok = authoritiesExtension(s); !ok {
			return nil, false
		}
	case !s.ReadUint8LengthPrefixed(&types) ||
		version == tls.VersionTLS12 && !s.ReadUint16LengthPrefixed(&algorithms) ||
		!s.ReadUint16LengthPrefixed(&list) || !s.Empty():
		return nil, false
	}
	for !list.Empty() {
		if !list.ReadUint16LengthPrefixed(&name) {
			return nil, false
		}
		names = append(names, append([]byte(nil), name...))
	}
	return names, true
}

// authoritiesExtension returns the list of names in a CertificateRequest of TLS 1.3, which is empty if it names none.
func authoritiesExtension(s cryptobyte.String) (names cryptobyte.String, ok bool) {
	var context, list, ext cryptobyte.String
	var typ uint16
	if !s.ReadUint8LengthPrefixed(&context) || !s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
		return nil, false
	}
	for !list.Empty() {
		if !list.ReadUint16(&typ) || !list.ReadUint16LengthPrefixed(&ext) ||
			typ == extAuthorities && (!ext.ReadUint16LengthPrefixed(&names) || !ext.Empty()) {
			return nil, false
		}
	}
	return names, true
}

// Describe says in a few words what is in a message, given with its header.
func Describe(msg []byte, version uint16) string {
	if len(msg) < 4 {
		return ""
	}
	body := msg[4:]
	switch msg[0] {
	case MsgClientHello, MsgServerHello:
		h, ok := ParseHello(body, msg[0] == MsgClientHello)
		if !ok {
			return "cannot be parsed"
		}
		return h.describe(msg[0] == MsgClientHello)
	case MsgCertificate:
		if ders, ok := ParseCertificates(body, version); ok {
			return plural(len(ders), "certificate")
		}
	case MsgCertificateRequest:
		if names, ok := ParseAuthorities(body, version); ok {
			return "names " + plural(len(names), "authority")
		}
	}
	return ""
}

func (h *Hello) describe(client bool) string {
	parts := []string{VersionName(h.Version)}
	if client {
		parts = append(parts, plural(len(h.Suites), "suite"))
	} else if len(h.Suites) > 0 {
		parts = append(parts, SuiteName(h.Suites[0]))
	}
	if h.ServerName != "" {
		parts = append(parts, "name "+h.ServerName)
	}
	if len(h.Protocols) > 0 {
		parts = append(parts, "ALPN "+strings.Join(h.Protocols, ","))
	}
	return strings.Join(parts, ", ")
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// AlertNote returns level, name and number of an alert.
func AlertNote(level, number uint8) string {
	name, _ := cause.AlertName(number)
	kind := "fatal"
	if level == 1 {
		kind = "warning"
	}
	return fmt.Sprintf("%s: %s (%d)", kind, name, number)
}
