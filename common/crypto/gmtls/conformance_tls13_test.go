// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/smx509"
)

const (
	serverExtensions = 2 + randomLen + 1 + maxSessionIDLen + 2 + 1         // offset of the list in a ServerHello
	clientExtensions = 2 + randomLen + 1 + maxSessionIDLen + 2 + 2 + 1 + 1 // and in a ClientHello with one suite
)

// set returns a change that puts bytes at an offset.
func set13(at int, values ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[at:], values)
		return b
	}
}

func cut13(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

func without13([]byte) []byte { return nil }

func is13(values ...byte) func([]byte) []byte {
	return func([]byte) []byte { return append([]byte{}, values...) }
}

func chain13(changes ...func([]byte) []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		for _, change := range changes {
			b = change(b)
		}
		return b
	}
}

// TestClientConformance13 is about what servers may do wrong.
func TestClientConformance13(t *testing.T) {
	retry := func(_ *Config, p *rawPeer13) { p.retry = true }
	ask := func(_ *Config, p *rawPeer13) { p.ask = true }
	other := func(own *Config, p *rawPeer13) {
		p.ask = true
		own.GetClientCertificate = func(*CertificateRequestInfo) (*Certificate, error) {
			return nil, errors.New("asked for a certificate that the server has no use for")
		}
	}
	strange := make([]byte, 0, 70)
	strange = append(append(strange, 0, 41, 0, 65, 4), bytes.Repeat([]byte{1}, 64)...)
	cookie := func(n int) []byte {
		body := appendVector16(nil, make([]byte, n))
		return ext(extCookie, body...)
	}
	runConformance13(t, []conformance13{
		{name: "all well", section: "4"},
		{name: "all well, client certificate", section: "4.3.2", setup: ask},
		{name: "all well without ChangeCipherSpec", section: "D.4", at: stepCCS, send: instead13()},
		{name: "all well, ChangeCipherSpec several times", section: "5", at: stepCCS, send: before13(ccsRecord, ccsRecord)},
		{name: "all well, padded", section: "5.4", at: stepFinished, send: inner13(func(_ *rawPeer13, msg []byte) []byte {
			return append(append(bytes.Clone(msg), recordHandshake), make([]byte, 500)...)
		})},

		// ServerHello.
		{name: "ServerHello cut", section: "4.1.3", at: stepHello, send: body13(cut13(1)), alert: AlertDecodeError, err: "malformed"},
		{name: "ServerHello of the old form", section: "4.1.3", at: stepHello, send: body13(func(b []byte) []byte { return b[:serverExtensions] }), alert: AlertProtocolVersion, err: "older version"},
		{name: "ServerHello too long", section: "4.1.3", at: stepHello, send: body13(func(b []byte) []byte { return append(b, 0) }), alert: AlertDecodeError, err: "malformed"},
		{name: "ServerHello of half a random", section: "4.1.3", at: stepHello, send: body13(func(b []byte) []byte { return b[:18] }), alert: AlertDecodeError, err: "malformed"},
		{name: "legacy version of TLS 1.3", section: "4.1.3", at: stepHello, send: body13(set13(0, 3, 4)), alert: AlertIllegalParameter, err: "legacy 0x0304"},
		{name: "legacy version of TLCP", section: "4.1.3", at: stepHello, send: body13(set13(0, 1, 1)), alert: AlertIllegalParameter, err: "legacy 0x0101"},
		{name: "no supported_versions", section: "4.2.1", at: stepHello, send: extension13(serverExtensions, extSupportedVersions, without13), alert: AlertProtocolVersion, err: "older version of TLS"},
		{name: "downgrade to TLS 1.2", section: "4.1.3", at: stepHello,
			send:  body13(chain13(set13(26, []byte("DOWNGRD\x01")...), func(b []byte) []byte { return b[:serverExtensions] })),
			alert: AlertIllegalParameter, err: "somebody changed the ClientHello"},
		{name: "downgrade to TLS 1.1", section: "4.1.3", at: stepHello,
			send:  body13(chain13(set13(26, []byte("DOWNGRD\x00")...), func(b []byte) []byte { return b[:serverExtensions] })),
			alert: AlertIllegalParameter, err: "somebody changed the ClientHello"},
		{name: "selected version TLS 1.2", section: "4.2.1", at: stepHello, send: extension13(serverExtensions, extSupportedVersions, is13(3, 3)), alert: AlertIllegalParameter, err: "version 0x0303"},
		{name: "selected version a list", section: "4.2.1", at: stepHello, send: extension13(serverExtensions, extSupportedVersions, is13(2, 3, 4)), alert: AlertDecodeError, err: "malformed extension 43"},
		{name: "other session identifier", section: "4.1.3", at: stepHello, send: body13(set13(35, 0, 0, 0, 0)), alert: AlertIllegalParameter, err: "session identifier"},
		{name: "session identifier too long", section: "4.1.3", at: stepHello, send: body13(set13(34, 33)), alert: AlertDecodeError, err: "malformed"},
		{name: "suite of the standard", section: "4.1.3", at: stepHello, send: body13(set13(67, 0x13, 0x01)), alert: AlertIllegalParameter, err: "0x1301, which was not offered"},
		{name: "suite of TLCP", section: "4.1.3", at: stepHello, send: body13(set13(67, 0xe0, 0x53)), alert: AlertIllegalParameter, err: "not offered"},
		{name: "suite not offered", section: "4.1.3", at: stepHello, send: body13(set13(67, 0, 0xc7)), alert: AlertIllegalParameter, err: "not offered"},
		{name: "compression", section: "4.1.3", at: stepHello, send: body13(set13(69, 1)), alert: AlertIllegalParameter, err: "compression"},
		{name: "no key_share", section: "4.2.8", at: stepHello, send: extension13(serverExtensions, extKeyShare, without13), alert: AlertMissingExtension, err: "no key_share"},
		{name: "key_share of another group", section: "4.2.8", at: stepHello, send: extension13(serverExtensions, extKeyShare, set13(0, 0, 29)), alert: AlertIllegalParameter, err: "for which it got no key"},
		{name: "key_share of the hybrid group", section: "4.2.8", at: stepHello, send: extension13(serverExtensions, extKeyShare, set13(0, 0x11, 0xee)), alert: AlertIllegalParameter, err: "for which it got no key"},
		{name: "key_share cut", section: "4.2.8", at: stepHello, send: extension13(serverExtensions, extKeyShare, cut13(1)), alert: AlertDecodeError, err: "malformed extension 51"},
		{name: "key_share of a group alone", section: "4.2.8", at: stepHello, send: extension13(serverExtensions, extKeyShare, is13(0, 41)), alert: AlertDecodeError, err: "malformed extension 51"},
		{name: "a byte behind key_share", section: "4.2.8", at: stepHello, send: extension13(serverExtensions, extKeyShare, func(b []byte) []byte { return append(bytes.Clone(b), 0) }), alert: AlertDecodeError, err: "malformed extension 51"},
		{name: "session identifier cut", section: "4.1.3", at: stepHello, send: body13(func(b []byte) []byte { return append(b[:34:34], 5, 0, 0xc6, 0) }), alert: AlertDecodeError, err: "malformed"},
		{name: "key_share without a key", section: "4.2.8", at: stepHello, send: extension13(serverExtensions, extKeyShare, is13(0, 41, 0, 0)), alert: AlertDecodeError, err: "malformed extension 51"},
		{name: "key_share not on the curve", section: "4.2.8.2", at: stepHello, send: extension13(serverExtensions, extKeyShare, is13(strange...)), alert: AlertIllegalParameter, err: "key exchange curveSM2"},
		{name: "key_share compressed", section: "4.2.8.2", at: stepHello, send: extension13(serverExtensions, extKeyShare, is13(append([]byte{0, 41, 0, 33, 2}, strange[5:37]...)...)), alert: AlertIllegalParameter, err: "uncompressed point"},
		{name: "key_share hybrid form", section: "4.2.8.2", at: stepHello, send: extension13(serverExtensions, extKeyShare, set13(4, 6)), alert: AlertIllegalParameter, err: "uncompressed point"},
		{name: "key_share at infinity", section: "4.2.8.2", at: stepHello, send: extension13(serverExtensions, extKeyShare, is13(0, 41, 0, 1, 0)), alert: AlertIllegalParameter, err: "uncompressed point"},
		{name: "extension twice", section: "4.2", at: stepHello, send: more13(serverExtensions, ext(extSupportedVersions, 3, 4)), alert: AlertIllegalParameter, err: "twice"},
		{name: "ALPN in ServerHello", section: "4.2", at: stepHello, send: more13(serverExtensions, ext(extALPN, 0, 3, 2, 'h', '2')), alert: AlertIllegalParameter, err: "does not belong there"},
		{name: "unknown extension in ServerHello", section: "4.2", at: stepHello, send: more13(serverExtensions, ext(0x5a5a)), alert: AlertUnsupportedExtension, err: "does not belong there"},
		{name: "cookie in ServerHello", section: "4.2.2", at: stepHello, send: more13(serverExtensions, cookie(2)), alert: AlertIllegalParameter, err: "does not belong there"},
		{name: "PSK that was not offered", section: "4.2.11", at: stepHello, send: more13(serverExtensions, ext(extPreSharedKey, 0, 0)), alert: AlertIllegalParameter, err: "was not offered"},
		{name: "PSK malformed", section: "4.2.11", at: stepHello, send: more13(serverExtensions, ext(extPreSharedKey, 0)), alert: AlertDecodeError, err: "malformed extension 41"},
		{name: "PSK other than the one offered", section: "4.2.11", resume: true, at: stepHello, send: more13(serverExtensions, ext(extPreSharedKey, 0, 1)), alert: AlertIllegalParameter, err: "was not offered"},
		{name: "extensions cut", section: "4.2", at: stepHello, send: more13(serverExtensions, []byte{0, 0, 0}), alert: AlertDecodeError, err: "malformed"},
		{name: "message too long", section: "4", at: stepHello, send: instead13(rawRecord{typ: recordHandshake, body: []byte{2, 0xff, 0xff, 0xff}}), alert: AlertIllegalParameter, err: "exceeds the limit"},
		{name: "EncryptedExtensions instead of ServerHello", section: "4.3.1", at: stepHello, send: instead13(handshakeRecord(msgEncryptedExts, 0, 0)), alert: AlertUnexpectedMessage, err: "want ServerHello"},
		{name: "HelloRequest", section: "4", at: stepHello, send: before13(rawRecord{typ: recordHandshake, body: []byte{0, 0, 0, 0}, hidden: true}), alert: AlertUnexpectedMessage, err: "want ServerHello"},
		{name: "ServerHello and more in one record", section: "5.1", at: stepHello, send: joined13(msgEncryptedExts, 0, 0, 2, 0, 0), alert: AlertUnexpectedMessage, err: "follows a message that changes the key"},
		{name: "data first", section: "5", at: stepHello, send: before13(dataRecord), alert: AlertUnexpectedMessage, err: "in the place of a handshake message"},

		// HelloRetryRequest.
		{name: "retry for the same group", section: "4.1.4", setup: retry, at: stepRetry, send: right13, alert: AlertIllegalParameter, err: "which was offered"},
		{name: "retry for nothing", section: "4.1.4", setup: retry, at: stepRetry, send: extension13(serverExtensions, extKeyShare, without13), alert: AlertIllegalParameter, err: "asks for no change"},
		{name: "retry for a foreign group", section: "4.1.4", setup: retry, at: stepRetry, send: extension13(serverExtensions, extKeyShare, is13(0, 29)), alert: AlertIllegalParameter, err: "group 0x001D, which was not offered"},
		{name: "retry with a key", section: "4.2.8", setup: retry, at: stepRetry, send: extension13(serverExtensions, extKeyShare, is13(0, 41, 0, 1, 4)), alert: AlertDecodeError, err: "malformed extension 51"},
		{name: "retry with an empty key_share", section: "4.2.8", setup: retry, at: stepRetry, send: extension13(serverExtensions, extKeyShare, is13()), alert: AlertDecodeError, err: "malformed extension 51"},
		{name: "retry with a PSK", section: "4.1.4", setup: retry, at: stepRetry, send: more13(serverExtensions, ext(extPreSharedKey, 0, 0)), alert: AlertIllegalParameter, err: "HelloRetryRequest has the extension 41"},
		{name: "retry with another suite", section: "4.1.4", setup: retry, at: stepRetry, send: body13(set13(67, 0x13, 1)), alert: AlertIllegalParameter, err: "not offered"},
		{name: "retry without a version", section: "4.1.4", setup: retry, at: stepRetry, send: extension13(serverExtensions, extSupportedVersions, without13), alert: AlertProtocolVersion, err: "older version"},
		{name: "retry with a cookie", section: "4.2.2", setup: retry, at: stepRetry,
			send: func(p *rawPeer13, msg []byte) []rawRecord {
				msg = extension13(serverExtensions, extKeyShare, without13)(p, msg)[0].body
				return more13(serverExtensions, cookie(100))(p, msg)
			}},
		{name: "retry with an empty cookie", section: "4.2.2", setup: retry, at: stepRetry, send: more13(serverExtensions, cookie(0)), alert: AlertDecodeError, err: "malformed extension 44"},
		{name: "retry with a great cookie", section: "4.2.2", setup: retry, at: stepRetry, send: more13(serverExtensions, cookie(maxCookieLen+1)), alert: AlertIllegalParameter, err: "more than 4096"},
		{name: "two retries", section: "4.1.4", setup: retry, at: stepRetry,
			send: func(p *rawPeer13, msg []byte) []rawRecord {
				msg = extension13(serverExtensions, extKeyShare, without13)(p, msg)[0].body
				once := more13(serverExtensions, cookie(1))(p, msg)
				return append(once, once...)
			}, alert: AlertUnexpectedMessage, err: "second HelloRetryRequest"},
		{name: "another suite after the retry", section: "4.1.4", at: stepRetry,
			setup: func(own *Config, p *rawPeer13) {
				p.retry, own.CipherSuites = true, []uint16{TLS_SM4_GCM_SM3, TLS_SM4_CCM_SM3}
			},
			send: func(p *rawPeer13, msg []byte) []rawRecord {
				msg = extension13(serverExtensions, extKeyShare, without13)(p, msg)[0].body
				p.suite = suiteByID(TLS_SM4_CCM_SM3)
				return more13(serverExtensions, cookie(1))(p, msg)
			}, alert: AlertIllegalParameter, err: "another suite after"},

		// Records.
		{name: "ChangeCipherSpec of two bytes", section: "5", at: stepCCS, send: instead13(rawRecord{typ: recordChangeCipherSpec, body: []byte{1, 1}}), alert: AlertUnexpectedMessage, err: "single byte 1"},
		{name: "ChangeCipherSpec of another byte", section: "5", at: stepCCS, send: instead13(rawRecord{typ: recordChangeCipherSpec, body: []byte{2}}), alert: AlertUnexpectedMessage, err: "single byte 1"},
		{name: "ChangeCipherSpec without end", section: "5", at: stepCCS, send: instead13(repeated(maxUselessRecords+1, ccsRecord)...), alert: AlertUnexpectedMessage, err: "in a row"},
		{name: "ChangeCipherSpec protected", section: "5", at: stepExtensions, send: inner13(func(*rawPeer13, []byte) []byte { return []byte{1, recordChangeCipherSpec} }), alert: AlertUnexpectedMessage, err: "content type 20"},
		{name: "ChangeCipherSpec within a message", section: "5.1", at: stepExtensions, send: func(p *rawPeer13, msg []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: msg[:3]}, ccsRecord, {typ: recordHandshake, body: msg[3:]}}
		}, alert: AlertUnexpectedMessage, err: "within a handshake message"},
		{name: "data within a message", section: "5.1", at: stepData, send: before13(rawRecord{typ: recordHandshake, body: []byte{msgKeyUpdate}}), alert: AlertUnexpectedMessage, err: "within a handshake message"},
		{name: "empty data within a message", section: "5.1", at: stepData, send: before13(rawRecord{typ: recordHandshake, body: []byte{msgKeyUpdate}}, rawRecord{typ: recordApplicationData}, rawRecord{typ: recordHandshake, body: []byte{0, 0, 1, 0}}),
			alert: AlertUnexpectedMessage, err: "within a handshake message"},
		{name: "empty data in the handshake", section: "5", at: stepExtensions, send: before13(rawRecord{typ: recordApplicationData}), alert: AlertUnexpectedMessage, err: "in the place of a handshake message"},
		{name: "all well, empty data after the handshake", section: "5.1", at: stepData, send: before13(rawRecord{typ: recordApplicationData})},
		{name: "alert empty", section: "5.4", at: stepData, send: before13(rawRecord{typ: recordAlert}), alert: AlertUnexpectedMessage, err: "alert record is empty"},
		{name: "half an alert", section: "6", at: stepData, send: before13(rawRecord{typ: recordAlert, body: []byte{2}}), alert: AlertDecodeError, err: "1 bytes long"},
		{name: "ChangeCipherSpec after the handshake", section: "5", at: stepData, send: before13(ccsRecord), alert: AlertUnexpectedMessage, err: "outside the handshake"},
		{name: "all well, message in parts", section: "5.1", at: stepCertificate, send: func(p *rawPeer13, msg []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: msg[:3]}, {typ: recordHandshake, body: msg[3:100]}, {typ: recordHandshake, body: msg[100:]}}
		}},
		{name: "message unprotected", section: "5", at: stepExtensions, send: func(_ *rawPeer13, msg []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: msg, clear: true}}
		}, alert: AlertUnexpectedMessage, err: "came without protection"},
		{name: "alert unprotected", section: "5", at: stepExtensions, send: before13(rawRecord{typ: recordAlert, body: []byte{2, 40}, clear: true}), alert: AlertUnexpectedMessage, err: "came without protection"},
		{name: "record tampered with", section: "5.2", at: stepExtensions, send: func(_ *rawPeer13, msg []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: msg, tamper: func(b []byte) []byte { b[0] ^= 1; return b }}}
		}, alert: AlertBadRecordMAC, err: "did not authenticate"},
		{name: "tag tampered with", section: "5.2", at: stepData, send: func(_ *rawPeer13, msg []byte) []rawRecord {
			return []rawRecord{{typ: recordApplicationData, body: msg, tamper: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }}}
		}, alert: AlertBadRecordMAC, err: "did not authenticate"},
		{name: "record shorter than a tag", section: "5.2", at: stepData, send: func(_ *rawPeer13, msg []byte) []rawRecord {
			return []rawRecord{{typ: recordApplicationData, body: msg, tamper: func(b []byte) []byte { return b[:15] }}}
		}, alert: AlertBadRecordMAC, err: "did not authenticate"},
		{name: "record sent again", section: "5.3", at: stepData, send: func(p *rawPeer13, msg []byte) []rawRecord {
			sealed := p.seal(append(bytes.Clone(msg), recordApplicationData))
			wire := rawRecord{wire: rawWire(recordApplicationData, 0x0303, len(sealed), sealed)}
			return []rawRecord{wire, wire}
		}, alert: AlertBadRecordMAC, err: "did not authenticate"},
		{name: "nothing but padding", section: "5.4", at: stepExtensions, send: inner13(func(*rawPeer13, []byte) []byte { return make([]byte, 10) }), alert: AlertUnexpectedMessage, err: "no content type"},
		{name: "content type unknown", section: "5", at: stepExtensions, send: inner13(func(_ *rawPeer13, msg []byte) []byte { return append(bytes.Clone(msg), 24) }), alert: AlertUnexpectedMessage, err: "content type 24"},
		{name: "handshake record empty", section: "5.1", at: stepExtensions, send: inner13(func(*rawPeer13, []byte) []byte { return []byte{recordHandshake} }), alert: AlertUnexpectedMessage, err: "is empty"},
		{name: "contents too long", section: "5.2", at: stepData, send: inner13(func(*rawPeer13, []byte) []byte {
			return append(make([]byte, maxPlaintext+1), recordApplicationData)
		}), alert: AlertRecordOverflow, err: "more than 16384"},
		{name: "contents too long by padding", section: "5.4", at: stepData, send: inner13(func(*rawPeer13, []byte) []byte {
			return append([]byte{'x', recordApplicationData}, make([]byte, maxPlaintext)...)
		}), alert: AlertRecordOverflow, err: "more than 16384"},
		{name: "record too long", section: "5.2", at: stepData, send: instead13(rawRecord{wire: rawWire(recordApplicationData, 0x0303, maxPlaintext+257, nil)}), alert: AlertRecordOverflow, err: "more than 16640"},
		{name: "content type of the record unknown", section: "5.1", at: stepHello, send: instead13(rawRecord{wire: rawWire(22, 0x0303, 0, nil)}), alert: AlertUnexpectedMessage, err: "is empty"},
		{name: "all well, version of the record changed", section: "5.1", at: stepExtensions, send: func(p *rawPeer13, msg []byte) []rawRecord {
			p.transcript = append(p.transcript, msg...)
			sealed := p.seal(append(bytes.Clone(msg), recordHandshake))
			return []rawRecord{{wire: rawWire(recordApplicationData, 0x0304, len(sealed), sealed)}}
		}},

		// EncryptedExtensions.
		{name: "EncryptedExtensions too long", section: "4.3.1", at: stepExtensions, send: body13(func(b []byte) []byte { return append(b, 0) }), alert: AlertDecodeError, err: "malformed"},
		{name: "EncryptedExtensions empty", section: "4.3.1", at: stepExtensions, send: bodyIs13(), alert: AlertDecodeError, err: "malformed"},
		{name: "ALPN not asked for", section: "4.2", at: stepExtensions, send: more13(0, ext(extALPN, 0, 3, 2, 'h', '2')), alert: AlertUnsupportedExtension, err: "was not asked for"},
		{name: "ALPN not offered", section: "RFC 7301, 3.2", at: stepExtensions, setup: func(own *Config, _ *rawPeer13) { own.NextProtos = []string{"h3"} },
			send: more13(0, ext(extALPN, 0, 3, 2, 'h', '2')), alert: AlertIllegalParameter, err: `protocol "h2", which was not offered`},
		{name: "ALPN of two", section: "RFC 7301, 3.1", at: stepExtensions, setup: func(own *Config, _ *rawPeer13) { own.NextProtos = []string{"h2"} },
			send: more13(0, ext(extALPN, 0, 6, 2, 'h', '2', 2, 'h', '3')), alert: AlertDecodeError, err: "malformed extension 16"},
		{name: "all well, name acknowledged", section: "RFC 6066, 3", at: stepExtensions, send: more13(0, ext(extServerName))},
		{name: "name given back", section: "RFC 6066, 3", at: stepExtensions, send: more13(0, ext(extServerName, 0)), alert: AlertDecodeError, err: "malformed extension 0"},
		{name: "name acknowledged that was not sent", section: "RFC 6066, 3", at: stepExtensions, setup: func(own *Config, _ *rawPeer13) { own.ServerName = "127.0.0.1" },
			send: more13(0, ext(extServerName)), alert: AlertUnsupportedExtension, err: "was not asked for"},
		{name: "all well, groups", section: "4.2.7", at: stepExtensions, send: more13(0, ext(extSupportedGroups, 0, 2, 0, 41))},
		{name: "all well, no name", section: "RFC 6066, 3", setup: func(own *Config, _ *rawPeer13) { own.ServerName, own.InsecureSkipVerify = "", true }},
		{name: "an extension cut", section: "4.2", at: stepExtensions, send: more13(0, []byte{0, 16, 0}), alert: AlertDecodeError, err: "EncryptedExtensions is malformed"},
		{name: "groups malformed", section: "4.2.7", at: stepExtensions, send: more13(0, ext(extSupportedGroups, 0, 1, 0)), alert: AlertDecodeError, err: "malformed extension 10"},
		{name: "key_share in EncryptedExtensions", section: "4.2", at: stepExtensions, send: more13(0, ext(extKeyShare, 0, 41)), alert: AlertIllegalParameter, err: "does not belong there"},
		{name: "early data accepted", section: "4.2.10", at: stepExtensions, send: more13(0, ext(extEarlyData)), alert: AlertUnsupportedExtension, err: "does not belong there"},
		{name: "unknown extension", section: "4.2", at: stepExtensions, send: more13(0, ext(0x5a5a)), alert: AlertUnsupportedExtension, err: "does not belong there"},
		{name: "extension twice in EncryptedExtensions", section: "4.2", at: stepExtensions, send: more13(0, ext(extServerName), ext(extServerName)), alert: AlertIllegalParameter, err: "twice"},
		{name: "no EncryptedExtensions", section: "4.3.1", at: stepExtensions, send: instead13(), alert: AlertUnexpectedMessage, err: "want EncryptedExtensions"},
		{name: "EncryptedExtensions twice", section: "4.3.1", at: stepExtensions, send: after13(handshakeRecord(msgEncryptedExts, 0, 0)), alert: AlertUnexpectedMessage, err: "want CertificateRequest or Certificate"},

		// CertificateRequest.
		{name: "request with a context", section: "4.3.2", setup: ask, at: stepRequest, send: body13(func(b []byte) []byte { return append([]byte{1, 9}, b[1:]...) }), alert: AlertIllegalParameter, err: "context"},
		{name: "request without algorithms", section: "4.3.2", setup: ask, at: stepRequest, send: bodyIs13(0, 0, 0), alert: AlertMissingExtension, err: "no signature_algorithms"},
		{name: "request with half an algorithm", section: "4.2.3", setup: ask, at: stepRequest, send: extension13(1, extSignatureAlgorithms, is13(0, 1, 7)), alert: AlertDecodeError, err: "malformed extension 13"},
		{name: "request with algorithms twice", section: "4.2", setup: ask, at: stepRequest, send: more13(1, ext(extSignatureAlgorithms, 0, 2, 7, 8)), alert: AlertIllegalParameter, err: "twice"},
		{name: "request with an empty name", section: "4.2.4", setup: ask, at: stepRequest, send: more13(1, ext(extCertAuthorities, 0, 2, 0, 0)), alert: AlertDecodeError, err: "malformed extension 47"},
		{name: "request with no names", section: "4.2.4", setup: ask, at: stepRequest, send: more13(1, ext(extCertAuthorities, 0, 0)), alert: AlertDecodeError, err: "malformed extension 47"},
		{name: "request cut", section: "4.3.2", setup: ask, at: stepRequest, send: body13(cut13(1)), alert: AlertDecodeError, err: "malformed"},
		{name: "request with an extension cut", section: "4.2", setup: ask, at: stepRequest, send: more13(1, []byte{0x5a, 0x5a, 0}), alert: AlertDecodeError, err: "CertificateRequest is malformed"},
		{name: "request with extensions without end", section: "4.2", setup: ask, at: stepRequest, send: more13(1, manyExtensions(maxExtensions)...), alert: AlertDecodeError, err: "CertificateRequest is malformed"},
		{name: "request with names cut", section: "4.2.4", setup: ask, at: stepRequest, send: more13(1, ext(extCertAuthorities, 0)), alert: AlertDecodeError, err: "malformed extension 47"},
		{name: "request with a byte behind its names", section: "4.2.4", setup: ask, at: stepRequest, send: more13(1, ext(extCertAuthorities, 0, 3, 0, 1, 9, 9)), alert: AlertDecodeError, err: "malformed extension 47"},
		{name: "request with a name cut", section: "4.2.4", setup: ask, at: stepRequest, send: more13(1, ext(extCertAuthorities, 0, 4, 0, 1, 9, 0)), alert: AlertDecodeError, err: "malformed extension 47"},
		{name: "all well, request with an unknown extension", section: "4.3.2", setup: ask, at: stepRequest, send: more13(1, ext(0x5a5a, 1))},
		{name: "all well, request for other algorithms", section: "4.4.2.3", setup: other, at: stepRequest, send: extension13(1, extSignatureAlgorithms, is13(0, 2, 4, 3))},
		{name: "request twice", section: "4.3.2", setup: ask, at: stepRequest, send: after13(rawRecord{typ: recordHandshake, body: appendCertificateRequest13(nil, nil)}), alert: AlertUnexpectedMessage, err: "want Certificate"},

		// Certificate and CertificateVerify.
		{name: "certificate with a context", section: "4.4.2", at: stepCertificate, send: body13(func(b []byte) []byte { return append([]byte{1, 9}, b[1:]...) }), alert: AlertIllegalParameter, err: "context"},
		{name: "no certificate", section: "4.4.2.4", at: stepCertificate, send: bodyIs13(0, 0, 0, 0), alert: AlertDecodeError, err: "sent no certificate"},
		{name: "empty certificate", section: "4.4.2", at: stepCertificate, send: bodyIs13(0, 0, 0, 5, 0, 0, 0, 0, 0), alert: AlertDecodeError, err: "malformed"},
		{name: "certificate of TLCP's form", section: "4.4.2", at: stepCertificate, send: body13(func(b []byte) []byte { return b[1:] }), alert: AlertDecodeError, err: "malformed"},
		{name: "certificate with its context cut", section: "4.4.2", at: stepCertificate, send: bodyIs13(5, 0, 0, 0), alert: AlertDecodeError, err: "Certificate is malformed"},
		{name: "certificates cut", section: "4.4.2", at: stepCertificate, send: bodyIs13(0, 0, 0, 5), alert: AlertDecodeError, err: "Certificate is malformed"},
		{name: "a byte behind the certificates", section: "4.4.2", at: stepCertificate, send: body13(func(b []byte) []byte { return append(b, 0) }), alert: AlertDecodeError, err: "Certificate is malformed"},
		{name: "certificate without its extensions", section: "4.4.2", at: stepCertificate, send: bodyIs13(0, 0, 0, 4, 0, 0, 1, 7), alert: AlertDecodeError, err: "Certificate is malformed"},
		{name: "certificate with an extension cut", section: "4.4.2", at: stepCertificate, send: bodyIs13(0, 0, 0, 9, 0, 0, 1, 7, 0, 3, 0, 5, 0), alert: AlertDecodeError, err: "Certificate is malformed"},
		{name: "certificate with an extension", section: "4.4.2", at: stepCertificate, send: body13(func(b []byte) []byte {
			n := len(b) - 4 - 5 + 4
			der := b[7 : len(b)-2]
			out := appendUint24([]byte{0}, n+5)
			out = append(appendUint24(out, len(der)), der...)
			return append(out, 0, 4, 0, 5, 0, 0)
		}), alert: AlertUnsupportedExtension, err: "does not belong there"},
		{name: "certificate that is none", section: "4.4.2", at: stepCertificate, send: bodyIs13(0, 0, 0, 7, 0, 0, 2, 0x30, 0, 0, 0), alert: AlertBadCertificate, err: "parsing certificate"},
		{name: "certificate of another authority", section: "4.4.2.4", setup: func(own *Config, p *rawPeer13) { p.cert = newCA(t, "other", nil).pair(t, testName, nil) },
			alert: AlertUnknownCA, err: "verify"},
		{name: "certificate for another name", section: "4.4.2.4", setup: func(own *Config, _ *rawPeer13) { own.ServerName = "other.test" }, alert: AlertBadCertificate, err: "other.test"},
		{name: "encryption certificate", section: "4.4.2", at: stepCertificate, send: func(p *rawPeer13, _ []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: appendCertificate13(nil, p.cert.Certificate[1:2])}}
		}, alert: AlertUnsupportedCertificate, err: "KeyUsage digitalSignature"},
		{name: "certificate for contentCommitment alone", section: "4.4.2.2", setup: func(_ *Config, p *rawPeer13) {
			p.cert = newCA(t, "commitments", nil).pair(t, testName, nil, signUsage(smx509.KeyUsageContentCommitment))
		}, alert: AlertUnsupportedCertificate, err: "RFC 8446, section 4.4.2.2"},
		{name: "no CertificateVerify", section: "4.4.3", at: stepVerify, send: instead13(), alert: AlertUnexpectedMessage, err: "want CertificateVerify"},
		{name: "signature of ECDSA", section: "4.4.3", at: stepVerify, send: body13(set13(0, 4, 3)), alert: AlertIllegalParameter, err: "algorithm 0x0403"},
		{name: "signature changed", section: "4.4.3", at: stepVerify, send: body13(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), alert: AlertDecryptError, err: "signature in CertificateVerify"},
		{name: "signature by the default identity", section: "RFC 8998, 3.2.1", at: stepVerify, send: func(p *rawPeer13, _ []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: appendCertificateVerify13(nil, p.sign(nil, contextServerVerify))}}
		}, alert: AlertDecryptError, err: "signature in CertificateVerify"},
		{name: "signature of a client", section: "4.4.3", at: stepVerify, send: func(p *rawPeer13, _ []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: appendCertificateVerify13(nil, p.sign(signatureID, contextClientVerify))}}
		}, alert: AlertDecryptError, err: "signature in CertificateVerify"},
		{name: "signature empty", section: "4.4.3", at: stepVerify, send: bodyIs13(7, 8, 0, 0), alert: AlertDecodeError, err: "malformed"},
		{name: "signature cut", section: "4.4.3", at: stepVerify, send: body13(cut13(1)), alert: AlertDecodeError, err: "malformed"},
		{name: "CertificateVerify twice", section: "4.4.3", at: stepVerify, send: func(p *rawPeer13, msg []byte) []rawRecord { return append(right13(p, msg), right13(p, msg)...) },
			alert: AlertUnexpectedMessage, err: "want Finished"},

		// Finished.
		{name: "Finished short", section: "4.4.4", at: stepFinished, send: body13(cut13(1)), alert: AlertDecodeError, err: "Finished has 31 bytes"},
		{name: "Finished of TLCP's length", section: "4.4.4", at: stepFinished, send: body13(cut13(20)), alert: AlertDecodeError, err: "Finished has 12 bytes"},
		{name: "Finished wrong", section: "4.4.4", at: stepFinished, send: body13(set13(0, 1, 2, 3, 4)), alert: AlertDecryptError, err: "does not match"},
		{name: "Finished and more", section: "5.1", at: stepFinished, send: joined13(msgKeyUpdate, 0, 0, 1, 0), alert: AlertUnexpectedMessage, err: "changes the key"},
		{name: "empty data before Finished", section: "5", at: stepFinished, send: before13(rawRecord{typ: recordApplicationData}), alert: AlertUnexpectedMessage, err: "in the place of a handshake message"},
		{name: "data before Finished", section: "5", at: stepFinished, send: before13(dataRecord), alert: AlertUnexpectedMessage, err: "in the place of a handshake message"},
		{name: "no Finished", section: "4.4.4", at: stepFinished, send: instead13(handshakeRecord(msgKeyUpdate, 0)), alert: AlertUnexpectedMessage, err: "want Finished"},

		// After the handshake.
		{name: "request after the handshake", section: "4.6.2", at: stepData, send: before13(handshakeRecord(msgCertificateRequest, 1, 1, 0, 0)), alert: AlertUnexpectedMessage, err: "came after the handshake"},
		{name: "ServerHello after the handshake", section: "4.1.3", at: stepData, send: before13(handshakeRecord(msgServerHello, 0)), alert: AlertUnexpectedMessage, err: "came after the handshake"},
		{name: "HelloRequest after the handshake", section: "4", at: stepData, send: before13(handshakeRecord(msgHelloRequest)), alert: AlertUnexpectedMessage, err: "came after the handshake"},
		{name: "KeyUpdate of 2", section: "4.6.3", at: stepData, send: before13(handshakeRecord(msgKeyUpdate, 2)), alert: AlertIllegalParameter, err: "KeyUpdate asks for 2"},
		{name: "KeyUpdate empty", section: "4.6.3", at: stepData, send: before13(handshakeRecord(msgKeyUpdate)), alert: AlertDecodeError, err: "malformed"},
		{name: "KeyUpdate of two bytes", section: "4.6.3", at: stepData, send: before13(handshakeRecord(msgKeyUpdate, 0, 0)), alert: AlertDecodeError, err: "malformed"},
		{name: "KeyUpdate and more", section: "5.1", at: stepData, send: before13(rawRecord{typ: recordHandshake, body: []byte{24, 0, 0, 1, 0, 24, 0, 0, 1, 0}}), alert: AlertUnexpectedMessage, err: "changes the key"},
		{name: "KeyUpdate and the old key", section: "4.6.3", at: stepData, send: before13(handshakeRecord(msgKeyUpdate, 0)), alert: AlertBadRecordMAC, err: "did not authenticate"},
		{name: "all well, KeyUpdate", section: "4.6.3", at: stepData, send: func(p *rawPeer13, msg []byte) []rawRecord {
			p.write(handshakeRecord(msgKeyUpdate, updateRequested))
			p.nextWriteKey()
			return right13(p, msg)
		}},
		{name: "KeyUpdates without end", section: "4.6.3", at: stepData, send: func(p *rawPeer13, msg []byte) []rawRecord {
			for range maxUselessRecords + 1 {
				p.write(handshakeRecord(msgKeyUpdate, updateRequested))
				p.nextWriteKey()
			}
			return nil
		}, alert: AlertUnexpectedMessage, err: "in a row after the handshake"},
		{name: "tickets without end", section: "4.6.1", at: stepData, send: before13(repeated(maxUselessRecords+1, handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0))...), alert: AlertUnexpectedMessage, err: "in a row after the handshake"},
		{name: "all well, ticket", section: "4.6.1", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0))},
		{name: "all well, ticket with an unknown extension", section: "4.6.1", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 4, 0x5a, 0x5a, 0, 0))},
		{name: "ticket empty", section: "4.6.1", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)), alert: AlertDecodeError, err: "malformed"},
		{name: "ticket cut", section: "4.6.1", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9)), alert: AlertDecodeError, err: "malformed"},
		{name: "ticket with its nonce cut", section: "4.6.1", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 9, 0, 1, 9, 0, 0)), alert: AlertDecodeError, err: "malformed"},
		{name: "a byte behind the ticket", section: "4.6.1", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0)), alert: AlertDecodeError, err: "malformed"},
		{name: "ticket with an extension cut", section: "4.2", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 3, 0x5a, 0x5a, 0)), alert: AlertDecodeError, err: "malformed"},
		{name: "ticket with extensions without end", section: "4.2", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket,
			append([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9}, appendVector16(nil, bytes.Join(manyExtensions(maxExtensions+1), nil))...)...)), alert: AlertDecodeError, err: "malformed"},
		{name: "all well, ticket for a client that keeps none", section: "4.6.1", setup: func(own *Config, _ *rawPeer13) { own.ClientSessionCache = nil },
			at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0))},
		{name: "ticket with an extension twice", section: "4.2", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 8, 0x5a, 0x5a, 0, 0, 0x5a, 0x5a, 0, 0)), alert: AlertDecodeError, err: "malformed"},
		{name: "ticket for more than a week", section: "4.6.1", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 9, 58, 129, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0)), alert: AlertIllegalParameter, err: "more than a week"},

		// Alerts.
		{name: "alert of a server", section: "6.2", at: stepHello, send: instead13(alertRecord(alertLevelFatal, AlertHandshakeFailure)), remote: AlertHandshakeFailure},
		{name: "alert of level warning", section: "6", at: stepHello, send: instead13(alertRecord(alertLevelWarning, AlertUnrecognizedName)), remote: AlertUnrecognizedName},
		{name: "alert of an unknown level", section: "6", at: stepData, send: instead13(alertRecord(9, AlertInternalError)), remote: AlertInternalError},
		{name: "all well, user_canceled", section: "6.1", at: stepData, send: before13(alertRecord(alertLevelWarning, AlertUserCanceled))},
		{name: "alert of one byte", section: "6", at: stepData, send: before13(rawRecord{typ: recordAlert, body: []byte{2}}), alert: AlertDecodeError, err: "1 bytes long"},
		{name: "two alerts in a record", section: "5.1", at: stepData, send: before13(rawRecord{typ: recordAlert, body: []byte{1, 90, 1, 90}}), alert: AlertDecodeError, err: "4 bytes long"},
		{name: "close without close_notify", section: "6.1", at: stepData, send: func(p *rawPeer13, _ []byte) []rawRecord {
			p.conn.(interface{ CloseWrite() error }).CloseWrite()
			p.err = errAlerted
			return nil
		}, err: "unexpected EOF"},
	}, true)
}

// TestServerConformance13 is about what clients may do wrong.
func TestServerConformance13(t *testing.T) {
	hello := func(change func(h *clientHello13)) func(own *Config, p *rawPeer13) {
		return func(_ *Config, p *rawPeer13) { p.setHello = change }
	}
	retry := func(_ *Config, p *rawPeer13) { p.retry = true }
	noCert := func(own *Config, p *rawPeer13) { p.noCert = true }
	anonymous := func(own *Config, p *rawPeer13) { own.ClientAuth = NoClientCert }
	change := func(typ uint16, f func([]byte) []byte) action13 { return extension13(clientExtensions, typ, f) }
	strange := append([]byte{0, 69, 0, 41, 0, 65, 4}, bytes.Repeat([]byte{1}, 64)...)
	runConformance13(t, []conformance13{
		{name: "all well", section: "4"},
		{name: "all well, no client certificate asked for", section: "4.3.2", setup: anonymous},
		{name: "all well, resumed", section: "2.2", resume: true},
		{name: "all well after a retry", section: "4.1.4", setup: retry},
		{name: "all well, resumed after a retry", section: "4.1.4", setup: retry, resume: true},
		{name: "all well without ChangeCipherSpec", section: "D.4", at: stepCCS, send: instead13()},
		{name: "all well, unknown extension", section: "4.1.2", at: stepHello, send: more13(clientExtensions, ext(0x5a5a, 1, 2))},
		{name: "all well, padding extension", section: "RFC 7685", at: stepHello, send: more13(clientExtensions, ext(extPadding, 0, 0, 0))},
		{name: "all well, more versions", section: "4.2.1", at: stepHello, send: change(extSupportedVersions, is13(6, 0x5a, 0x5a, 3, 4, 3, 3))},

		// ClientHello.
		{name: "ClientHello cut", section: "4.1.2", at: stepHello, send: body13(cut13(1)), alert: AlertDecodeError, err: "malformed"},
		{name: "ClientHello too long", section: "4.1.2", at: stepHello, send: body13(func(b []byte) []byte { return append(b, 0) }), alert: AlertDecodeError, err: "malformed"},
		{name: "half a suite", section: "4.1.2", at: stepHello, send: body13(func(b []byte) []byte {
			return append(append(append([]byte{}, b[:67]...), 0, 1, 9), b[71:]...)
		}), alert: AlertDecodeError, err: "malformed"},
		{name: "session identifier too long", section: "4.1.2", at: stepHello, send: body13(set13(34, 33)), alert: AlertDecodeError, err: "malformed"},
		{name: "no compression methods", section: "4.1.2", at: stepHello, send: body13(func(b []byte) []byte {
			return append(append(append([]byte{}, b[:71]...), 0), b[73:]...)
		}), alert: AlertDecodeError, err: "malformed"},
		{name: "SSL 3.0", section: "D.5", at: stepHello, send: body13(set13(0, 3, 0)), alert: AlertProtocolVersion, err: "speaks SSL"},
		{name: "no extensions", section: "4.2.1", at: stepHello, send: body13(func(b []byte) []byte { return b[:clientExtensions] }), alert: AlertProtocolVersion, err: "does not offer TLS 1.3"},
		{name: "no supported_versions", section: "4.2.1", at: stepHello, send: change(extSupportedVersions, without13), alert: AlertProtocolVersion, err: "does not offer TLS 1.3"},
		{name: "TLS 1.2 alone", section: "4.2.1", at: stepHello, send: change(extSupportedVersions, is13(2, 3, 3)), alert: AlertProtocolVersion, err: "does not offer TLS 1.3"},
		{name: "versions empty", section: "4.2.1", at: stepHello, send: change(extSupportedVersions, is13(0)), alert: AlertDecodeError, err: "malformed extension 43"},
		{name: "versions odd", section: "4.2.1", at: stepHello, send: change(extSupportedVersions, is13(3, 3, 4, 3)), alert: AlertDecodeError, err: "malformed extension 43"},
		{name: "a byte behind the versions", section: "4.2.1", at: stepHello, send: change(extSupportedVersions, is13(2, 3, 4, 3)), alert: AlertDecodeError, err: "malformed extension 43"},
		{name: "an extension cut", section: "4.2", at: stepHello, send: more13(clientExtensions, []byte{0x5a, 0x5a, 0}), alert: AlertDecodeError, err: "ClientHello is malformed"},
		{name: "compression", section: "4.1.2", at: stepHello, send: body13(set13(72, 1)), alert: AlertIllegalParameter, err: "offers compression"},
		{name: "no suite in common", section: "4.1.1", at: stepHello, send: body13(set13(69, 0x13, 1)), alert: AlertHandshakeFailure, err: "no cipher suite in common with the client, which offers 0x1301"},
		{name: "suite of TLCP", section: "4.1.1", at: stepHello, send: body13(set13(69, 0xe0, 0x53)), alert: AlertHandshakeFailure, err: "no cipher suite in common"},
		{name: "no signature_algorithms", section: "9.2", at: stepHello, send: change(extSignatureAlgorithms, without13), alert: AlertMissingExtension, err: "does not say"},
		{name: "no supported_groups", section: "9.2", at: stepHello, send: change(extSupportedGroups, without13), alert: AlertMissingExtension, err: "does not say"},
		{name: "no key_share", section: "9.2", at: stepHello, send: change(extKeyShare, without13), alert: AlertMissingExtension, err: "does not say"},
		{name: "signatures of ECDSA alone", section: "4.2.3", setup: hello(func(h *clientHello13) { h.schemes = []uint16{0x0403} }), alert: AlertHandshakeFailure, err: "does not accept signatures of SM2"},
		{name: "signatures empty", section: "4.2.3", at: stepHello, send: change(extSignatureAlgorithms, is13(0, 0)), alert: AlertDecodeError, err: "malformed extension 13"},
		{name: "chains of ECDSA alone", section: "4.2.3", at: stepHello, send: more13(clientExtensions, ext(extSignatureAlgorithmsC, 0, 2, 4, 3)), alert: AlertHandshakeFailure, err: "does not accept signatures of SM2"},
		{name: "all well, chains of SM2", section: "4.2.3", at: stepHello, send: more13(clientExtensions, ext(extSignatureAlgorithmsC, 0, 2, 7, 8))},
		{name: "no group in common", section: "4.1.1", at: stepHello, send: func(p *rawPeer13, msg []byte) []rawRecord {
			msg = change(extSupportedGroups, is13(0, 2, 0, 29))(p, msg)[0].body
			return change(extKeyShare, is13(0, 0))(p, msg)
		}, alert: AlertHandshakeFailure, err: "no group in common with the client, which offers 1, first [0x001D]"},
		{name: "thousands of groups", section: "4.1.1", at: stepHello, send: func(p *rawPeer13, msg []byte) []rawRecord {
			msg = change(extSupportedGroups, is13(append([]byte{0x10, 0}, bytes.Repeat([]byte{0, 29}, 2048)...)...))(p, msg)[0].body
			return change(extKeyShare, is13(0, 0))(p, msg)
		}, alert: AlertHandshakeFailure, err: "which offers 2048, first [" + strings.Repeat("0x001D ", 7) + "0x001D]"},
		{name: "groups odd", section: "4.2.7", at: stepHello, send: change(extSupportedGroups, is13(0, 3, 0, 41, 0)), alert: AlertDecodeError, err: "malformed extension 10"},
		{name: "a byte behind the groups", section: "4.2.7", at: stepHello, send: change(extSupportedGroups, is13(0, 2, 0, 41, 0)), alert: AlertDecodeError, err: "malformed extension 10"},
		{name: "key for a group that is not offered", section: "4.2.8", at: stepHello, send: change(extSupportedGroups, is13(0, 2, 0x11, 0xee)), alert: AlertIllegalParameter, err: "not one of its groups"},
		{name: "two keys for a group", section: "4.2.8", setup: hello(func(h *clientHello13) { h.shares = append(h.shares, h.shares[0]) }), alert: AlertIllegalParameter, err: "two keys for the group"},
		{name: "key not on the curve", section: "4.2.8.2", at: stepHello, send: change(extKeyShare, is13(strange...)), alert: AlertIllegalParameter, err: "key exchange curveSM2"},
		{name: "key compressed", section: "4.2.8.2", at: stepHello, send: change(extKeyShare, is13(append([]byte{0, 37, 0, 41, 0, 33, 2}, strange[7:39]...)...)), alert: AlertIllegalParameter, err: "uncompressed point"},
		{name: "key empty", section: "4.2.8", at: stepHello, send: change(extKeyShare, is13(0, 4, 0, 41, 0, 0)), alert: AlertDecodeError, err: "malformed extension 51"},
		{name: "keys cut", section: "4.2.8", at: stepHello, send: change(extKeyShare, is13(0, 9)), alert: AlertDecodeError, err: "malformed extension 51"},
		{name: "a byte behind the keys", section: "4.2.8", at: stepHello, send: change(extKeyShare, func(b []byte) []byte { return append(bytes.Clone(b), 0) }), alert: AlertDecodeError, err: "malformed extension 51"},
		{name: "key too short", section: "4.2.8.2", at: stepHello, send: change(extKeyShare, is13(0, 5, 0, 41, 0, 1, 4)), alert: AlertIllegalParameter, err: "uncompressed point"},
		{name: "hybrid key of a wrong length", section: "draft-yang-tls-hybrid-sm2-mlkem", at: stepHello,
			setup: func(own *Config, _ *rawPeer13) { own.CurvePreferences = []CurveID{CurveSM2MLKEM768} },
			send: func(p *rawPeer13, msg []byte) []rawRecord {
				msg = change(extSupportedGroups, is13(0, 2, 0x11, 0xee))(p, msg)[0].body
				return change(extKeyShare, set13(2, 0x11, 0xee))(p, msg)
			}, alert: AlertIllegalParameter, err: "curveSM2MLKEM768 is not of the 1249 bytes"},
		{name: "hybrid key that is not of ML-KEM", section: "draft-yang-tls-hybrid-sm2-mlkem",
			setup: func(own *Config, p *rawPeer13) {
				own.CurvePreferences = []CurveID{CurveSM2MLKEM768}
				p.setHello = func(h *clientHello13) {
					data := append(bytes.Clone(h.shares[0].data), bytes.Repeat([]byte{0xff}, 1184)...)
					h.groups, h.shares = own.CurvePreferences, []keyShare{{CurveSM2MLKEM768, data}}
				}
			}, alert: AlertIllegalParameter, err: "key exchange curveSM2MLKEM768"},
		{name: "extension twice", section: "4.2", at: stepHello, send: more13(clientExtensions, ext(extSupportedVersions, 2, 3, 4)), alert: AlertIllegalParameter, err: "twice"},
		{name: "extensions without end", section: "4.2", at: stepHello, send: more13(clientExtensions, manyExtensions(maxExtensions)...), alert: AlertDecodeError, err: "malformed"},
		{name: "early data", section: "4.2.10", at: stepHello, send: more13(clientExtensions, ext(extEarlyData)), alert: AlertUnsupportedExtension, err: "early data"},
		{name: "early data malformed", section: "4.2.10", at: stepHello, send: more13(clientExtensions, ext(extEarlyData, 0)), alert: AlertDecodeError, err: "malformed extension 42"},
		{name: "cookie that was not given", section: "4.2.2", at: stepHello, send: more13(clientExtensions, ext(extCookie, 0, 1, 9)), alert: AlertIllegalParameter, err: "cookie"},
		{name: "modes empty", section: "4.2.9", at: stepHello, send: change(extPSKModes, is13(0)), alert: AlertDecodeError, err: "malformed extension 45"},
		{name: "a byte behind the modes", section: "4.2.9", at: stepHello, send: change(extPSKModes, is13(1, 1, 1)), alert: AlertDecodeError, err: "malformed extension 45"},
		{name: "name empty", section: "RFC 6066, 3", at: stepHello, send: more13(clientExtensions, ext(extServerName, 0, 3, 0, 0, 0)), alert: AlertDecodeError, err: "malformed extension 0"},
		{name: "ALPN empty", section: "RFC 7301, 3.1", at: stepHello, send: more13(clientExtensions, ext(extALPN, 0, 0)), alert: AlertDecodeError, err: "malformed extension 16"},
		{name: "no protocol in common", section: "RFC 7301, 3.2", at: stepHello, setup: func(own *Config, _ *rawPeer13) { own.NextProtos = []string{"h2"} },
			send: more13(clientExtensions, ext(extALPN, 0, 3, 2, 'h', '3')), alert: AlertNoApplicationProtocol, err: "application protocols"},
		{name: "ClientHello and more", section: "5.1", at: stepHello, send: joined13(0), alert: AlertUnexpectedMessage, err: "follows ClientHello"},
		{name: "ServerHello of a client", section: "4", at: stepHello, send: instead13(handshakeRecord(msgServerHello, 0)), alert: AlertUnexpectedMessage, err: "want ClientHello"},
		{name: "ChangeCipherSpec first", section: "5", at: stepHello, send: before13(ccsRecord), alert: AlertUnexpectedMessage, err: "outside the handshake"},
		{name: "data first", section: "5", at: stepHello, send: before13(dataRecord), alert: AlertUnexpectedMessage, err: "in the place of a handshake message"},

		// PSK.
		{name: "binder wrong", section: "4.2.11", resume: true, at: stepHello, send: body13(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), alert: AlertDecryptError, err: "binder"},
		{name: "hello changed under the binder", section: "4.2.11.2", resume: true, at: stepHello, send: body13(set13(3, 1)), alert: AlertDecryptError, err: "binder"},
		{name: "binder short", section: "4.2.11", resume: true, setup: hello(func(h *clientHello13) { h.binders = [][]byte{make([]byte, 31)} }), alert: AlertDecodeError, err: "malformed extension 41"},
		{name: "two binders for a PSK", section: "4.2.11", resume: true, setup: hello(func(h *clientHello13) { h.binders = append(h.binders, make([]byte, 32)) }), alert: AlertIllegalParameter, err: "1 PSKs and 2 binders"},
		{name: "no binders", section: "4.2.11", resume: true, setup: hello(func(h *clientHello13) { h.binders = nil }), alert: AlertDecodeError, err: "malformed extension 41"},
		{name: "PSK not last", section: "4.2.11", resume: true, at: stepHello, send: more13(clientExtensions, ext(0x5a5a)), alert: AlertIllegalParameter, err: "behind pre_shared_key"},
		{name: "PSK without modes", section: "4.2.9", resume: true, at: stepHello, send: change(extPSKModes, without13), alert: AlertMissingExtension, err: "does not say how to use it"},
		{name: "identity empty", section: "4.2.11", resume: true, setup: hello(func(h *clientHello13) { h.identities[0].id = nil }), alert: AlertDecodeError, err: "malformed extension 41"},
		{name: "no PSKs", section: "4.2.11", resume: true, setup: hello(func(h *clientHello13) { h.binders = [][]byte{make([]byte, 32)} }),
			at: stepHello, send: change(extPreSharedKey, func(b []byte) []byte { return append([]byte{0, 0}, b[len(b)-35:]...) }), alert: AlertDecodeError, err: "malformed extension 41"},
		{name: "a byte behind the binders", section: "4.2.11", resume: true, at: stepHello, send: change(extPreSharedKey, func(b []byte) []byte { return append(bytes.Clone(b), 0) }),
			alert: AlertDecodeError, err: "malformed extension 41"},
		{name: "binders without end", section: "4.2.11", resume: true, setup: hello(func(h *clientHello13) { h.binders = slices.Repeat(h.binders, maxExtensions+1) }),
			alert: AlertDecodeError, err: "malformed extension 41"},
		{name: "PSK without key_share", section: "4.2.9", resume: true, at: stepHello, send: change(extKeyShare, without13), alert: AlertMissingExtension, err: "does not say"},
		{name: "all well, PSK by itself is not used", section: "4.2.9", resume: true, at: stepHello, send: change(extPSKModes, is13(1, 0))},
		{name: "all well, unknown PSK", section: "4.2.11", resume: true, setup: hello(func(h *clientHello13) { h.identities[0].id = []byte("unknown") })},
		{name: "all well, PSKs beyond what is looked up", section: "4.2.11", resume: true, setup: hello(func(h *clientHello13) {
			for range maxIdentities {
				h.identities = append([]pskIdentity{{[]byte("x"), 0}}, h.identities...)
				h.binders = append([][]byte{make([]byte, 32)}, h.binders...)
			}
		})},

		// The second ClientHello.
		{name: "second hello with another random", section: "4.1.2", setup: retry, at: stepRetry, send: body13(set13(2, 1, 2, 3)), alert: AlertIllegalParameter, err: "differs from the first one"},
		{name: "second hello cut", section: "4.1.2", setup: retry, at: stepRetry, send: body13(cut13(1)), alert: AlertDecodeError, err: "ClientHello is malformed"},
		{name: "second hello with another suite", section: "4.1.2", setup: retry, at: stepRetry, send: body13(set13(69, 0, 0xc7)), alert: AlertIllegalParameter, err: "differs from the first one"},
		{name: "second hello with another extension", section: "4.1.2", setup: retry, at: stepRetry, send: more13(clientExtensions, ext(0x5a5a)), alert: AlertIllegalParameter, err: "differs from the first one"},
		{name: "second hello with other groups", section: "4.1.2", setup: retry, at: stepRetry, send: change(extSupportedGroups, is13(0, 4, 0, 41, 0, 29)), alert: AlertIllegalParameter, err: "differs from the first one"},
		{name: "all well, second hello padded", section: "4.1.2", setup: retry, at: stepRetry, send: more13(clientExtensions, ext(extPadding, 0))},
		{name: "second hello without a key", section: "4.1.4", setup: retry, at: stepRetry, send: change(extKeyShare, is13(0, 0)), alert: AlertIllegalParameter, err: "has no key for the group"},
		{name: "second hello with a key for another group", section: "4.1.4", setup: func(_ *Config, p *rawPeer13) {
			p.retry, p.setHello = true, func(h *clientHello13) { h.groups = []CurveID{CurveSM2, 29} }
		}, at: stepRetry, send: change(extKeyShare, set13(2, 0, 29)), alert: AlertIllegalParameter, err: "has no key for the group"},
		{name: "second hello with a cookie", section: "4.2.2", setup: retry, at: stepRetry, send: more13(clientExtensions, ext(extCookie, 0, 1, 9)), alert: AlertIllegalParameter, err: "cookie"},
		{name: "second hello with early data", section: "4.2.10", setup: retry, at: stepRetry, send: more13(clientExtensions, ext(extEarlyData)), alert: AlertUnsupportedExtension, err: "early data"},
		{name: "no second hello", section: "4.1.4", setup: retry, at: stepRetry, send: instead13(handshakeRecord(msgFinished, make([]byte, 32)...)), alert: AlertUnexpectedMessage, err: "want ClientHello"},
		{name: "first hello and more before a retry", section: "5.1", setup: retry, at: stepHello, send: joined13(0), alert: AlertUnexpectedMessage, err: "follows ClientHello"},
		{name: "binder wrong after a retry", section: "4.2.11", setup: retry, resume: true, at: stepRetry, send: body13(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), alert: AlertDecryptError, err: "binder"},

		// The client's flight.
		{name: "no Certificate", section: "4.4.2", at: stepCertificate, send: instead13(), alert: AlertUnexpectedMessage, err: "want Certificate"},
		{name: "Certificate that was not asked for", section: "4.4.2", setup: anonymous, at: stepFinished, send: before13(handshakeRecord(msgCertificate, 0, 0, 0, 0)), alert: AlertUnexpectedMessage, err: "want Finished"},
		{name: "no certificate in it", section: "4.4.2.4", setup: noCert, alert: AlertCertificateRequired, err: "sent no certificate"},
		{name: "all well, no certificate", section: "4.4.2.4", setup: func(own *Config, p *rawPeer13) { p.noCert, own.ClientAuth = true, VerifyClientCertIfGiven }},
		{name: "CertificateVerify without a certificate", section: "4.4.3", setup: func(own *Config, p *rawPeer13) { p.noCert, own.ClientAuth = true, RequestClientCert },
			at: stepFinished, send: before13(handshakeRecord(msgCertificateVerify, 7, 8, 0, 1, 1)), alert: AlertUnexpectedMessage, err: "want Finished"},
		{name: "certificate with a context", section: "4.4.2", at: stepCertificate, send: body13(func(b []byte) []byte { return append([]byte{1, 9}, b[1:]...) }), alert: AlertIllegalParameter, err: "context"},
		{name: "certificates cut", section: "4.4.2", setup: func(own *Config, _ *rawPeer13) { own.ClientAuth = VerifyClientCertIfGiven },
			at: stepCertificate, send: bodyIs13(0, 0, 0, 5), alert: AlertDecodeError, err: "Certificate is malformed"},
		{name: "certificate of another authority", section: "4.4.2.4", setup: func(own *Config, p *rawPeer13) { p.cert = newCA(t, "other", nil).pair(t, "client", nil) }, alert: AlertUnknownCA, err: "verify"},
		{name: "no CertificateVerify", section: "4.4.3", at: stepVerify, send: instead13(), alert: AlertUnexpectedMessage, err: "want CertificateVerify"},
		{name: "signature changed", section: "4.4.3", at: stepVerify, send: body13(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), alert: AlertDecryptError, err: "signature in CertificateVerify"},
		{name: "signature of a server", section: "4.4.3", at: stepVerify, send: func(p *rawPeer13, _ []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: appendCertificateVerify13(nil, p.sign(signatureID, contextServerVerify))}}
		}, alert: AlertDecryptError, err: "signature in CertificateVerify"},
		{name: "signature by the default identity", section: "RFC 8998, 3.2.1", at: stepVerify, send: func(p *rawPeer13, _ []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: appendCertificateVerify13(nil, p.sign(nil, contextClientVerify))}}
		}, alert: AlertDecryptError, err: "signature in CertificateVerify"},
		{name: "signature of ECDSA", section: "4.4.3", at: stepVerify, send: body13(set13(0, 4, 3)), alert: AlertIllegalParameter, err: "algorithm 0x0403"},
		{name: "Finished wrong", section: "4.4.4", at: stepFinished, send: body13(set13(0, 1, 2, 3, 4)), alert: AlertDecryptError, err: "does not match"},
		{name: "Finished wrong when resumed", section: "4.4.4", resume: true, at: stepFinished, send: body13(set13(0, 1, 2, 3, 4)), alert: AlertDecryptError, err: "does not match"},
		{name: "Finished short", section: "4.4.4", at: stepFinished, send: body13(cut13(1)), alert: AlertDecodeError, err: "Finished has 31 bytes"},
		{name: "Finished and more", section: "5.1", at: stepFinished, send: joined13(msgKeyUpdate, 0, 0, 1, 0), alert: AlertUnexpectedMessage, err: "changes the key"},
		{name: "EndOfEarlyData", section: "4.5", at: stepFinished, send: before13(handshakeRecord(5)), alert: AlertUnexpectedMessage, err: "want Finished"},
		{name: "empty data before Finished", section: "5", at: stepFinished, send: before13(rawRecord{typ: recordApplicationData}), alert: AlertUnexpectedMessage, err: "in the place of a handshake message"},
		{name: "data before Finished", section: "5", at: stepFinished, send: before13(dataRecord), alert: AlertUnexpectedMessage, err: "in the place of a handshake message"},
		{name: "Certificate unprotected", section: "5", at: stepCertificate, send: func(_ *rawPeer13, msg []byte) []rawRecord {
			return []rawRecord{{typ: recordHandshake, body: msg, clear: true}}
		}, alert: AlertUnexpectedMessage, err: "came without protection"},
		{name: "alert of a client without keys", section: "6", at: stepCCS, send: instead13(rawRecord{typ: recordAlert, body: []byte{2, 48}, clear: true}), remote: AlertUnknownCA},
		{name: "alert unprotected after a protected record", section: "5", at: stepVerify, send: before13(rawRecord{typ: recordAlert, body: []byte{2, 48}, clear: true}), alert: AlertUnexpectedMessage, err: "came without protection"},
		{name: "alert unprotected after the handshake", section: "5", at: stepData, send: before13(rawRecord{typ: recordAlert, body: []byte{2, 48}, clear: true}), alert: AlertUnexpectedMessage, err: "came without protection"},

		// After the handshake.
		{name: "ticket of a client", section: "4.6.1", at: stepData, send: before13(handshakeRecord(msgNewSessionTicket, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0)), alert: AlertUnexpectedMessage, err: "came after the handshake"},
		{name: "ClientHello after the handshake", section: "4.1.2", at: stepData, send: before13(handshakeRecord(msgClientHello, 0)), alert: AlertUnexpectedMessage, err: "came after the handshake"},
		{name: "Certificate after the handshake", section: "4.6.2", at: stepData, send: before13(handshakeRecord(msgCertificate, 0, 0, 0, 0)), alert: AlertUnexpectedMessage, err: "came after the handshake"},
		{name: "all well, KeyUpdate", section: "4.6.3", at: stepData, send: func(p *rawPeer13, msg []byte) []rawRecord {
			p.write(handshakeRecord(msgKeyUpdate, updateRequested))
			p.nextWriteKey()
			return right13(p, msg)
		}},
		{name: "KeyUpdate of 2", section: "4.6.3", at: stepData, send: before13(handshakeRecord(msgKeyUpdate, 2)), alert: AlertIllegalParameter, err: "KeyUpdate asks for 2"},
		{name: "ChangeCipherSpec after the handshake", section: "5", at: stepData, send: before13(ccsRecord), alert: AlertUnexpectedMessage, err: "outside the handshake"},
	}, false)
}
