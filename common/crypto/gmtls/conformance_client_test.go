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
	malformedServerHello = "ServerHello is malformed"
	malformedKeys        = "ServerKeyExchange is malformed"
	wrongKeysSignature   = "signature in ServerKeyExchange is wrong"
)

func offerH2(own *Config, _ *rawPeer) { own.NextProtos = []string{"h2", "http/1.1"} }

func noExtensions(own *Config, _ *rawPeer) { own.OmitExtensions = true }

// keysSigned replaces ServerKeyExchange: params in front, then a signature.
func keysSigned(make func(p *rawPeer) (params, sig []byte)) action {
	return func(p *rawPeer, _ []byte) []rawRecord {
		params, sig := make(p)
		return right(p, rawMessage(msgServerKeyExchange, appendVector16(bytes.Clone(params), sig)))
	}
}

// keysOver signs what over returns as the server's key.
func keysOver(over func(p *rawPeer) []byte) action {
	return keysSigned(func(p *rawPeer) (params, sig []byte) { return nil, p.sign(over(p)) })
}

// paramsSent signs and sends the ECDHE params.
func paramsSent(params ...byte) action {
	return keysSigned(func(p *rawPeer) ([]byte, []byte) { return params, p.sign(p.exchanged(params)) })
}

var serverHelloCases = []conformanceCase{
	{name: "empty", section: "6.4.5.2.2", at: stepHello, send: bodyIs(), alert: AlertDecodeError, err: malformedServerHello},
	{name: "random cut off", section: "6.4.5.2.2", at: stepHello, send: body(func(b []byte) []byte { return b[:33] }),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "compression method missing", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.compressions = nil }),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "version of TLS 1.2", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.version = 0x0303 }),
		alert: AlertProtocolVersion, err: "chose the version 0x0303"},
	{name: "version of SSL 3.0", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.version = 0x0300 }),
		alert: AlertProtocolVersion, err: "chose the version 0x0300"},
	{name: "version 1.2", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.version = 0x0102 }),
		alert: AlertProtocolVersion, err: "chose the version 0x0102"},
	{name: "version 0", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.version = 0 }),
		alert: AlertProtocolVersion, err: "chose the version 0x0000"},
	{name: "session identifier of 33 bytes", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.sessionID = make([]byte, 33) }),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "no session identifier", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.sessionID = nil })},
	{name: "session identifier of one byte", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.sessionID = []byte{7} })},
	{name: "suite that was not offered", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.suites = suiteBytes(ECC_SM4_CBC_SM3) }),
		alert: AlertIllegalParameter, err: "chose the suite ECC_SM4_CBC_SM3, which was not offered"},
	{name: "suite of TLS 1.3", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.suites = suiteBytes(0x00c6) }),
		alert: AlertIllegalParameter, err: "chose the suite TLS_SM4_GCM_SM3"},
	{name: "null suite", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.suites = suiteBytes(0) }),
		alert: AlertIllegalParameter, err: "chose the suite 0x0000"},
	{name: "DEFLATE", section: "6.4.5.2.2", at: stepHello, send: hello(func(h *rawHello) { h.compressions = []byte{1} }),
		alert: AlertIllegalParameter, err: "chose the compression method 1"},
	{name: "trailing byte", section: "RFC 5246 7.4.1.3", at: stepHello, send: hello(func(h *rawHello) { h.trailing = []byte{0} }),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "extensions longer than the message", section: "RFC 5246 7.4.1.3", at: stepHello,
		send: hello(func(h *rawHello) { h.trailing = []byte{0, 4, 0, 0} }), alert: AlertDecodeError, err: malformedServerHello},
	{name: "empty block of extensions", section: "RFC 5246 7.4.1.3", at: stepHello, send: extensions()},
	{name: "header of an extension cut off", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions([]byte{0, 0, 0}),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "body of an extension cut off", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions([]byte{0, 16, 0, 9, 0}),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "unknown extension", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions(ext(0x0a0a)),
		alert: AlertUnsupportedExtension, err: "extension that was not asked for"},
	{name: "extended master secret", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions(ext(23)),
		alert: AlertUnsupportedExtension, err: "extension that was not asked for"},
	{name: "renegotiation_info unasked", section: "RFC 5746 3.4", at: stepHello, send: extensions(ext(extRenegotiationInfo, 0)),
		alert: AlertUnsupportedExtension, err: "extension that was not asked for"},
	{name: "server_name taken note of", section: "RFC 6066 3", at: stepHello, send: extensions(ext(extServerName))},
	{name: "server_name unasked", section: "RFC 6066 3", at: stepHello, setup: noExtensions, send: extensions(ext(extServerName)),
		alert: AlertUnsupportedExtension, err: "extension that was not asked for"},
	{name: "server_name with a body", section: "RFC 6066 3", at: stepHello, send: extensions(appendServerName(nil, testName)),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "server_name twice", section: "RFC 5246 7.4.1.4", at: stepHello, send: extensions(ext(extServerName), ext(extServerName)),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "ALPN as offered", section: "RFC 7301 3.1", at: stepHello, setup: offerH2, send: extensions(appendALPN(nil, []string{"http/1.1"}))},
	{name: "ALPN left out", section: "RFC 7301 3.1", at: stepHello, setup: offerH2, send: right},
	{name: "ALPN unasked", section: "RFC 7301 3.1", at: stepHello, send: extensions(appendALPN(nil, []string{"h2"})),
		alert: AlertUnsupportedExtension, err: "extension that was not asked for"},
	{name: "ALPN of another protocol", section: "RFC 7301 3.1", at: stepHello, setup: offerH2, send: extensions(appendALPN(nil, []string{"h3"})),
		alert: AlertIllegalParameter, err: `chose the application protocol "h3"`},
	{name: "ALPN with two protocols", section: "RFC 7301 3.1", at: stepHello, setup: offerH2,
		send: extensions(appendALPN(nil, []string{"h2", "http/1.1"})), alert: AlertDecodeError, err: malformedServerHello},
	{name: "ALPN with no protocol", section: "RFC 7301 3.1", at: stepHello, setup: offerH2, send: extensions(ext(extALPN, 0, 0)),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "ALPN with an empty protocol", section: "RFC 7301 3.1", at: stepHello, setup: offerH2, send: extensions(ext(extALPN, 0, 1, 0)),
		alert: AlertDecodeError, err: malformedServerHello},
	{name: "ALPN twice", section: "RFC 5246 7.4.1.4", at: stepHello, setup: offerH2,
		send: extensions(appendALPN(nil, []string{"h2"}), appendALPN(nil, []string{"h2"})), alert: AlertDecodeError, err: malformedServerHello},
	{name: "ServerHello twice", section: "6.4.3", at: stepHello, send: twice, alert: AlertUnexpectedMessage,
		err: "got ServerHello (type 2), want Certificate"},
}

var serverFlightCases = []conformanceCase{
	// Out of order.
	{name: "Certificate in the place of ServerHello", section: "6.4.3", at: stepHello, send: instead(), alert: AlertUnexpectedMessage,
		err: "got Certificate (type 11), want ServerHello"},
	{name: "ClientHello by a server", section: "6.4.3", at: stepHello, send: before(handshakeRecord(msgClientHello)), alert: AlertUnexpectedMessage,
		err: "got ClientHello (type 1), want ServerHello"},
	{name: "HelloRequest during the handshake", section: "6.4.5.1", at: stepCertificate,
		send: before(rawRecord{typ: recordHandshake, body: rawMessage(msgHelloRequest, nil), hidden: true})},
	{name: "HelloRequest with a body", section: "6.4.5.1", at: stepCertificate, send: before(handshakeRecord(msgHelloRequest, 0)),
		alert: AlertUnexpectedMessage, err: "got HelloRequest (type 0), want Certificate"},
	{name: "flood of HelloRequest in one record", section: "6.4.5.1", at: stepHello,
		send:  before(rawRecord{typ: recordHandshake, hidden: true, body: make([]byte, 4*(maxUselessRecords+1))}),
		alert: AlertUnexpectedMessage, err: "too many HelloRequest messages"},
	{name: "Certificate left out", section: "6.4.5.3", at: stepCertificate, send: instead(), alert: AlertUnexpectedMessage,
		err: "got ServerKeyExchange (type 12), want Certificate"},
	{name: "Certificate twice", section: "6.4.3", at: stepCertificate, send: twice, alert: AlertUnexpectedMessage,
		err: "got Certificate (type 11), want ServerKeyExchange"},
	{name: "ServerKeyExchange left out", section: "6.4.5.4", at: stepServerKeys, send: instead(), alert: AlertUnexpectedMessage,
		err: "got CertificateRequest (type 13), want ServerKeyExchange"},
	{name: "ServerKeyExchange twice", section: "6.4.3", at: stepServerKeys, send: twice, alert: AlertUnexpectedMessage,
		err: "got ServerKeyExchange (type 12), want CertificateRequest or ServerHelloDone"},
	{name: "CertificateRequest twice", section: "6.4.3", at: stepRequest, send: twice, alert: AlertUnexpectedMessage,
		err: "got CertificateRequest (type 13), want ServerHelloDone"},
	{name: "CertificateRequest before ServerKeyExchange", section: "6.4.3", at: stepServerKeys,
		send: before(handshakeRecord(msgCertificateRequest, 1, 64, 0, 0)), alert: AlertUnexpectedMessage,
		err: "got CertificateRequest (type 13), want ServerKeyExchange"},
	{name: "ServerHelloDone before ServerKeyExchange", section: "6.4.3", at: stepServerKeys, send: before(handshakeRecord(msgServerHelloDone)),
		alert: AlertUnexpectedMessage, err: "got ServerHelloDone (type 14), want ServerKeyExchange"},
	{name: "ServerHelloDone with a body", section: "6.4.5.6", at: stepDone, send: bodyIs(0), alert: AlertDecodeError,
		err: "ServerHelloDone is malformed"},
	{name: "ServerHelloDone twice", section: "6.4.3", at: stepDone, alert: AlertUnexpectedMessage,
		send: after(rawRecord{typ: recordHandshake, body: rawMessage(msgServerHelloDone, nil), hidden: true}),
		err:  "a record of type Handshake came in the place of ChangeCipherSpec"},
	{name: "ServerHelloDone twice in one record", section: "6.4.3", at: stepDone,
		send:  before(rawRecord{typ: recordHandshake, body: rawMessage(msgServerHelloDone, nil), hidden: true, held: true}),
		alert: AlertUnexpectedMessage, err: "handshake data is pending where ChangeCipherSpec is due"},
	{name: "unknown message", section: "6.4.5.1", at: stepRequest, send: before(handshakeRecord(22)), alert: AlertUnexpectedMessage,
		err: "got unknown (type 22), want CertificateRequest or ServerHelloDone"},
	{name: "no CertificateRequest", section: "6.4.5.5", setup: func(_ *Config, p *rawPeer) { p.noAsk = true }},
	{name: "NewSessionTicket before ChangeCipherSpec", section: "6.4.3", at: stepCCS,
		send:  before(handshakeRecord(4, make([]byte, 6)...)),
		alert: AlertUnexpectedMessage, err: "a record of type Handshake came in the place of ChangeCipherSpec"},

	// Certificate.
	{name: "Certificate without a list", section: "6.4.5.3", at: stepCertificate, send: bodyIs(), alert: AlertDecodeError, err: "Certificate is malformed"},
	{name: "Certificate with an empty list", section: "6.4.5.3", at: stepCertificate, send: bodyIs(0, 0, 0), alert: AlertBadCertificate,
		err: "the server sent 0 certificates"},
	{name: "Certificate of zero bytes", section: "6.4.5.3", at: stepCertificate, send: bodyIs(0, 0, 3, 0, 0, 0), alert: AlertDecodeError,
		err: "Certificate is malformed"},
	{name: "Certificate list cut off", section: "6.4.5.3", at: stepCertificate, send: bodyIs(0, 0, 9, 0, 0), alert: AlertDecodeError,
		err: "Certificate is malformed"},
	{name: "Certificate with a trailing byte", section: "6.4.5.3", at: stepCertificate, send: body(func(b []byte) []byte { return append(b, 0) }),
		alert: AlertDecodeError, err: "Certificate is malformed"},
	{name: "seventeen certificates", section: "6.4.5.3", at: stepCertificate, send: func(p *rawPeer, _ []byte) []rawRecord {
		return right(p, appendCertificate(nil, append(p.cert.Certificate, slices.Repeat([][]byte{{0x30, 0}}, 15)...)))
	}, alert: AlertBadCertificate, err: "the peer sent 17 certificates, more than 16"},

	// CertificateRequest.
	{name: "CertificateRequest without names", section: "6.4.5.5", at: stepRequest, send: bodyIs(1, certTypeECDSA, 0, 0)},
	{name: "CertificateRequest of an unknown type", section: "6.4.5.5", at: stepRequest, send: bodyIs(1, 80, 0, 0)},
	{name: "CertificateRequest of other authorities", section: "6.4.5.5", at: stepRequest,
		send: bodyIs(1, certTypeECDSA, 0, 4, 0, 2, 0x30, 0)},
	{name: "CertificateRequest without a body", section: "6.4.5.5", at: stepRequest, send: bodyIs(), alert: AlertDecodeError,
		err: "CertificateRequest is malformed"},
	{name: "CertificateRequest without types", section: "6.4.5.5", at: stepRequest, send: bodyIs(0, 0, 0), alert: AlertDecodeError,
		err: "CertificateRequest is malformed"},
	{name: "CertificateRequest with an empty name", section: "6.4.5.5", at: stepRequest, send: bodyIs(1, 64, 0, 2, 0, 0), alert: AlertDecodeError,
		err: "CertificateRequest is malformed"},
	{name: "CertificateRequest with names cut off", section: "6.4.5.5", at: stepRequest, send: bodyIs(1, 64, 0, 4, 0, 9, 1, 2),
		alert: AlertDecodeError, err: "CertificateRequest is malformed"},
	{name: "CertificateRequest with a trailing byte", section: "6.4.5.5", at: stepRequest, send: bodyIs(1, 64, 0, 0, 0),
		alert: AlertDecodeError, err: "CertificateRequest is malformed"},
	{name: "CertificateRequest in TLS 1.2's form", section: "6.4.5.5", at: stepRequest, send: bodyIs(1, 64, 0, 2, 7, 8, 0, 0),
		alert: AlertDecodeError, err: "CertificateRequest is malformed"},
}

var serverKeysCases = []conformanceCase{
	{name: "no body", section: "6.4.5.4", at: stepServerKeys, send: bodyIs(), alert: AlertDecodeError, err: malformedKeys},
	{name: "empty vector", section: "6.4.5.4", at: stepServerKeys, send: bodyIs(0, 0), alert: AlertDecodeError, err: malformedKeys},
	{name: "cut off", section: "6.4.5.4", at: stepServerKeys, send: body(func(b []byte) []byte { return b[:len(b)-1] }),
		alert: AlertDecodeError, err: malformedKeys},
	{name: "trailing byte", section: "6.4.5.4", at: stepServerKeys, send: body(func(b []byte) []byte { return append(b, 0) }),
		alert: AlertDecodeError, err: malformedKeys},
	{name: "without its length", section: "6.4.5.4", at: stepServerKeys, send: body(func(b []byte) []byte { return b[2:] }),
		alert: AlertDecodeError, err: malformedKeys},
	{name: "TLS 1.2's algorithm in front", section: "6.4.5.4", at: stepServerKeys, send: body(func(b []byte) []byte { return append([]byte{7, 8}, b...) }),
		alert: AlertDecodeError, err: malformedKeys},
	{name: "ECDHE form", section: "6.4.5.4", at: stepServerKeys, send: paramsSent(paramsOf(curveTypeNamed, curveSM2, offCurve())...),
		alert: AlertDecodeError, err: malformedKeys},
	{name: "garbage", section: "6.4.5.4", at: stepServerKeys, send: bodyIs(0, 3, 1, 2, 3), alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "bytes behind the signature", section: "6.4.5.4", at: stepServerKeys,
		send: keysSigned(func(p *rawPeer) (params, sig []byte) {
			return nil, append(p.sign(p.exchanged(p.cert.Certificate[1])), 0)
		}), alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "signature of zeros", section: "6.4.5.4", at: stepServerKeys, send: bodyIs(0, 8, 0x30, 6, 2, 1, 0, 2, 1, 0),
		alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "by the encryption key", section: "6.4.5.4", at: stepServerKeys, send: keysSigned(func(p *rawPeer) (params, sig []byte) {
		sig, _ = signMessage(rand.Reader, p.cert.EncPrivateKey, p.exchanged(p.cert.Certificate[1]))
		return nil, sig
	}), alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "over the signing certificate", section: "6.4.5.4", at: stepServerKeys,
		send:  keysOver(func(p *rawPeer) []byte { return p.exchanged(p.cert.Certificate[0]) }),
		alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "without the certificate's length", section: "6.4.5.4", at: stepServerKeys, send: keysOver(func(p *rawPeer) []byte {
		return slices.Concat(p.random[0], p.random[1], p.cert.Certificate[1])
	}), alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "randoms swapped", section: "6.4.5.4", at: stepServerKeys, send: keysOver(func(p *rawPeer) []byte {
		return exchangeMessage(p.suite, p.random[1], p.random[0], p.cert.Certificate[1])
	}), alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "of another connection", section: "6.4.5.4", at: stepServerKeys, send: keysOver(func(p *rawPeer) []byte {
		return exchangeMessage(p.suite, randomBytes(randomLen), p.random[1], p.cert.Certificate[1])
	}), alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "under another identity", section: "6.4.5.4", at: stepServerKeys, send: keysSigned(func(p *rawPeer) (params, sig []byte) {
		sig, _ = p.cert.PrivateKey.(*sm2.PrivateKey).SignWithSM2(rand.Reader, []byte("TLSv1.3+GM+Cipher+Suite"), p.exchanged(p.cert.Certificate[1]))
		return nil, sig
	}), alert: AlertDecryptError, err: wrongKeysSignature},
}

var serverECDHECases = []conformanceCase{
	{name: "correct", section: "6.4.5.4"},
	{name: "no CertificateRequest", section: "6.4.5.5", at: stepRequest, send: instead(), alert: AlertUnexpectedMessage,
		err: "chose an ECDHE suite and sent no CertificateRequest"},
	{name: "CertificateRequest of other authorities", section: "6.4.5.5", at: stepRequest, send: bodyIs(1, certTypeECDSA, 0, 4, 0, 2, 0x30, 0),
		alert: AlertHandshakeFailure, err: "needs a certificate pair, and there is none for its authorities"},
	{name: "no body", section: "6.4.5.4", at: stepServerKeys, send: bodyIs(), alert: AlertIllegalParameter, err: wrongParams},
	{name: "no signature", section: "6.4.5.4", at: stepServerKeys, send: body(func(b []byte) []byte { return b[:ecdhParamsLen] }),
		alert: AlertDecodeError, err: "the signature has a wrong length"},
	{name: "signature cut off", section: "6.4.5.4", at: stepServerKeys, send: body(func(b []byte) []byte { return b[:len(b)-1] }),
		alert: AlertDecodeError, err: "the signature has a wrong length"},
	{name: "trailing byte", section: "6.4.5.4", at: stepServerKeys, send: body(func(b []byte) []byte { return append(b, 0) }),
		alert: AlertDecodeError, err: "the signature has a wrong length"},
	{name: "params not signed", section: "6.4.5.4", at: stepServerKeys, send: keysSigned(func(p *rawPeer) (params, sig []byte) {
		return appendECDHParams(nil, p.agreement().EphemeralPublic()), p.sign(p.exchanged(p.cert.Certificate[1]))
	}), alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "signed params replaced", section: "6.4.5.4", at: stepServerKeys,
		send:  body(func(b []byte) []byte { return slices.Concat(b[:5], offCurve()[1:], b[ecdhParamsLen:]) }),
		alert: AlertDecryptError, err: wrongKeysSignature},
	{name: "explicit curve", section: "6.4.5.4", at: stepServerKeys, send: paramsSent(paramsOf(1, curveSM2, offCurve())...),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "curve P-256", section: "6.4.5.4", at: stepServerKeys, send: paramsSent(paramsOf(curveTypeNamed, 23, offCurve())...),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "curve X25519", section: "6.4.5.4", at: stepServerKeys, send: paramsSent(paramsOf(curveTypeNamed, 29, make([]byte, 32))...),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "empty point", section: "6.4.5.4", at: stepServerKeys, send: paramsSent(paramsOf(curveTypeNamed, curveSM2, nil)...),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "point at infinity", section: "6.4.5.4", at: stepServerKeys, send: paramsSent(paramsOf(curveTypeNamed, curveSM2, []byte{0})...),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "compressed point", section: "6.4.5.4", at: stepServerKeys,
		send:  paramsSent(paramsOf(curveTypeNamed, curveSM2, append([]byte{2}, offCurve()[1:33]...))...),
		alert: AlertIllegalParameter, err: wrongParams},
	{name: "params of the wrong tag", section: "6.4.5.4", at: stepServerKeys,
		send:  paramsSent(paramsOf(curveTypeNamed, curveSM2, append([]byte{7}, offCurve()[1:]...))...),
		alert: AlertIllegalParameter, err: wrongParams},
}

// What is signed correctly and only found to be no point when the keys are
// computed, after the client's flight was made.
var serverPointCases = []conformanceCase{
	{name: "point off the curve", section: "6.4.5.4", at: stepServerKeys, send: paramsSent(paramsOf(curveTypeNamed, curveSM2, offCurve())...),
		alert: AlertIllegalParameter, err: "SM2 key exchange"},
	{name: "coordinates out of range", section: "6.4.5.4", at: stepServerKeys,
		send:  paramsSent(paramsOf(curveTypeNamed, curveSM2, append([]byte{4}, bytes.Repeat([]byte{0xff}, 64)...))...),
		alert: AlertIllegalParameter, err: "SM2 key exchange"},
	{name: "point of zeros", section: "6.4.5.4", at: stepServerKeys,
		send:  paramsSent(paramsOf(curveTypeNamed, curveSM2, append([]byte{4}, make([]byte, 64)...))...),
		alert: AlertIllegalParameter, err: "SM2 key exchange"},
}

func TestClientConformance(t *testing.T) {
	t.Run("ServerHello", func(t *testing.T) { runConformance(t, serverHelloCases, true) })
	t.Run("flight", func(t *testing.T) { runConformance(t, serverFlightCases, true) })
	t.Run("ServerKeyExchange", func(t *testing.T) { runConformance(t, serverKeysCases, true) })
	t.Run("ECDHE", func(t *testing.T) { runConformance(t, withSuite(ECDHE_SM4_GCM_SM3, serverECDHECases), true) })
	t.Run("points", func(t *testing.T) { runConformance(t, withSuite(ECDHE_SM4_GCM_SM3, serverPointCases), true) })
}
