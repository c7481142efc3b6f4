// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"

	"github.com/emmansun/gmsm/sm2"
)

const (
	malformedHello = "ClientHello is malformed"
	wrongSignature = "signature in CertificateVerify is wrong"
	notAuthentic   = "a record did not authenticate"
	wrongParams    = "params are not the SM2 curve"
	closedEarly    = "closed the connection during the handshake"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// encryptedTo replaces the ciphertext in ClientKeyExchange.
func encryptedTo(make func(p *rawPeer) []byte) action {
	return func(p *rawPeer, _ []byte) []rawRecord {
		return right(p, appendVectorMessage(nil, msgClientKeyExchange, make(p)))
	}
}

// signedBy replaces the signature in CertificateVerify.
func signedBy(sign func(p *rawPeer) []byte) action {
	return func(p *rawPeer, _ []byte) []rawRecord {
		return right(p, appendVectorMessage(nil, msgCertificateVerify, sign(p)))
	}
}

func noClientCert(own *Config, p *rawPeer) { own.ClientAuth = NoClientCert }

// offCurve is a point with coordinates in range that is not on the curve.
func offCurve() []byte {
	point := make([]byte, pointLen)
	point[0], point[pointLen-1] = 4, 1
	return point
}

// paramsOf writes ECDHE params as the arguments say.
func paramsOf(curveType byte, curve uint16, point []byte) []byte {
	return append([]byte{curveType, byte(curve >> 8), byte(curve), byte(len(point))}, point...)
}

var clientHelloCases = []conformanceCase{
	{name: "empty", section: "6.4.5.2.1", at: stepHello, send: bodyIs(), alert: AlertDecodeError, err: malformedHello},
	{name: "random cut off", section: "6.4.5.2.1", at: stepHello, send: body(func(b []byte) []byte { return b[:20] }),
		alert: AlertDecodeError, err: malformedHello},
	{name: "nothing behind the random", section: "6.4.5.2.1", at: stepHello, send: body(func(b []byte) []byte { return b[:34] }),
		alert: AlertDecodeError, err: malformedHello},
	{name: "version of TLS 1.0", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.version = 0x0301 }),
		alert: AlertProtocolVersion, err: "offers the version 0x0301"},
	{name: "version of TLS 1.2", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.version = 0x0303 }),
		alert: AlertProtocolVersion, err: "offers the version 0x0303"},
	{name: "version of TLS 1.3", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.version = 0x0304 }),
		alert: AlertProtocolVersion, err: "offers the version TLS 1.3"},
	{name: "version 1.0", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.version = 0x0100 }),
		alert: AlertProtocolVersion, err: "offers the version 0x0100"},
	{name: "session identifier of 33 bytes", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.sessionID = make([]byte, 33) }),
		alert: AlertDecodeError, err: malformedHello},
	{name: "session identifier of 255 bytes", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.sessionID = make([]byte, 255) }),
		alert: AlertDecodeError, err: malformedHello},
	{name: "unknown session identifier", section: "6.4.4", at: stepHello, send: hello(func(h *rawHello) { h.sessionID = randomBytes(32) })},
	{name: "short session identifier", section: "6.4.4", at: stepHello, send: hello(func(h *rawHello) { h.sessionID = []byte{1} })},
	{name: "no suites", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.suites = nil }), alert: AlertHandshakeFailure, err: "the client offers no cipher suite"},
	{name: "half a suite", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.suites = append(h.suites, 0xe0) }),
		alert: AlertDecodeError, err: malformedHello},
	{name: "suites of TLS only", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.suites = suiteBytes(0xc02f, 0x1301, 0x00c6) }),
		alert: AlertHandshakeFailure, err: "no cipher suite in common"},
	{name: "IBC and RSA suites only", section: "6.4.5.2.1", at: stepHello,
		send:  hello(func(h *rawHello) { h.suites = suiteBytes(0xe015, 0xe017, 0xe019, 0xe01c, 0xe055, 0xe059) }),
		alert: AlertHandshakeFailure, err: "no cipher suite in common"},
	{name: "suite that is not enabled", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.suites = suiteBytes(ECC_SM4_CBC_SM3) }),
		alert: AlertHandshakeFailure, err: "no cipher suite in common with the client, which offers ECC_SM4_CBC_SM3"},
	{name: "null suite", section: "RFC 5246 A.5", at: stepHello, send: hello(func(h *rawHello) { h.suites = suiteBytes(0) }),
		alert: AlertHandshakeFailure, err: "no cipher suite in common"},
	{name: "unknown suites and a known one", section: "6.4.5.2.1", at: stepHello,
		send: hello(func(h *rawHello) { h.suites = suiteBytes(0x0a0a, 0xfffe, ECC_SM4_GCM_SM3, 0x5600) })},
	{name: "the same suite three times", section: "6.4.5.2.1", at: stepHello,
		send: hello(func(h *rawHello) { h.suites = suiteBytes(ECC_SM4_GCM_SM3, ECC_SM4_GCM_SM3, ECC_SM4_GCM_SM3) })},
	{name: "thirty thousand suites", section: "6.4.5.2.1", at: stepHello, send: helloInFragments},
	{name: "no compression methods", section: "6.4.5.2.1", at: stepHello, send: hello(func(h *rawHello) { h.compressions = nil }),
		alert: AlertDecodeError, err: malformedHello},
	{name: "DEFLATE only", section: "RFC 5246 7.4.1.2", at: stepHello, send: hello(func(h *rawHello) { h.compressions = []byte{1} }),
		alert: AlertIllegalParameter, err: "does not offer to go without compression"},
	{name: "DEFLATE and null", section: "RFC 5246 7.4.1.2", at: stepHello, send: hello(func(h *rawHello) { h.compressions = []byte{1, 64, 0} })},
	{name: "trailing byte", section: "RFC 5246 7.4.1.2", at: stepHello, send: hello(func(h *rawHello) { h.trailing = []byte{0} }),
		alert: AlertDecodeError, err: malformedHello},
	{name: "extensions longer than the message", section: "RFC 5246 7.4.1.2", at: stepHello,
		send:  hello(func(h *rawHello) { h.extensions, h.trailing = nil, []byte{0, 5, 0, 0} }),
		alert: AlertDecodeError, err: malformedHello},
	{name: "no extensions at all", section: "RFC 5246 7.4.1.2", at: stepHello, send: hello(func(h *rawHello) { h.extensions = nil })},
	{name: "empty block of extensions", section: "RFC 5246 7.4.1.2", at: stepHello, send: extensions()},
	{name: "unknown extensions", section: "RFC 5246 7.4.1.4", at: stepHello,
		send: extensions(ext(0x0a0a), ext(13, 0, 2, 7, 8), ext(23), ext(35), ext(0xfffe, make([]byte, 500)...))},
	{name: "128 extensions", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions(manyExtensions(maxExtensions)...)},
	{name: "129 extensions", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions(manyExtensions(maxExtensions + 1)...),
		alert: AlertDecodeError, err: malformedHello},
	{name: "unknown extension twice", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions(ext(0x0a0a), ext(0x0a0a)),
		alert: AlertDecodeError, err: malformedHello},
	{name: "header of an extension cut off", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions([]byte{0, 23, 0}),
		alert: AlertDecodeError, err: malformedHello},
	{name: "body of an extension cut off", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions([]byte{0, 23, 0, 4, 1}),
		alert: AlertDecodeError, err: malformedHello},
}

func manyExtensions(n int) (all [][]byte) {
	for i := range n {
		all = append(all, ext(0x1000+uint16(i)))
	}
	return all
}

// helloInFragments sends a ClientHello that takes several records.
func helloInFragments(p *rawPeer, _ []byte) []rawRecord {
	p.hello.suites = append(bytes.Repeat([]byte{0x0a, 0x0a}, 30000), p.hello.suites...)
	return fragments(maxPlaintext)(p, p.hello.client())
}

var clientExtensionCases = []conformanceCase{
	{name: "server_name twice", section: "RFC 6066 3", at: stepHello, send: extensions(appendServerName(nil, "a.test"), appendServerName(nil, "b.test")),
		alert: AlertDecodeError, err: malformedHello},
	{name: "server_name empty", section: "RFC 6066 3", at: stepHello, send: extensions(ext(extServerName)), alert: AlertDecodeError, err: malformedHello},
	{name: "server_name with an empty list", section: "RFC 6066 3", at: stepHello, send: extensions(ext(extServerName, 0, 0)),
		alert: AlertDecodeError, err: malformedHello},
	{name: "server_name with an empty name", section: "RFC 6066 3", at: stepHello, send: extensions(ext(extServerName, 0, 3, 0, 0, 0)),
		alert: AlertDecodeError, err: malformedHello},
	{name: "server_name cut off", section: "RFC 6066 3", at: stepHello, send: extensions(ext(extServerName, 0, 6, 0, 0, 9, 'a', 'b', 'c')),
		alert: AlertDecodeError, err: malformedHello},
	{name: "server_name with two host names", section: "RFC 6066 3", at: stepHello,
		send:  extensions(ext(extServerName, 0, 8, 0, 0, 1, 'a', 0, 0, 1, 'b')),
		alert: AlertDecodeError, err: malformedHello},
	{name: "server_name with bytes behind the list", section: "RFC 6066 3", at: stepHello,
		send:  extensions(ext(extServerName, 0, 4, 0, 0, 1, 'a', 0)),
		alert: AlertDecodeError, err: malformedHello},
	{name: "server_name with a zero byte", section: "RFC 6066 3", at: stepHello, send: extensions(appendServerName(nil, "a\x00.test")),
		alert: AlertDecodeError, err: malformedHello},
	{name: "server_name with a trailing dot", section: "RFC 6066 3", at: stepHello, send: extensions(appendServerName(nil, "a.test.")),
		alert: AlertDecodeError, err: malformedHello},
	{name: "server_name of 256 bytes", section: "RFC 6066 3", at: stepHello,
		send:  extensions(appendServerName(nil, string(bytes.Repeat([]byte("a"), 256)))),
		alert: AlertDecodeError, err: malformedHello},
	{name: "server_name of an unknown type", section: "RFC 6066 3", at: stepHello, send: extensions(ext(extServerName, 0, 4, 7, 0, 1, 'a'))},
	{name: "ALPN twice", section: "RFC 7301 3.1", at: stepHello, send: extensions(ext(extALPN, 0, 2, 1, 'a'), ext(extALPN, 0, 2, 1, 'b')),
		alert: AlertDecodeError, err: malformedHello},
	{name: "ALPN empty", section: "RFC 7301 3.1", at: stepHello, send: extensions(ext(extALPN)), alert: AlertDecodeError, err: malformedHello},
	{name: "ALPN with an empty list", section: "RFC 7301 3.1", at: stepHello, send: extensions(ext(extALPN, 0, 0)),
		alert: AlertDecodeError, err: malformedHello},
	{name: "ALPN with an empty name", section: "RFC 7301 3.1", at: stepHello, send: extensions(ext(extALPN, 0, 3, 1, 'a', 0)),
		alert: AlertDecodeError, err: malformedHello},
	{name: "ALPN cut off", section: "RFC 7301 3.1", at: stepHello, send: extensions(ext(extALPN, 0, 3, 4, 'a', 'b')),
		alert: AlertDecodeError, err: malformedHello},
	{name: "ALPN with bytes behind the list", section: "RFC 7301 3.1", at: stepHello, send: extensions(ext(extALPN, 0, 2, 1, 'a', 0)),
		alert: AlertDecodeError, err: malformedHello},
	{name: "ALPN without overlap", section: "RFC 7301 3.2", at: stepHello, send: extensions(ext(extALPN, 0, 2, 1, 'a')),
		setup: func(own *Config, _ *rawPeer) { own.NextProtos = []string{"h2"} },
		alert: AlertNoApplicationProtocol, err: `none of the 1 application protocols that the client offers is in Config.NextProtos ["h2"]`},
	{name: "ALPN that the server does not use", section: "RFC 7301 3.2", at: stepHello, send: extensions(ext(extALPN, 0, 2, 1, 'a'))},
	{name: "renegotiation_info of a first handshake", section: "RFC 5746 3.6", at: stepHello, send: extensions(ext(extRenegotiationInfo, 0))},
	{name: "renegotiation SCSV", section: "RFC 5746 3.6", at: stepHello,
		send: hello(func(h *rawHello) { h.suites = suiteBytes(suiteSCSV, ECC_SM4_GCM_SM3) })},
	{name: "renegotiation_info with verify_data", section: "RFC 5746 3.6", at: stepHello,
		send:  extensions(ext(extRenegotiationInfo, append([]byte{12}, make([]byte, 12)...)...)),
		alert: AlertDecodeError, err: malformedHello},
	{name: "renegotiation_info empty", section: "RFC 5746 3.2", at: stepHello, send: extensions(ext(extRenegotiationInfo)),
		alert: AlertDecodeError, err: malformedHello},
}

var clientFlightCases = []conformanceCase{
	// Certificate.
	{name: "Certificate left out", section: "6.4.5.3", at: stepCertificate, send: instead(), alert: AlertUnexpectedMessage,
		err: "got ClientKeyExchange (type 16), want Certificate"},
	{name: "Certificate empty, demanded", section: "6.4.5.3", at: stepCertificate, send: bodyIs(0, 0, 0), alert: AlertHandshakeFailure,
		err: "the client sent no certificate"},
	{name: "Certificate empty, not demanded", section: "6.4.5.3",
		setup: func(own *Config, p *rawPeer) { own.ClientAuth, p.noCert = VerifyClientCertIfGiven, true }},
	{name: "Certificate without a list", section: "6.4.5.3", at: stepCertificate, send: bodyIs(), alert: AlertDecodeError, err: "Certificate is malformed"},
	{name: "Certificate list cut off", section: "6.4.5.3", at: stepCertificate, send: bodyIs(0, 0, 9, 0, 0, 6, 1, 2),
		alert: AlertDecodeError, err: "Certificate is malformed"},
	{name: "Certificate with a length past the list", section: "6.4.5.3", at: stepCertificate, send: bodyIs(0, 0, 4, 0, 0, 2, 1),
		alert: AlertDecodeError, err: "Certificate is malformed"},
	{name: "Certificate of zero bytes", section: "6.4.5.3", at: stepCertificate, send: bodyIs(0, 0, 3, 0, 0, 0), alert: AlertDecodeError,
		err: "Certificate is malformed"},
	{name: "Certificate with a trailing byte", section: "6.4.5.3", at: stepCertificate, send: body(func(b []byte) []byte { return append(b, 0) }),
		alert: AlertDecodeError, err: "Certificate is malformed"},
	{name: "Certificate twice", section: "6.4.3", at: stepCertificate,
		send: twice, alert: AlertUnexpectedMessage, err: "got Certificate (type 11), want ClientKeyExchange"},
	{name: "Certificate that was not asked for", section: "6.4.5.3", at: stepClientKeys, setup: noClientCert,
		send: before(handshakeRecord(msgCertificate, 0, 0, 0)), alert: AlertUnexpectedMessage, err: "got Certificate (type 11), want ClientKeyExchange"},

	// ClientKeyExchange of the ECC suites.
	{name: "ClientKeyExchange left out", section: "6.4.5.7", at: stepClientKeys, send: instead(), alert: AlertUnexpectedMessage,
		err: "got CertificateVerify (type 15), want ClientKeyExchange"},
	{name: "ClientKeyExchange twice", section: "6.4.3", at: stepClientKeys,
		send: twice, alert: AlertUnexpectedMessage, err: "got ClientKeyExchange (type 16), want CertificateVerify"},
	{name: "ClientKeyExchange without a body", section: "6.4.5.7", at: stepClientKeys, send: bodyIs(), alert: AlertDecodeError,
		err: "ClientKeyExchange is malformed"},
	{name: "ClientKeyExchange with an empty vector", section: "6.4.5.7", at: stepClientKeys, send: bodyIs(0, 0), alert: AlertDecodeError,
		err: "ClientKeyExchange is malformed"},
	{name: "ClientKeyExchange cut off", section: "6.4.5.7", at: stepClientKeys, send: body(func(b []byte) []byte { return b[:len(b)-1] }),
		alert: AlertDecodeError, err: "ClientKeyExchange is malformed"},
	{name: "ClientKeyExchange with a trailing byte", section: "6.4.5.7", at: stepClientKeys, send: body(func(b []byte) []byte { return append(b, 0) }),
		alert: AlertDecodeError, err: "ClientKeyExchange is malformed"},
	{name: "ClientKeyExchange without its length", section: "6.4.5.7", at: stepClientKeys, send: body(func(b []byte) []byte { return b[2:] }),
		alert: AlertDecodeError, err: "ClientKeyExchange is malformed"},
	{name: "ClientKeyExchange of garbage", section: "6.4.5.7", at: stepClientKeys, send: encryptedTo(func(*rawPeer) []byte { return []byte("garbage") }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "ClientKeyExchange of 60,000 bytes", section: "6.4.5.7", at: stepClientKeys,
		send: func(p *rawPeer, _ []byte) []rawRecord {
			return fragments(maxPlaintext)(p, appendVectorMessage(nil, msgClientKeyExchange, make([]byte, 60000)))
		},
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "ClientKeyExchange under another key", section: "6.4.5.7", at: stepClientKeys, send: encryptedTo(func(p *rawPeer) []byte {
		c, _ := sm2.EncryptASN1(rand.Reader, &p.cert.PrivateKey.(*sm2.PrivateKey).PublicKey, make([]byte, 48))
		return c
	}), alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "ClientKeyExchange with one bit changed", section: "6.4.5.7", at: stepClientKeys,
		send:  body(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "ClientKeyExchange of the ECDHE form", section: "6.4.5.7", at: stepClientKeys,
		send:  body(func([]byte) []byte { return paramsOf(curveTypeNamed, curveSM2, offCurve()) }),
		alert: AlertDecodeError, err: "ClientKeyExchange is malformed"},

	// CertificateVerify.
	{name: "CertificateVerify left out", section: "6.4.5.8", at: stepVerify, send: instead(), alert: AlertUnexpectedMessage,
		err: "a record of type ChangeCipherSpec came in the place of a handshake message"},
	{name: "CertificateVerify twice", section: "6.4.3", at: stepVerify,
		send: twice, alert: AlertUnexpectedMessage, err: "a record of type Handshake came in the place of ChangeCipherSpec"},
	{name: "CertificateVerify without a certificate", section: "6.4.5.8", at: stepCCS,
		setup: func(own *Config, p *rawPeer) { own.ClientAuth, p.noCert = RequestClientCert, true },
		send: func(p *rawPeer, msg []byte) []rawRecord {
			return before(rawRecord{typ: recordHandshake, body: appendVectorMessage(nil, msgCertificateVerify, p.sign(p.transcriptHash()))})(p, msg)
		},
		alert: AlertUnexpectedMessage, err: "a record of type Handshake came in the place of ChangeCipherSpec"},
	{name: "CertificateVerify without a body", section: "6.4.5.8", at: stepVerify, send: bodyIs(), alert: AlertDecodeError,
		err: "CertificateVerify is malformed"},
	{name: "CertificateVerify with an empty vector", section: "6.4.5.8", at: stepVerify, send: bodyIs(0, 0), alert: AlertDecodeError,
		err: "CertificateVerify is malformed"},
	{name: "CertificateVerify with a trailing byte", section: "6.4.5.8", at: stepVerify, send: body(func(b []byte) []byte { return append(b, 0) }),
		alert: AlertDecodeError, err: "CertificateVerify is malformed"},
	{name: "CertificateVerify with TLS 1.2's algorithm in front", section: "6.4.5.8", at: stepVerify,
		send:  body(func(b []byte) []byte { return append([]byte{7, 8}, b...) }),
		alert: AlertDecodeError, err: "CertificateVerify is malformed"},
	{name: "CertificateVerify of garbage", section: "6.4.5.8", at: stepVerify, send: signedBy(func(*rawPeer) []byte { return []byte("garbage") }),
		alert: AlertDecryptError, err: wrongSignature},
	{name: "CertificateVerify with bytes behind the signature", section: "6.4.5.8", at: stepVerify,
		send:  signedBy(func(p *rawPeer) []byte { return append(p.sign(p.transcriptHash()), 0) }),
		alert: AlertDecryptError, err: wrongSignature},
	{name: "CertificateVerify of r and s as plain numbers", section: "6.4.5.8", at: stepVerify,
		send:  signedBy(func(*rawPeer) []byte { return randomBytes(64) }),
		alert: AlertDecryptError, err: wrongSignature},
	{name: "CertificateVerify of zeros", section: "6.4.5.8", at: stepVerify,
		send:  signedBy(func(*rawPeer) []byte { return []byte{0x30, 6, 2, 1, 0, 2, 1, 0} }),
		alert: AlertDecryptError, err: wrongSignature},
	{name: "CertificateVerify by the encryption key", section: "6.4.5.8", at: stepVerify, send: signedBy(func(p *rawPeer) []byte {
		sig, _ := signMessage(rand.Reader, p.cert.EncPrivateKey, p.transcriptHash())
		return sig
	}), alert: AlertDecryptError, err: wrongSignature},
	{name: "CertificateVerify of the raw transcript", section: "6.4.5.8", at: stepVerify,
		send:  signedBy(func(p *rawPeer) []byte { return p.sign(p.transcript) }),
		alert: AlertDecryptError, err: wrongSignature},
	{name: "CertificateVerify of the raw transcript, as configured", section: "6.4.5.8", at: stepVerify,
		send:  signedBy(func(p *rawPeer) []byte { return p.sign(p.transcript) }),
		setup: func(own *Config, _ *rawPeer) { own.RawTranscriptVerify = true }},
	{name: "CertificateVerify of another connection", section: "6.4.5.8", at: stepVerify,
		send:  signedBy(func(p *rawPeer) []byte { return p.sign(randomBytes(32)) }),
		alert: AlertDecryptError, err: wrongSignature},
	{name: "CertificateVerify under another identity", section: "6.4.5.8", at: stepVerify, send: signedBy(func(p *rawPeer) []byte {
		sig, _ := p.cert.PrivateKey.(*sm2.PrivateKey).SignWithSM2(rand.Reader, []byte("somebody else"), p.transcriptHash())
		return sig
	}), alert: AlertDecryptError, err: wrongSignature},

	// Out of order.
	{name: "ClientHello again", section: "6.4.3", at: stepClientKeys, setup: noClientCert,
		send:  before(handshakeRecord(msgClientHello)),
		alert: AlertUnexpectedMessage, err: "got ClientHello (type 1), want ClientKeyExchange"},
	{name: "HelloRequest by a client", section: "6.4.5.1", at: stepHello, send: before(handshakeRecord(msgHelloRequest)),
		alert: AlertUnexpectedMessage, err: "got HelloRequest (type 0), want ClientHello"},
	{name: "ServerHello by a client", section: "6.4.3", at: stepHello, send: before(handshakeRecord(msgServerHello)),
		alert: AlertUnexpectedMessage, err: "got ServerHello (type 2), want ClientHello"},
	{name: "ServerHelloDone by a client", section: "6.4.3", at: stepCertificate, send: before(handshakeRecord(msgServerHelloDone)),
		alert: AlertUnexpectedMessage, err: "got ServerHelloDone (type 14), want Certificate"},
	{name: "Finished in the place of ClientHello", section: "6.4.3", at: stepHello, send: before(handshakeRecord(msgFinished, make([]byte, 12)...)),
		alert: AlertUnexpectedMessage, err: "got Finished (type 20), want ClientHello"},
	{name: "unknown message", section: "6.4.5.1", at: stepHello, send: before(handshakeRecord(77)), alert: AlertUnexpectedMessage,
		err: "got unknown (type 77), want ClientHello"},
	{name: "NewSessionTicket by a client", section: "6.4.5.1", at: stepCertificate, send: before(handshakeRecord(4, make([]byte, 6)...)),
		alert: AlertUnexpectedMessage, err: "got NewSessionTicket (type 4), want Certificate"},
	{name: "CertificateVerify before ClientKeyExchange", section: "6.4.3", at: stepClientKeys,
		send:  before(handshakeRecord(msgCertificateVerify, 0, 1, 1)),
		alert: AlertUnexpectedMessage, err: "got CertificateVerify (type 15), want ClientKeyExchange"},
	{name: "ClientKeyExchange before Certificate", section: "6.4.3", at: stepCertificate,
		send:  before(handshakeRecord(msgClientKeyExchange, 0, 1, 1)),
		alert: AlertUnexpectedMessage, err: "got ClientKeyExchange (type 16), want Certificate"},
}

var clientECDHECases = []conformanceCase{
	{name: "bare params", section: "6.4.5.7"},
	{name: "params as a vector", section: "6.4.5.7", at: stepClientKeys, send: body(func(b []byte) []byte { return appendVector16(nil, b) })},
	{name: "empty Certificate", section: "6.4.5.3", at: stepCertificate, send: bodyIs(0, 0, 0), setup: noClientCert, alert: AlertHandshakeFailure,
		err: "the client sent no certificate, which ECDHE_SM4_GCM_SM3"},
	{name: "signing certificate alone", section: "6.4.5.3", at: stepCertificate,
		send: func(p *rawPeer, _ []byte) []rawRecord {
			return right(p, appendCertificate(nil, p.cert.Certificate[:1]))
		}, alert: AlertBadCertificate, err: "sent no encryption certificate, which ECDHE_SM4_GCM_SM3 needs"},
	{name: "no body", section: "6.4.5.7", at: stepClientKeys, send: bodyIs(), alert: AlertIllegalParameter, err: wrongParams},
	{name: "ECC form", section: "6.4.5.7", at: stepClientKeys, send: bodyIs(0, 3, 1, 2, 3), alert: AlertIllegalParameter, err: wrongParams},
	{name: "params cut off", section: "6.4.5.7", at: stepClientKeys, send: body(func(b []byte) []byte { return b[:len(b)-1] }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "params with a trailing byte", section: "6.4.5.7", at: stepClientKeys, send: body(func(b []byte) []byte { return append(b, 0) }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "params with two trailing bytes", section: "6.4.5.7", at: stepClientKeys, send: body(func(b []byte) []byte { return append(b, 0, 0) }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "vector with a wrong length", section: "6.4.5.7", at: stepClientKeys,
		send:  body(func(b []byte) []byte { return append([]byte{0, 70}, b...) }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "explicit curve", section: "6.4.5.4", at: stepClientKeys, send: body(func(b []byte) []byte { b[0] = 1; return b }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "curve P-256", section: "6.4.5.4", at: stepClientKeys, send: body(func(b []byte) []byte { b[2] = 23; return b }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "curve X25519", section: "6.4.5.4", at: stepClientKeys,
		send:  body(func([]byte) []byte { return paramsOf(curveTypeNamed, 29, randomBytes(32)) }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "empty point", section: "6.4.5.4", at: stepClientKeys, send: body(func([]byte) []byte { return paramsOf(curveTypeNamed, curveSM2, nil) }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "point at infinity", section: "6.4.5.4", at: stepClientKeys,
		send:  body(func([]byte) []byte { return paramsOf(curveTypeNamed, curveSM2, []byte{0}) }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "compressed point", section: "6.4.5.4", at: stepClientKeys,
		send: body(func(b []byte) []byte {
			return paramsOf(curveTypeNamed, curveSM2, append([]byte{2 | b[len(b)-1]&1}, b[5:37]...))
		}),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "hybrid point", section: "6.4.5.4", at: stepClientKeys, send: body(func(b []byte) []byte { b[4] = 6 | b[len(b)-1]&1; return b }),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "point off the curve", section: "6.4.5.4", at: stepClientKeys,
		send:  body(func([]byte) []byte { return paramsOf(curveTypeNamed, curveSM2, offCurve()) }),
		alert: AlertIllegalParameter, err: "SM2 key exchange"},
	{name: "coordinates out of range", section: "6.4.5.4", at: stepClientKeys,
		send:  body(func(b []byte) []byte { return slices.Concat(b[:5], bytes.Repeat([]byte{0xff}, 64)) }),
		alert: AlertIllegalParameter, err: "SM2 key exchange"},
	{name: "point of zeros", section: "6.4.5.4", at: stepClientKeys,
		send:  body(func(b []byte) []byte { return slices.Concat(b[:5], make([]byte, 64)) }),
		alert: AlertIllegalParameter, err: "SM2 key exchange"},
	{name: "another point", section: "6.4.5.4", at: stepClientKeys,
		send: func(p *rawPeer, _ []byte) []rawRecord {
			return right(p, rawMessage(msgClientKeyExchange, appendECDHParams(nil, p.agreement().EphemeralPublic())))
		},
		alert: AlertBadRecordMAC, err: notAuthentic},
}

func TestServerConformance(t *testing.T) {
	t.Run("ClientHello", func(t *testing.T) { runConformance(t, clientHelloCases, false) })
	t.Run("extensions", func(t *testing.T) { runConformance(t, clientExtensionCases, false) })
	t.Run("flight", func(t *testing.T) { runConformance(t, clientFlightCases, false) })
	t.Run("ECDHE", func(t *testing.T) { runConformance(t, withSuite(ECDHE_SM4_GCM_SM3, clientECDHECases), false) })
}

// withSuite returns the cases with the suite in them.
func withSuite(suite uint16, cases []conformanceCase) []conformanceCase {
	cases = slices.Clone(cases)
	for i := range cases {
		cases[i].suite = suite
	}
	return cases
}
