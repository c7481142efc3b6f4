// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/emmansun/gmsm/sm4"
)

var (
	ccsRecord  = rawRecord{typ: recordChangeCipherSpec, body: []byte{1}}
	dataRecord = rawRecord{typ: recordApplicationData, body: []byte("early")}
)

const handshakeNotCCS = "a record of type Handshake came in the place of ChangeCipherSpec"

// tampered changes the record after protection.
func tampered(change func(sealed []byte) []byte) action {
	return record(func(r *rawRecord) { r.tamper = change })
}

// onlyHeader sends a record's header that claims a length, and nothing more.
func onlyHeader(typ uint8, length int) rawRecord {
	return rawRecord{wire: rawWire(typ, VersionTLCP, length, nil)}
}

// dataOf sends that much data.
func dataOf(n int) action {
	return func(p *rawPeer, _ []byte) []rawRecord {
		p.data = bytes.Repeat([]byte{'x'}, n)
		return right(p, p.data)
	}
}

// anySplit fragments what is in handshake records.
func anySplit(n int) action {
	return func(p *rawPeer, msg []byte) []rawRecord {
		if p.typeOf() == recordHandshake {
			return fragments(n)(p, msg)
		}
		return right(p, msg)
	}
}

// coalesced puts each flight into one record.
func coalesced(p *rawPeer, msg []byte) []rawRecord {
	r := right(p, msg)
	last := p.step == stepDone || p.step == stepVerify || p.step == stepFinished || p.isClient && p.step == stepHello
	r[0].held = r[0].typ == recordHandshake && !last
	return r
}

// renumbered sends the record with another sequence number.
func renumbered(by int) action {
	return func(p *rawPeer, msg []byte) []rawRecord {
		p.outSeq += uint64(by)
		return right(p, msg)
	}
}

func replayed(p *rawPeer, msg []byte) []rawRecord {
	p.write(right(p, msg)[0])
	p.outSeq--
	return right(p, msg)
}

// retyped seals the message as its own type and sends it as another.
func retyped(typ uint8) action {
	return func(p *rawPeer, msg []byte) []rawRecord {
		sealed, err := p.out.seal(nil, (&Config{}).rand(), p.outSeq, p.typeOf(), msg)
		if err != nil {
			p.t.Error(err)
		}
		return []rawRecord{{wire: rawWire(typ, VersionTLCP, len(sealed), sealed)}}
	}
}

// sealedCBC sends the data with the padding, and the MAC as it should be or not.
func sealedCBC(padding []byte, flipMAC bool) action {
	return func(p *rawPeer, _ []byte) []rawRecord {
		p.data = bytes.Repeat([]byte{'x'}, 2*sm4.BlockSize-len(padding)%sm4.BlockSize)
		sealed := sealCBC(p.t, p.out.(*cbcCipher), p.outSeq, recordApplicationData, p.data, padding, flipMAC)
		p.outSeq++
		return []rawRecord{{wire: rawWire(recordApplicationData, VersionTLCP, len(sealed), sealed)}}
	}
}

// headerCases hold for both ends.
var headerCases = []conformanceCase{
	{name: "first record of SSL 3.0", section: "6.3.3.2", at: stepHello, send: record(func(r *rawRecord) { r.version = 0x0300 }),
		alert: AlertProtocolVersion, err: "the peer speaks SSL or TLS (record version 0x0300)"},
	{name: "first record of TLS 1.0", section: "6.3.3.2", at: stepHello, send: record(func(r *rawRecord) { r.version = 0x0301 }),
		alert: AlertProtocolVersion, err: "the peer speaks SSL or TLS (record version 0x0301)"},
	{name: "first record of TLS 1.2", section: "6.3.3.2", at: stepHello, send: record(func(r *rawRecord) { r.version = 0x0303 }),
		alert: AlertProtocolVersion, err: "the peer speaks SSL or TLS (record version 0x0303)"},
	{name: "first record of version 1.0", section: "6.3.3.2", at: stepHello, send: record(func(r *rawRecord) { r.version = 0x0100 }),
		err: "does not look like TLCP"},
	{name: "first record of DTLS", section: "6.3.3.2", at: stepHello, send: record(func(r *rawRecord) { r.version = 0xfefd }),
		err: "does not look like TLCP"},
	{name: "ChangeCipherSpec first", section: "RFC 5246 7.1", at: stepHello, send: before(ccsRecord), alert: AlertUnexpectedMessage,
		err: "a record of type ChangeCipherSpec came in the place of a handshake message"},
	{name: "data first", section: "RFC 5246 7.1", at: stepHello, send: before(dataRecord), alert: AlertUnexpectedMessage,
		err: "a record of type ApplicationData came in the place of a handshake message"},
	{name: "later record of TLS 1.2", section: "6.3.3.2", at: stepCertificate, send: record(func(r *rawRecord) { r.version = 0x0303 }),
		alert: AlertProtocolVersion, err: "a record has the version 0x0303"},
	{name: "later record of version 1.2", section: "6.3.3.2", at: stepCCS, send: record(func(r *rawRecord) { r.version = 0x0102 }),
		alert: AlertProtocolVersion, err: "a record has the version 0x0102"},
	{name: "protected record of TLS 1.2", section: "6.3.3.2", at: stepData, send: record(func(r *rawRecord) { r.version = 0x0303 }),
		alert: AlertProtocolVersion, err: "a record has the version 0x0303"},
	{name: "type 19", section: "6.3.3.2", at: stepCertificate, send: before(rawRecord{typ: 19, body: []byte{1}}), alert: AlertUnexpectedMessage,
		err: "unknown content type 19"},
	{name: "type 24, heartbeat", section: "6.3.3.2", at: stepCertificate, send: before(rawRecord{typ: 24, body: []byte{1, 0, 200}}),
		alert: AlertUnexpectedMessage, err: "unknown content type 24"},
	{name: "type 80, site to site", section: "6.3.3.2", at: stepData, send: before(rawRecord{typ: 80, body: []byte{1}}),
		alert: AlertUnexpectedMessage, err: "unknown content type 80"},
	{name: "type 255", section: "6.3.3.2", at: stepData, send: before(rawRecord{typ: 255, body: []byte{1}}), alert: AlertUnexpectedMessage,
		err: "unknown content type 255"},
	{name: "length of 16,385 in the clear", section: "6.3.3.2", at: stepHello, send: instead(onlyHeader(recordHandshake, maxPlaintext+1)),
		alert: AlertRecordOverflow, err: "a record is 16385 bytes long, more than 16384"},
	{name: "length of 65,535 in the clear", section: "6.3.3.2", at: stepCertificate, send: instead(onlyHeader(recordHandshake, 65535)),
		alert: AlertRecordOverflow, err: "a record is 65535 bytes long, more than 16384"},
	{name: "length of 18,433 protected", section: "6.3.3.4", at: stepData, send: instead(onlyHeader(recordApplicationData, maxPlaintext+maxExpansion+1)),
		alert: AlertRecordOverflow, err: "a record is 18433 bytes long, more than 18432"},
	{name: "length of 18,432 protected", section: "6.3.3.4", at: stepData,
		send:  instead(rawRecord{typ: recordApplicationData, clear: true, body: make([]byte, maxPlaintext+maxExpansion)}),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "data of 16,384 bytes", section: "6.3.3.2", at: stepData, send: dataOf(maxPlaintext)},
	{name: "data of 16,385 bytes", section: "6.3.3.2", at: stepData, send: dataOf(maxPlaintext + 1), alert: AlertRecordOverflow,
		err: "a record carries 16385 bytes, more than 16384"},
	{name: "message that claims 16 MiB", section: "6.4.5.1", at: stepHello, send: changed(func(msg []byte) []byte { msg[1] = 0xff; return msg }),
		alert: AlertIllegalParameter, err: "exceeds the limit of 65536 (Config.MaxHandshakeSize)"},
	{name: "message that claims a byte over the limit", section: "6.4.5.1", at: stepCertificate,
		send:  changed(func(msg []byte) []byte { msg[1], msg[2], msg[3] = 1, 0, 1; return msg }),
		alert: AlertIllegalParameter, err: "a Certificate message of 65537 bytes exceeds the limit"},
	{name: "empty handshake record first", section: "RFC 5246 6.2.1", at: stepHello, send: before(rawRecord{typ: recordHandshake}),
		alert: AlertUnexpectedMessage, err: "a record of type Handshake is empty"},
	{name: "empty handshake record later", section: "RFC 5246 6.2.1", at: stepCertificate, send: before(rawRecord{typ: recordHandshake}),
		alert: AlertUnexpectedMessage, err: "a record of type Handshake is empty"},
	{name: "empty handshake record, protected", section: "RFC 5246 6.2.1", at: stepFinished, send: before(rawRecord{typ: recordHandshake}),
		alert: AlertUnexpectedMessage, err: "a record of type Handshake is empty"},
	{name: "empty ChangeCipherSpec", section: "RFC 5246 6.2.1", at: stepCCS, send: changed(func([]byte) []byte { return nil }),
		alert: AlertUnexpectedMessage, err: "a record of type ChangeCipherSpec is empty"},
	{name: "empty data in the clear", section: "RFC 5246 6.2.1", at: stepCertificate, send: before(rawRecord{typ: recordApplicationData}),
		alert: AlertUnexpectedMessage, err: "a record of type ApplicationData came in the place of a handshake message"},
}

var orderCases = []conformanceCase{
	{name: "messages byte by byte", section: "6.3.3.2", at: stepAny, send: anySplit(1)},
	{name: "messages in fragments of three", section: "6.3.3.2", at: stepAny, send: anySplit(3)},
	{name: "messages in fragments of a hundred", section: "6.3.3.2", at: stepAny, send: anySplit(100)},
	{name: "flights in one record", section: "6.3.3.2", at: stepAny, send: coalesced},
	{name: "ChangeCipherSpec left out", section: "RFC 5246 7.1", at: stepCCS, send: instead(), alert: AlertUnexpectedMessage, err: handshakeNotCCS},
	{name: "ChangeCipherSpec of 2", section: "RFC 5246 7.1", at: stepCCS, send: changed(func([]byte) []byte { return []byte{2} }),
		alert: AlertDecodeError, err: "ChangeCipherSpec is not the single byte 1"},
	{name: "ChangeCipherSpec of 0", section: "RFC 5246 7.1", at: stepCCS, send: changed(func([]byte) []byte { return []byte{0} }),
		alert: AlertDecodeError, err: "ChangeCipherSpec is not the single byte 1"},
	{name: "ChangeCipherSpec of two bytes", section: "RFC 5246 7.1", at: stepCCS, send: changed(func([]byte) []byte { return []byte{1, 1} }),
		alert: AlertDecodeError, err: "ChangeCipherSpec is not the single byte 1"},
	{name: "ChangeCipherSpec twice, the second in the clear", section: "RFC 5246 7.1", at: stepCCS, send: twice, alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "ChangeCipherSpec twice, the second protected", section: "RFC 5246 7.1", at: stepFinished, send: before(ccsRecord),
		alert: AlertUnexpectedMessage, err: "a record of type ChangeCipherSpec came in the place of a handshake message"},
	{name: "ChangeCipherSpec before Certificate", section: "RFC 5246 7.1", at: stepCertificate, send: before(ccsRecord),
		alert: AlertUnexpectedMessage, err: "a record of type ChangeCipherSpec came in the place of a handshake message"},
	{name: "ChangeCipherSpec inside a message", section: "RFC 5246 7.1", at: stepCertificate,
		send: func(p *rawPeer, msg []byte) []rawRecord {
			r := fragments(len(msg)/2+1)(p, msg)
			return slices.Insert(r, 1, ccsRecord)
		}, alert: AlertUnexpectedMessage, err: "a record of type ChangeCipherSpec came in the place of a handshake message"},
	{name: "ChangeCipherSpec after the handshake", section: "RFC 5246 7.1", at: stepData, send: before(ccsRecord), alert: AlertUnexpectedMessage,
		err: "a record of type ChangeCipherSpec came after the handshake"},
	{name: "data inside a message", section: "RFC 5246 6.2.1", at: stepCertificate, send: func(p *rawPeer, msg []byte) []rawRecord {
		r := fragments(len(msg)/2+1)(p, msg)
		return slices.Insert(r, 1, dataRecord)
	}, alert: AlertUnexpectedMessage, err: "a record of type ApplicationData came in the place of a handshake message"},
	{name: "data before ChangeCipherSpec", section: "6.4.3", at: stepCCS, send: before(dataRecord), alert: AlertUnexpectedMessage,
		err: "a record of type ApplicationData came in the place of ChangeCipherSpec"},
	{name: "data before Finished", section: "6.4.3", at: stepFinished, send: before(dataRecord), alert: AlertUnexpectedMessage,
		err: "a record of type ApplicationData came in the place of a handshake message"},
	{name: "Finished before ChangeCipherSpec", section: "6.4.5.9", at: stepCCS, send: before(handshakeRecord(msgFinished, make([]byte, 12)...)),
		alert: AlertUnexpectedMessage, err: handshakeNotCCS},
	{name: "Finished in the clear", section: "6.4.5.9", at: stepFinished, send: record(func(r *rawRecord) { r.clear = true }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "Finished of zeros", section: "6.4.5.9", at: stepFinished, send: bodyIs(make([]byte, 12)...), alert: AlertDecryptError,
		err: "Finished does not match"},
	{name: "Finished with the first bit changed", section: "6.4.5.9", at: stepFinished, send: body(func(b []byte) []byte { b[0] ^= 0x80; return b }),
		alert: AlertDecryptError, err: "Finished does not match"},
	{name: "Finished with the last bit changed", section: "6.4.5.9", at: stepFinished, send: body(func(b []byte) []byte { b[11] ^= 1; return b }),
		alert: AlertDecryptError, err: "Finished does not match"},
	{name: "Finished of the other end", section: "6.4.5.9", at: stepFinished, send: func(p *rawPeer, _ []byte) []rawRecord {
		label := labelClient
		if p.isClient {
			label = labelServer
		}
		verify := p.keys.finished(label, p.transcriptHash())
		return right(p, rawMessage(msgFinished, verify[:]))
	}, alert: AlertDecryptError, err: "Finished does not match"},
	{name: "Finished over a changed transcript", section: "6.4.5.9", at: stepFinished, send: func(p *rawPeer, _ []byte) []rawRecord {
		p.transcript[10] ^= 1
		verify := p.keys.finished(map[bool]string{true: labelClient, false: labelServer}[p.isClient], p.transcriptHash())
		return right(p, rawMessage(msgFinished, verify[:]))
	}, alert: AlertDecryptError, err: "Finished does not match"},
	{name: "Finished without a body", section: "6.4.5.9", at: stepFinished, send: bodyIs(), alert: AlertDecodeError, err: "Finished has 0 bytes, want 12"},
	{name: "Finished cut off", section: "6.4.5.9", at: stepFinished, send: body(func(b []byte) []byte { return b[:11] }),
		alert: AlertDecodeError, err: "Finished has 11 bytes, want 12"},
	{name: "Finished of 36 bytes", section: "6.4.5.9", at: stepFinished, send: bodyIs(make([]byte, 36)...),
		alert: AlertDecodeError, err: "Finished has 36 bytes, want 12"},
	{name: "another message for Finished", section: "6.4.5.9", at: stepFinished, send: instead(handshakeRecord(msgCertificateVerify, 0, 0)),
		alert: AlertUnexpectedMessage, err: "got CertificateVerify (type 15), want Finished"},
	{name: "a message behind Finished", section: "6.4.5.9", at: stepFinished,
		send:  changed(func(msg []byte) []byte { return append(msg, msg...) }),
		alert: AlertUnexpectedMessage, err: "more handshake data follows Finished"},
	{name: "a byte behind Finished", section: "6.4.5.9", at: stepFinished, send: changed(func(msg []byte) []byte { return append(msg, 0) }),
		alert: AlertUnexpectedMessage, err: "more handshake data follows Finished"},
	{name: "Finished after the handshake", section: "6.4.3", at: stepData, send: before(handshakeRecord(msgFinished, make([]byte, 12)...)),
		alert: AlertUnexpectedMessage, err: "a record of type Handshake came after the handshake"},
	{name: "KeyUpdate after the handshake", section: "6.4.3", at: stepData, send: before(handshakeRecord(24, 0)), alert: AlertUnexpectedMessage,
		err: "a record of type Handshake came after the handshake"},
	{name: "empty handshake record after the handshake", section: "RFC 5246 6.2.1", at: stepData, send: before(rawRecord{typ: recordHandshake}),
		alert: AlertUnexpectedMessage, err: "a record of type Handshake is empty"},
}

// hangUpCases: the connection ends inside or between records, without an alert
// that could be believed.
func hangUpCases() (cases []conformanceCase) {
	for name, at := range map[string]step{"hello": stepHello, "Certificate": stepCertificate, "ChangeCipherSpec": stepCCS, "Finished": stepFinished} {
		for part, n := range map[string]int{"before": 0, "in the header of": 3, "in": recordHeaderLen} {
			cases = append(cases, conformanceCase{
				name: "end " + part + " " + name, section: "6.4.2.2", at: at, send: hangUpAfter(n), err: closedEarly,
			})
		}
	}
	return append(cases, conformanceCase{
		name: "end without close_notify", section: "6.4.2.2", at: stepData, send: hangUpAfter(0), err: "unexpected EOF",
	}, conformanceCase{
		name: "end in a record of data", section: "6.4.2.2", at: stepData, send: hangUpAfter(20), err: "unexpected EOF",
	})
}

// alertCases: what the peer says about an error.
func alertCases() []conformanceCase {
	cases := []conformanceCase{
		{name: "close_notify for a hello", section: "6.4.2.2", at: stepHello, send: instead(alertRecord(1, AlertCloseNotify)), err: closedEarly},
		{name: "close_notify for ChangeCipherSpec", section: "6.4.2.2", at: stepCCS, send: instead(alertRecord(1, AlertCloseNotify)), err: closedEarly},
		{name: "close_notify for Finished", section: "6.4.2.2", at: stepFinished, send: instead(alertRecord(1, AlertCloseNotify)), err: closedEarly},
		{name: "data after close_notify", section: "6.4.2.2", at: stepClose, send: after(dataRecord)},
		{name: "garbage after close_notify", section: "6.4.2.2", at: stepClose, send: after(rawRecord{wire: []byte("garbage")})},
		{name: "fatal close_notify", section: "6.4.2.2", at: stepClose, send: instead(alertRecord(2, AlertCloseNotify))},
		{name: "warnings", section: "6.4.2.1", at: stepCertificate,
			send: before(alertRecord(1, AlertUserCanceled), alertRecord(1, AlertNoRenegotiation), alertRecord(1, AlertError(250)))},
		{name: "sixteen warnings", section: "6.4.2.1", at: stepCertificate, send: before(repeated(maxUselessRecords, alertRecord(1, AlertUserCanceled))...)},
		{name: "seventeen warnings", section: "6.4.2.1", at: stepCertificate,
			send:  before(repeated(maxUselessRecords+1, alertRecord(1, AlertUserCanceled))...),
			alert: AlertUnexpectedMessage, err: "more than 16 empty records or warnings in a row"},
		{name: "seventeen warnings after the handshake", section: "6.4.2.1", at: stepData,
			send:  before(repeated(maxUselessRecords+1, alertRecord(1, AlertUserCanceled))...),
			alert: AlertUnexpectedMessage, err: "more than 16 empty records or warnings in a row"},
		{name: "sixteen empty records of data", section: "RFC 5246 6.2.1", at: stepData,
			send: before(repeated(maxUselessRecords, rawRecord{typ: recordApplicationData})...)},
		{name: "seventeen empty records of data", section: "RFC 5246 6.2.1", at: stepData,
			send:  before(repeated(maxUselessRecords+1, rawRecord{typ: recordApplicationData})...),
			alert: AlertUnexpectedMessage, err: "more than 16 empty records or warnings in a row"},
		{name: "unknown level", section: "6.4.2.1", at: stepHello, send: instead(alertRecord(3, AlertHandshakeFailure)),
			alert: AlertIllegalParameter, err: "an alert has the unknown level 3"},
		{name: "unknown level, protected", section: "6.4.2.1", at: stepData, send: instead(alertRecord(0, AlertHandshakeFailure)),
			alert: AlertIllegalParameter, err: "an alert has the unknown level 0"},
		{name: "empty alert", section: "RFC 5246 6.2.1", at: stepHello, send: instead(rawRecord{typ: recordAlert}),
			alert: AlertDecodeError, err: "an alert record is 0 bytes long"},
		{name: "half an alert", section: "6.4.2.1", at: stepCertificate, send: instead(rawRecord{typ: recordAlert, body: []byte{2}}),
			alert: AlertDecodeError, err: "an alert record is 1 bytes long"},
		{name: "two alerts in a record", section: "6.4.2.1", at: stepData, send: instead(rawRecord{typ: recordAlert, body: []byte{1, 90, 1, 90}}),
			alert: AlertDecodeError, err: "an alert record is 4 bytes long"},
		{name: "close_notify in the clear after the handshake", section: "6.3.3.4", at: stepData,
			send:  instead(rawRecord{typ: recordAlert, body: []byte{1, 0}, clear: true}),
			alert: AlertBadRecordMAC, err: notAuthentic},
		{name: "fatal alert in the clear after the handshake", section: "6.3.3.4", at: stepData,
			send:  instead(rawRecord{typ: recordAlert, body: []byte{2, 40}, clear: true}),
			alert: AlertBadRecordMAC, err: notAuthentic},
	}
	for _, at := range []step{stepHello, stepCertificate, stepCCS, stepFinished, stepData} {
		for _, alert := range []AlertError{AlertHandshakeFailure, AlertInternalError, AlertUnsupportedSite2Site, AlertIdentityNeed, AlertError(99)} {
			cases = append(cases, conformanceCase{
				name: fmt.Sprintf("fatal %s at step %d", alert.name(), at), section: "6.4.2.3", at: at,
				send: instead(alertRecord(2, alert)), remote: alert, err: alert.Error(),
			})
		}
	}
	return cases
}

// protectionCases hold for both kinds of suites.
var protectionCases = []conformanceCase{
	{name: "correct", section: "6.3.3.4"},
	{name: "Finished with the first bit changed", section: "6.3.3.4", at: stepFinished,
		send:  tampered(func(b []byte) []byte { b[0] ^= 0x80; return b }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "Finished with the last bit changed", section: "6.3.3.4", at: stepFinished,
		send:  tampered(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "data with the first bit changed", section: "6.3.3.4", at: stepData, send: tampered(func(b []byte) []byte { b[0] ^= 0x80; return b }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "data with a bit in the middle changed", section: "6.3.3.4", at: stepData, send: tampered(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "data with the last bit changed", section: "6.3.3.4", at: stepData, send: tampered(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "body of zero bytes", section: "6.3.3.4", at: stepData, send: tampered(func([]byte) []byte { return nil }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "body of eight bytes", section: "6.3.3.4", at: stepData, send: tampered(func(b []byte) []byte { return b[:8] }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "body of sixteen bytes", section: "6.3.3.4", at: stepData, send: tampered(func(b []byte) []byte { return b[:16] }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "body a byte short", section: "6.3.3.4", at: stepData, send: tampered(func(b []byte) []byte { return b[:len(b)-1] }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "body a block long", section: "6.3.3.4", at: stepData, send: tampered(func(b []byte) []byte { return append(b, make([]byte, 16)...) }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "body of random bytes", section: "6.3.3.4", at: stepData, send: tampered(func([]byte) []byte { return randomBytes(160) }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "data in the clear", section: "6.3.3.4", at: stepData, send: record(func(r *rawRecord) { r.clear = true }),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "record left out", section: "6.3.3.4", at: stepData, send: renumbered(1), alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "sequence number far ahead", section: "6.3.3.4", at: stepData, send: renumbered(1 << 32), alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "record replayed", section: "6.3.3.4", at: stepData, send: replayed, alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "sequence number not set back by ChangeCipherSpec", section: "6.3.3.4", at: stepFinished, send: renumbered(5),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "data relabelled as handshake", section: "6.3.3.4", at: stepData, send: retyped(recordHandshake), alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "data relabelled as an alert", section: "6.3.3.4", at: stepData, send: retyped(recordAlert), alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "Finished relabelled as data", section: "6.3.3.4", at: stepFinished, send: retyped(recordApplicationData),
		alert: AlertBadRecordMAC, err: notAuthentic},
}

var paddingCases = []conformanceCase{
	{name: "padding of one byte", section: "6.3.3.4", at: stepData, send: sealedCBC(paddingOf(1), false)},
	{name: "padding of sixteen bytes", section: "6.3.3.4", at: stepData, send: sealedCBC(paddingOf(16), false)},
	{name: "padding of 256 bytes", section: "6.3.3.4", at: stepData, send: sealedCBC(paddingOf(256), false)},
	{name: "padding with its first byte wrong", section: "6.3.3.4", at: stepData,
		send: sealedCBC(append([]byte{0}, paddingOf(16)[1:]...), false), alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "padding of 256 bytes with its first byte wrong", section: "6.3.3.4", at: stepData,
		send: sealedCBC(append([]byte{0}, paddingOf(256)[1:]...), false), alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "padding as in SSL 3.0", section: "6.3.3.4", at: stepData, send: sealedCBC(append(make([]byte, 15), 15), false),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "padding longer than the record", section: "6.3.3.4", at: stepData, send: sealedCBC(bytes.Repeat([]byte{255}, 16), false),
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "MAC wrong", section: "6.3.3.4", at: stepData, send: sealedCBC(paddingOf(16), true), alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "MAC and padding wrong", section: "6.3.3.4", at: stepData, send: sealedCBC(append(make([]byte, 15), 15), true),
		alert: AlertBadRecordMAC, err: notAuthentic},
}

// resumedCases hold for both ends of a resumed connection.
var resumedCases = []conformanceCase{
	{name: "correct", section: "6.4.4"},
	{name: "Finished wrong", section: "6.4.5.9", at: stepFinished, send: body(func(b []byte) []byte { b[0] ^= 1; return b }),
		alert: AlertDecryptError, err: "Finished does not match"},
	{name: "ChangeCipherSpec left out", section: "RFC 5246 7.1", at: stepCCS, send: instead(), alert: AlertUnexpectedMessage, err: handshakeNotCCS},
	{name: "ClientKeyExchange before ChangeCipherSpec", section: "6.4.4", at: stepCCS, send: before(handshakeRecord(msgClientKeyExchange, 0, 1, 1)),
		alert: AlertUnexpectedMessage, err: handshakeNotCCS},
	{name: "Certificate before ChangeCipherSpec", section: "6.4.4", at: stepCCS, send: before(handshakeRecord(msgCertificate, 0, 0, 0)),
		alert: AlertUnexpectedMessage, err: handshakeNotCCS},
	{name: "data before Finished", section: "6.4.4", at: stepFinished, send: before(dataRecord), alert: AlertUnexpectedMessage,
		err: "a record of type ApplicationData came in the place of a handshake message"},
	{name: "other version", section: "6.4.4", at: stepHello, send: hello(func(h *rawHello) { h.version = 0x0303 }),
		alert: AlertProtocolVersion, err: "the version 0x0303"},
}

func TestRecordConformance(t *testing.T) {
	for _, isClient := range []bool{false, true} {
		both := func(name string, cases []conformanceCase) {
			t.Run(name, func(t *testing.T) { runConformance(t, cases, isClient) })
		}
		both("headers", headerCases)
		both("order", orderCases)
		both("ends", hangUpCases())
		both("alerts", alertCases())
		both("GCM", protectionCases)
		both("CBC", withSuite(ECC_SM4_CBC_SM3, protectionCases))
		both("padding", withSuite(ECC_SM4_CBC_SM3, paddingCases))
		both("resumed", resumed(resumedCases))
	}
}

// Renegotiation, and resumption with another suite, are for one end only.

var serverOnlyCases = []conformanceCase{
	{name: "ClientHello after the handshake", section: "RFC 5246 7.2.2", at: stepData, send: before(handshakeRecord(msgClientHello, make([]byte, 50)...)),
		alert: AlertNoRenegotiation, err: "the peer asked for a renegotiation, which is refused"},
	{name: "HelloRequest by a client after the handshake", section: "6.4.5.1", at: stepData, send: before(handshakeRecord(msgHelloRequest)),
		alert: AlertUnexpectedMessage, err: "a record of type Handshake came after the handshake"},
}

var clientOnlyCases = []conformanceCase{
	{name: "HelloRequest after the handshake", section: "RFC 5246 7.2.2", at: stepData, send: before(handshakeRecord(msgHelloRequest)),
		alert: AlertNoRenegotiation, err: "the peer asked for a renegotiation, which is refused"},
	{name: "ServerHello after the handshake", section: "6.4.3", at: stepData, send: before(handshakeRecord(msgServerHello, make([]byte, 38)...)),
		alert: AlertUnexpectedMessage, err: "a record of type Handshake came after the handshake"},
	{name: "flood of HelloRequest", section: "6.4.5.1", at: stepHello,
		send: before(repeated(maxUselessRecords+1,
			rawRecord{typ: recordHandshake, hidden: true, body: rawMessage(msgHelloRequest, nil)})...),
		alert: AlertUnexpectedMessage, err: "too many HelloRequest messages"},
	{name: "HelloRequest inside another message", section: "6.4.5.1", at: stepCertificate,
		send: func(p *rawPeer, msg []byte) []rawRecord {
			return slices.Insert(fragments(len(msg)/2+1)(p, msg), 1, handshakeRecord(msgHelloRequest))
		}, alert: AlertDecodeError, err: "Certificate is malformed"},
}

var resumedByServerCases = []conformanceCase{
	{name: "other master secret", section: "6.4.4", setup: func(_ *Config, p *rawPeer) { p.session.master[0] ^= 1 },
		alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "another suite", section: "6.4.4", at: stepHello, send: hello(func(h *rawHello) { h.suites = suiteBytes(ECC_SM4_CBC_SM3) }),
		setup: func(own *Config, _ *rawPeer) { own.CipherSuites = []uint16{ECC_SM4_GCM_SM3, ECC_SM4_CBC_SM3} },
		alert: AlertIllegalParameter, err: "the server resumed a session with another suite"},
	{name: "refused", section: "6.4.4", setup: func(_ *Config, p *rawPeer) { p.session = nil }},
	{name: "Finished before ServerHello", section: "6.4.4", at: stepHello, send: instead(handshakeRecord(msgFinished, make([]byte, 12)...)),
		alert: AlertUnexpectedMessage, err: "got Finished (type 20), want ServerHello"},
}

var resumedByClientCases = []conformanceCase{
	{name: "without the master secret", section: "6.4.4", at: stepHello,
		send: after(ccsRecord, rawRecord{typ: recordHandshake, body: make([]byte, 40), hidden: true}), alert: AlertBadRecordMAC, err: notAuthentic},
	{name: "another suite makes a new session", section: "6.4.4", suite: 0, setup: func(own *Config, p *rawPeer) {
		own.CipherSuites, p.suite = []uint16{ECC_SM4_CBC_SM3}, suiteByID(ECC_SM4_CBC_SM3)
	}},
	{name: "another name makes a new session", section: "6.4.4", at: stepHello, send: extensions(appendServerName(nil, "other.test"))},
	{name: "another policy makes a new session", section: "6.4.4", setup: noClientCert},
}

func resumed(cases []conformanceCase) []conformanceCase {
	cases = slices.Clone(cases)
	for i := range cases {
		cases[i].resume = true
	}
	return cases
}

func TestOneSidedConformance(t *testing.T) {
	t.Run("server", func(t *testing.T) { runConformance(t, serverOnlyCases, false) })
	t.Run("client", func(t *testing.T) { runConformance(t, clientOnlyCases, true) })
	t.Run("resumed by the client", func(t *testing.T) { runConformance(t, resumed(resumedByClientCases), false) })
	t.Run("resumed by the server", func(t *testing.T) { runConformance(t, resumed(resumedByServerCases), true) })
}
