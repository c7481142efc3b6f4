// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

// A rawPeer13 is a rawPeer for TLS 1.3: it plays one end by hand and at one step
// does what a test case says. It shares with the code under test how messages
// are written and keys derived, which connections with other stacks check, and
// nothing of how messages are read.
type rawPeer13 struct {
	conn     net.Conn
	isClient bool
	suite    *suite
	cert     Certificate
	session  *session // to be resumed, as a client; nil: full handshake
	at       step
	change   action13
	retry    bool // as a server: sends a HelloRetryRequest; as a client: no key share at first
	ask      bool // as a server: asks for a certificate
	noCert   bool // as a client: sends an empty Certificate
	setHello func(*clientHello13)
	groups   []CurveID

	step       step
	data       []byte // to come back
	serverMsg  serverHello13
	schedule   keySchedule13
	keys       *clientKeys
	secrets    [2][]byte // of the client's and of the server's traffic at present
	transcript []byte
	in, out    *aeadCipher
	inSeq      uint64
	outSeq     uint64
	hand       []byte
	asked      bool
	alerts     [][2]byte
	protected  bool
	err        error
}

// Further steps, of TLS 1.3.
const (
	stepRetry step = 100 + iota // HelloRetryRequest, or the second ClientHello
	stepExtensions
)

type action13 func(p *rawPeer13, msg []byte) []rawRecord

func (p *rawPeer13) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("raw peer: "+format, args...)
	}
}

func (p *rawPeer13) run() {
	p.groups = []CurveID{CurveSM2}
	if p.isClient {
		p.runClient()
	} else {
		p.runServer()
	}
	p.data = []byte("ping")
	p.send(stepData, recordApplicationData, p.data)
	for got := 0; p.err == nil && got < len(p.data); {
		typ, body := p.record()
		if p.err == nil && typ != recordApplicationData && typ != recordHandshake {
			p.fail("a record of type %d in the place of data", typ)
		}
		if typ == recordApplicationData {
			got += len(body)
		} else if p.err == nil && body[0] == msgKeyUpdate {
			p.nextReadKey()
		}
	}
	p.send(stepClose, recordAlert, []byte{alertLevelWarning, byte(AlertCloseNotify)})
	failure := p.err
	for p.err == nil || p.err == errAlerted {
		p.err = nil
		p.record()
	}
	if p.err == io.EOF {
		p.err = failure
	}
}

func (p *rawPeer13) send(at step, typ uint8, msg []byte) {
	if p.err != nil {
		return
	}
	p.step = at
	records := []rawRecord{{typ: typ, body: msg}}
	if p.change != nil && p.at == at {
		records = p.change(p, msg)
	}
	for _, r := range records {
		p.write(r)
	}
}

func (p *rawPeer13) write(r rawRecord) {
	if p.err != nil {
		return
	}
	if r.wire != nil {
		_, p.err = p.conn.Write(r.wire)
		return
	}
	body, outer := r.body, r.typ
	if r.typ == recordHandshake && !r.hidden {
		p.transcript = append(p.transcript, body...)
	}
	if p.out != nil && !r.clear && r.typ != recordChangeCipherSpec {
		body, outer = p.seal(append(bytes.Clone(body), r.typ)), recordApplicationData
	}
	if r.tamper != nil {
		body = r.tamper(body)
	}
	_, p.err = p.conn.Write(rawWire(outer, 0x0303, len(body), body))
}

// seal protects contents, type and padding as they are.
func (p *rawPeer13) seal(inner []byte) []byte {
	p.out.prepare(p.outSeq, len(inner)+aeadTagLen)
	p.outSeq++
	return p.out.aead.Seal(nil, p.out.nonce[:], inner, p.out.aad[:])
}

// record reads one record that is neither an alert nor a ChangeCipherSpec.
func (p *rawPeer13) record() (typ uint8, body []byte) {
	for p.err == nil {
		header := make([]byte, recordHeaderLen)
		if _, p.err = io.ReadFull(p.conn, header); p.err != nil {
			return 0, nil
		}
		body = make([]byte, binary.BigEndian.Uint16(header[3:]))
		if _, p.err = io.ReadFull(p.conn, body); p.err != nil {
			return 0, nil
		}
		typ = header[0]
		if header[1] != 3 {
			p.fail("got a record of version %x", header[1:3])
			return 0, nil
		}
		protected := typ == recordApplicationData
		if protected {
			inner, ok := []byte(nil), false
			if p.in != nil {
				inner, ok = p.in.open(p.inSeq, typ, body)
			}
			if !ok {
				p.fail("got a record that does not open")
				return 0, nil
			}
			p.inSeq++
			typ, body = inner[len(inner)-1], inner[:len(inner)-1]
		}
		switch typ {
		case recordChangeCipherSpec:
		case recordAlert:
			p.alerts, p.protected, p.err = append(p.alerts, [2]byte(body)), protected, errAlerted
			return 0, nil
		default:
			return typ, body
		}
	}
	return 0, nil
}

func (p *rawPeer13) message(types ...uint8) (typ uint8, body []byte) {
	for p.err == nil {
		if len(p.hand) >= handshakeHdrLen {
			n := handshakeHdrLen + int(binary.BigEndian.Uint32(p.hand)&0xffffff)
			if len(p.hand) >= n {
				msg := p.hand[:n]
				p.hand = p.hand[n:]
				p.transcript = append(p.transcript, msg...)
				if !slices.Contains(types, msg[0]) {
					p.fail("got %s, want %v", handshakeTypeName(msg[0]), types)
				}
				return msg[0], msg[handshakeHdrLen:]
			}
		}
		typ, body := p.record()
		if p.err == nil && typ != recordHandshake {
			p.fail("a record of type %d in the place of a message", typ)
		}
		p.hand = append(p.hand, body...)
	}
	return 0, nil
}

func (p *rawPeer13) transcriptHash() []byte {
	sum := sm3.Sum(p.transcript)
	return sum[:]
}

func (p *rawPeer13) cipher(secret []byte) *aeadCipher {
	c, err := trafficCipher(p.suite, secret)
	if err != nil {
		p.fail("%v", err)
		return nil
	}
	return c.(*aeadCipher)
}

// setKeys changes both directions to the keys of these secrets.
func (p *rawPeer13) setKeys(client, server []byte) {
	p.setWrite(client, server)
	p.setRead(client, server)
}

func (p *rawPeer13) setWrite(client, server []byte) {
	own := 1
	if p.isClient {
		own = 0
	}
	p.secrets[own] = [][]byte{client, server}[own]
	p.out, p.outSeq = p.cipher(p.secrets[own]), 0
}

func (p *rawPeer13) setRead(client, server []byte) {
	other := 0
	if p.isClient {
		other = 1
	}
	p.secrets[other] = [][]byte{client, server}[other]
	p.in, p.inSeq = p.cipher(p.secrets[other]), 0
}

// nextWriteKey and nextReadKey follow a KeyUpdate.
func (p *rawPeer13) nextWriteKey() {
	next := [2][]byte{nextTrafficSecret(p.secrets[0]), nextTrafficSecret(p.secrets[1])}
	p.setWrite(next[0], next[1])
}

func (p *rawPeer13) nextReadKey() {
	next := [2][]byte{nextTrafficSecret(p.secrets[0]), nextTrafficSecret(p.secrets[1])}
	p.setRead(next[0], next[1])
}

func (p *rawPeer13) handshakeKeys(shared []byte) (client, server []byte) {
	p.schedule.advance(shared)
	hash := p.transcriptHash()
	return p.schedule.derive(labelClientHandshake, hash), p.schedule.derive(labelServerHandshake, hash)
}

func (p *rawPeer13) trafficKeys() (client, server []byte) {
	p.schedule.advance(nil)
	hash := p.transcriptHash()
	return p.schedule.derive(labelClientTraffic, hash), p.schedule.derive(labelServerTraffic, hash)
}

// sign signs the transcript as of now for a CertificateVerify.
func (p *rawPeer13) sign(uid []byte, context string) []byte {
	key := p.cert.PrivateKey.(*sm2.PrivateKey)
	digest, err := sm2.CalculateSM2Hash(&key.PublicKey, verifyContent(context, p.transcriptHash()), uid)
	if err != nil {
		p.fail("%v", err)
		return nil
	}
	sig, err := key.Sign(rand.Reader, digest, crypto.Hash(0))
	if err != nil {
		p.fail("%v", err)
	}
	return sig
}

func (p *rawPeer13) context() string {
	if p.isClient {
		return contextClientVerify
	}
	return contextServerVerify
}

func (p *rawPeer13) sendIdentity() {
	certs := p.cert.single()
	if p.noCert {
		certs = nil
	}
	p.send(stepCertificate, recordHandshake, appendCertificate13(nil, certs))
	if !p.noCert {
		p.send(stepVerify, recordHandshake, appendCertificateVerify13(nil, p.sign(signatureID, p.context())))
	}
}

func (p *rawPeer13) runServer() {
	_, body := p.message(msgClientHello)
	if p.err != nil {
		return
	}
	hello, err := parseClientHello13(body)
	if err != nil {
		p.fail("%v", err)
		return
	}
	p.schedule.start(nil)
	if p.retry {
		sum := p.transcriptHash()
		p.transcript = append([]byte{msgMessageHash, 0, 0, sm3.Size}, sum...)
		p.send(stepRetry, recordHandshake, appendServerHello13(nil, &serverHello13{
			random: retryRandom[:], sessionID: hello.sessionID, suite: p.suite.id, share: keyShare{group: CurveSM2},
		}))
		if _, body = p.message(msgClientHello); p.err != nil {
			return
		}
		if hello, err = parseClientHello13(body); err != nil {
			p.fail("%v", err)
			return
		}
	}
	shared, own, err := answerShare(rand.Reader, hello.shares[0])
	if err != nil {
		p.fail("%v", err)
		return
	}
	p.serverMsg = serverHello13{random: bytes.Repeat([]byte{9}, randomLen), sessionID: hello.sessionID, suite: p.suite.id, share: own}
	p.send(stepHello, recordHandshake, appendServerHello13(nil, &p.serverMsg))
	p.send(stepCCS, recordChangeCipherSpec, []byte{1})
	client, server := p.handshakeKeys(shared)
	p.setKeys(client, server)
	p.send(stepExtensions, recordHandshake, appendEncryptedExtensions(nil, ""))
	if p.ask {
		p.send(stepRequest, recordHandshake, appendCertificateRequest13(nil, nil))
	}
	p.sendIdentity()
	p.send(stepFinished, recordHandshake, rawMessage(msgFinished, finishedMAC(server, p.transcriptHash())))
	appClient, appServer := p.trafficKeys()
	p.setWrite(appClient, appServer)
	if p.ask {
		_, body := p.message(msgCertificate)
		if len(body) > 4 {
			p.message(msgCertificateVerify)
		}
	}
	want := finishedMAC(client, p.transcriptHash())
	if _, body := p.message(msgFinished); p.err == nil && !bytes.Equal(body, want) {
		p.fail("got a wrong Finished")
	}
	p.setRead(appClient, appServer)
}

func (p *rawPeer13) runClient() {
	var err error
	var shares []keyShare
	if p.keys, shares, err = newClientKeys(rand.Reader, CurveSM2, p.groups); err != nil {
		p.fail("%v", err)
		return
	}
	hello := &clientHello13{
		clientHello: clientHello{random: bytes.Repeat([]byte{8}, randomLen), sessionID: bytes.Repeat([]byte{7}, 32), suites: []uint16{p.suite.id}},
		groups:      p.groups, schemes: []uint16{schemeSM2SM3}, shares: shares,
	}
	if p.session != nil {
		hello.identities, hello.binders = []pskIdentity{{p.session.id, 0}}, [][]byte{make([]byte, secretLen)}
	}
	if p.retry {
		hello.shares = nil
	}
	if p.setHello != nil {
		p.setHello(hello)
	}
	p.send(stepHello, recordHandshake, p.helloMessage(hello))
	if p.retry {
		sum := p.transcriptHash()
		p.transcript = append([]byte{msgMessageHash, 0, 0, sm3.Size}, sum...)
		p.message(msgServerHello)
		hello.shares = shares
		p.send(stepRetry, recordHandshake, p.helloMessage(hello))
	}
	_, body := p.message(msgServerHello)
	if p.err != nil {
		return
	}
	answer, err := parseServerHello13(body)
	if err != nil {
		p.fail("%v", err)
		return
	}
	if answer.resumed {
		p.schedule.start(p.session.psk())
	} else {
		p.schedule.start(nil)
	}
	shared, err := p.keys.sharedSecret(answer.share)
	if err != nil {
		p.fail("%v", err)
		return
	}
	client, server := p.handshakeKeys(shared)
	p.setRead(client, server)
	p.send(stepCCS, recordChangeCipherSpec, []byte{1})
	p.setWrite(client, server)
	p.message(msgEncryptedExts)
	for !answer.resumed && p.err == nil {
		typ, _ := p.message(msgCertificateRequest, msgCertificate, msgCertificateVerify)
		p.asked = p.asked || typ == msgCertificateRequest
		if typ == msgCertificateVerify {
			break
		}
	}
	p.message(msgFinished)
	if p.err != nil {
		return
	}
	appClient, appServer := p.trafficKeys()
	p.setRead(appClient, appServer)
	if p.asked {
		p.sendIdentity()
	}
	p.send(stepFinished, recordHandshake, rawMessage(msgFinished, finishedMAC(client, p.transcriptHash())))
	p.setWrite(appClient, appServer)
}

// helloMessage returns the message with the binder filled in.
func (p *rawPeer13) helloMessage(hello *clientHello13) []byte {
	msg := appendClientHello13(nil, hello)
	if p.session != nil && len(hello.binders) > 0 {
		truncated := msg[:len(msg)-hello.bindersLen]
		h := handshake13{handshake: &handshake{transcript: newSM3()}}
		h.transcript.Write(p.transcript)
		copy(msg[len(truncated)+3:], h.binder(p.session.psk(), truncated))
	}
	return msg
}

// conformance13 is a case of a table: see conformanceCase. References are to RFC
// 8446 unless they name another.
type conformance13 struct {
	name    string
	section string
	at      step
	send    action13
	alert   AlertError
	err     string
	remote  AlertError
	setup   func(own *Config, p *rawPeer13)
	resume  bool
}

// runConformance13 runs the table against one end.
func runConformance13(t *testing.T, table []conformance13, isClient bool) {
	t.Helper()
	checkGoroutines(t)
	client, server := testConfigs13(t)
	seen := make(map[string]bool)
	for _, test := range table {
		if seen[test.name] || test.section == "" {
			t.Fatalf("%s is there twice or has no section", test.name)
		}
		seen[test.name] = true
		t.Run(test.name, func(t *testing.T) {
			config, peerCert := server.Clone(), client.Certificates[0]
			if isClient {
				config, peerCert = client.Clone(), server.Certificates[0]
			}
			config.CipherSuites = []uint16{TLS_SM4_GCM_SM3}
			config.ServerSessionCache = NewLRUServerSessionCache(2)
			config.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(2)}
			p := &rawPeer13{isClient: !isClient, suite: suiteByID(TLS_SM4_GCM_SM3), cert: peerCert, at: test.at, change: test.send}
			if test.resume && isClient {
				mate := server.Clone()
				mate.ServerSessionCache = config.ServerSessionCache
				mustShake(t, config, mate)
			} else if test.resume {
				mate := client.Clone()
				mate.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(2)}
				mustShake(t, mate, config)
				state, _ := mate.ClientSessionCache.Get("")
				p.session = state.session
			}
			if test.setup != nil {
				test.setup(config, p)
			}
			err := p.meet(t, config)
			test.check(t, p, err)
		})
	}
}

func (p *rawPeer13) meet(t *testing.T, config *Config) error {
	t.Helper()
	c, s := tcpPair(t)
	own, raw := c, s
	end := Client(c, config)
	if p.isClient {
		own, raw = s, c
		end = Server(s, config)
	}
	deadline := time.Now().Add(conformanceDeadline)
	own.SetDeadline(deadline)
	raw.SetDeadline(deadline)
	p.conn = raw
	done := make(chan error, 1)
	go func() {
		err := end.Handshake()
		if err == nil {
			if _, err = io.Copy(struct{ io.Writer }{end}, struct{ io.Reader }{end}); err == nil {
				err = end.CloseWrite()
			}
		}
		own.(*net.TCPConn).CloseWrite()
		done <- err
	}()
	p.run()
	err := <-done
	own.Close()
	raw.Close()
	return err
}

func (test conformance13) check(t *testing.T, p *rawPeer13, err error) {
	t.Helper()
	if test.err == "" && test.remote == 0 {
		if err != nil || p.err != nil {
			t.Errorf("%s: got %v; the peer says %v; want success", test.section, err, p.err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), test.err) {
		t.Errorf("%s: got error %v, want %q (peer: %v)", test.section, err, test.err, p.err)
	}
	if test.remote != 0 {
		wantAlert(t, err, "remote error", test.remote)
	}
	if test.alert == 0 {
		if len(p.alerts) != 0 {
			t.Errorf("%s: alerts %v, want none", test.section, p.alerts)
		}
		return
	}
	wantAlert(t, err, "local error", test.alert)
	if want := [][2]byte{{alertLevelFatal, byte(test.alert)}}; fmt.Sprint(p.alerts) != fmt.Sprint(want) {
		t.Errorf("%s: alerts %v, want %v (peer: %v)", test.section, p.alerts, want, p.err)
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		t.Errorf("%s: the error is about the connection: %v", test.section, err)
	}
}

// What test cases send.

func (p *rawPeer13) typeOf() uint8 {
	switch p.step {
	case stepCCS:
		return recordChangeCipherSpec
	case stepData:
		return recordApplicationData
	case stepClose:
		return recordAlert
	}
	return recordHandshake
}

func right13(p *rawPeer13, msg []byte) []rawRecord { return []rawRecord{{typ: p.typeOf(), body: msg}} }

func instead13(records ...rawRecord) action13 {
	return func(*rawPeer13, []byte) []rawRecord { return records }
}

func before13(records ...rawRecord) action13 {
	return func(p *rawPeer13, msg []byte) []rawRecord { return append(slices.Clone(records), right13(p, msg)...) }
}

func after13(records ...rawRecord) action13 {
	return func(p *rawPeer13, msg []byte) []rawRecord { return append(right13(p, msg), records...) }
}

// joined13 sends the message and more in one record; the peer's keys are without
// that.
func joined13(more ...byte) action13 {
	return func(p *rawPeer13, msg []byte) []rawRecord {
		p.transcript = append(p.transcript, msg...)
		return []rawRecord{{typ: p.typeOf(), body: append(bytes.Clone(msg), more...), hidden: true}}
	}
}

func changed13(change func(msg []byte) []byte) action13 {
	return func(p *rawPeer13, msg []byte) []rawRecord {
		return []rawRecord{{typ: p.typeOf(), body: change(bytes.Clone(msg))}}
	}
}

func body13(change func(b []byte) []byte) action13 {
	return changed13(func(msg []byte) []byte { return rawMessage(msg[0], change(msg[handshakeHdrLen:])) })
}

func bodyIs13(b ...byte) action13 { return body13(func([]byte) []byte { return b }) }

// inner13 sends the record with contents, type and padding as they are given.
func inner13(make func(p *rawPeer13, msg []byte) []byte) action13 {
	return func(p *rawPeer13, msg []byte) []rawRecord {
		if p.step != stepData {
			p.transcript = append(p.transcript, msg...)
		}
		sealed := p.seal(make(p, msg))
		return []rawRecord{{wire: rawWire(recordApplicationData, 0x0303, len(sealed), sealed)}}
	}
}

// extension13 changes the extension of the type in the message of a hello, or
// removes it where change returns nil.
func extension13(at int, typ uint16, change func(ext []byte) []byte) action13 {
	return body13(func(b []byte) []byte {
		start := b[:at]
		list := b[at+2:]
		var out []byte
		found := false
		for len(list) > 0 {
			n := 4 + int(binary.BigEndian.Uint16(list[2:]))
			entry := list[:n]
			list = list[n:]
			if binary.BigEndian.Uint16(entry) == typ {
				found = true
				changed := change(entry[4:])
				if changed == nil {
					continue
				}
				entry = ext(typ, changed...)
			}
			out = append(out, entry...)
		}
		if !found {
			panic("the extension is not there")
		}
		return appendVector16(bytes.Clone(start), out)
	})
}

// more13 appends extensions to the list of extensions that begins at the offset.
func more13(at int, entries ...[]byte) action13 {
	return body13(func(b []byte) []byte {
		return appendVector16(bytes.Clone(b[:at]), append(bytes.Clone(b[at+2:]), bytes.Join(entries, nil)...))
	})
}
