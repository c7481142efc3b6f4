// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// A rawPeer plays one end of a handshake by hand, message by message, with
// its own state and order. At one step it does what a test case says instead
// of the right thing. It shares with the code under test how messages are
// written and keys derived, which known answers and other stacks check
// elsewhere, and nothing of how messages are read.

// step is a point at which a rawPeer sends something.
type step int

const (
	stepAny step = iota // each one
	stepHello
	stepCertificate
	stepServerKeys
	stepRequest
	stepDone
	stepClientKeys
	stepVerify
	stepCCS
	stepFinished
	stepData
	stepClose
)

// rawRecord is one record to send.
type rawRecord struct {
	typ     uint8
	body    []byte
	version uint16                     // 0: TLCP's
	clear   bool                       // sent without protection even where it is due
	hidden  bool                       // left out of the transcript
	held    bool                       // kept back, to go in front of the next handshake record's body
	tamper  func(sealed []byte) []byte // changes the body after protection
	wire    []byte                     // if not nil, sent as it is instead of all that
}

// action returns what is sent in the place of msg, which belongs to p.at.
type action func(p *rawPeer, msg []byte) []rawRecord

// rawSession is what a rawPeer keeps of a connection in order to resume it.
type rawSession struct {
	id     []byte
	master [masterLen]byte
}

type rawPeer struct {
	conn     net.Conn
	isClient bool
	suite    *suite
	cert     Certificate
	roots    *smx509.CertPool // named in CertificateRequest
	session  *rawSession      // to be resumed; nil: full handshake
	at       step
	change   action
	noCert   bool // as a client: sends an empty Certificate
	noAsk    bool // as a server: sends no CertificateRequest

	t          testing.TB
	step       step   // at present
	data       []byte // to come back
	hello      rawHello
	keys       keySchedule
	random     [2][]byte // the client's, the server's
	id         []byte    // of the session being made
	transcript []byte
	in, out    recordCipher
	inSeq      uint64
	outSeq     uint64
	held, hand []byte
	asked      bool
	alerts     [][2]byte // received: level and description
	protected  bool      // the last alert was
	err        error     // ends everything
}

var errAlerted = errors.New("got an alert")

// run plays the whole connection and waits for its end.
func (p *rawPeer) run() {
	p.random = [2][]byte{make([]byte, randomLen), make([]byte, randomLen)}
	own := p.random[1]
	if p.isClient {
		own = p.random[0]
	}
	rand.Read(own)
	if p.isClient {
		p.runClient()
	} else {
		p.runServer()
	}
	p.talk()
	p.drain()
}

// talk sends data, expects it back, and closes.
func (p *rawPeer) talk() {
	p.data = []byte("ping")
	p.send(stepData, recordApplicationData, p.data)
	var got []byte
	for p.err == nil && len(got) < len(p.data) {
		typ, body := p.record()
		if p.err == nil && typ != recordApplicationData {
			p.fail("a record of type %d in the place of data", typ)
		}
		got = append(got, body...)
	}
	if p.err == nil && !bytes.Equal(got, p.data) {
		p.fail("got other data back")
	}
	p.send(stepClose, recordAlert, []byte{alertLevelWarning, byte(AlertCloseNotify)})
}

// drain reads what is left, for alerts.
func (p *rawPeer) drain() {
	failure := p.err
	for p.err == nil || p.err == errAlerted {
		p.err = nil
		p.record()
	}
	if p.err == io.EOF {
		p.err = failure
	}
}

func (p *rawPeer) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("raw peer: "+format, args...)
	}
}

// send sends the message of a step, or what the test case wants there.
func (p *rawPeer) send(at step, typ uint8, msg []byte) {
	if p.err != nil {
		return
	}
	p.step = at
	records := []rawRecord{{typ: typ, body: msg}}
	if p.change != nil && (p.at == at || p.at == stepAny) {
		records = p.change(p, msg)
	}
	for _, r := range records {
		p.write(r)
	}
}

func (p *rawPeer) write(r rawRecord) {
	if p.err != nil {
		return
	}
	if r.wire != nil {
		_, p.err = p.conn.Write(r.wire)
		return
	}
	body := r.body
	if r.typ == recordHandshake {
		if !r.hidden {
			p.transcript = append(p.transcript, body...)
		}
		if r.held {
			p.held = append(p.held, body...)
			return
		}
		body = append(p.held, body...)
		p.held = nil
	}
	if p.out != nil && !r.clear {
		var err error
		if body, err = p.out.seal(nil, rand.Reader, p.outSeq, r.typ, body); err != nil {
			p.err = err
			return
		}
		p.outSeq++
	}
	if r.tamper != nil {
		body = r.tamper(body)
	}
	version := r.version
	if version == 0 {
		version = VersionTLCP
	}
	_, p.err = p.conn.Write(rawWire(r.typ, version, len(body), body))
}

func rawWire(typ uint8, version uint16, length int, body []byte) []byte {
	return append([]byte{typ, byte(version >> 8), byte(version), byte(length >> 8), byte(length)}, body...)
}

// record reads one record that is not an alert.
func (p *rawPeer) record() (typ uint8, body []byte) {
	if p.err != nil {
		return 0, nil
	}
	header := make([]byte, recordHeaderLen)
	if _, p.err = io.ReadFull(p.conn, header); p.err != nil {
		return 0, nil
	}
	body = make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, p.err = io.ReadFull(p.conn, body); p.err != nil {
		return 0, nil
	}
	if header[1] != 1 || header[2] != 1 {
		p.fail("got a record of version %x", header[1:3])
		return 0, nil
	}
	if p.in != nil {
		ok := false
		if body, ok = p.in.open(p.inSeq, header[0], body); !ok {
			p.fail("got a record that does not open")
			return 0, nil
		}
		p.inSeq++
	}
	if header[0] == recordAlert {
		if len(body) != 2 {
			p.fail("got the alert %x", body)
			return 0, nil
		}
		p.alerts, p.protected, p.err = append(p.alerts, [2]byte(body)), p.in != nil, errAlerted
		return 0, nil
	}
	return header[0], body
}

// message reads the next handshake message, which must be of one of the types.
func (p *rawPeer) message(types ...uint8) (typ uint8, body []byte) {
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

// sendFinished and readFinished are both ends of ChangeCipherSpec and Finished.
func (p *rawPeer) sendFinished() {
	clientCipher, serverCipher := p.ciphers()
	if p.err != nil {
		return
	}
	label, protection := labelServer, serverCipher
	if p.isClient {
		label, protection = labelClient, clientCipher
	}
	p.send(stepCCS, recordChangeCipherSpec, []byte{1})
	p.out, p.outSeq = protection, 0
	verify := p.keys.finished(label, p.transcriptHash())
	p.send(stepFinished, recordHandshake, rawMessage(msgFinished, verify[:]))
}

func (p *rawPeer) readFinished() {
	clientCipher, serverCipher := p.ciphers()
	label, protection := labelClient, clientCipher
	if p.isClient {
		label, protection = labelServer, serverCipher
	}
	if typ, body := p.record(); p.err == nil && (typ != recordChangeCipherSpec || !bytes.Equal(body, []byte{1})) {
		p.fail("got a record of type %d, %x, want ChangeCipherSpec", typ, body)
	}
	if p.err != nil {
		return
	}
	p.in, p.inSeq = protection, 0
	verify := p.keys.finished(label, p.transcriptHash())
	if _, body := p.message(msgFinished); p.err == nil && !bytes.Equal(body, verify[:]) {
		p.fail("got a wrong Finished")
	}
}

func (p *rawPeer) ciphers() (client, server recordCipher) {
	if p.err != nil {
		return nil, nil
	}
	client, server, p.err = p.keys.protection(p.suite, p.random[0], p.random[1])
	return client, server
}

func (p *rawPeer) transcriptHash() []byte {
	sum := sm3.Sum(p.transcript)
	return sum[:]
}

func (p *rawPeer) sign(msg []byte) []byte {
	sig, err := signMessage(rand.Reader, p.cert.PrivateKey, msg)
	if err != nil {
		p.fail("signing: %v", err)
	}
	return sig
}

// agree returns a run of the SM2 key exchange with the own encryption key.
func (p *rawPeer) agreement() SM2KeyAgreement {
	a, err := softwareAgreer{p.cert.EncPrivateKey.(*sm2.PrivateKey)}.NewKeyAgreement(rand.Reader, !p.isClient)
	if err != nil {
		p.fail("key exchange: %v", err)
	}
	return a
}

// agree derives the master secret of an ECDHE suite from the other end's
// certificates and its ephemeral key.
func (p *rawPeer) agree(a SM2KeyAgreement, certs [][]byte, point []byte) {
	if p.err != nil {
		return
	}
	key, err := encryptionKey(certs)
	if err == nil {
		var preMaster []byte
		if preMaster, err = a.Agree(key, point, preMasterLen); err == nil {
			p.keys.setPreMaster(preMaster, p.random[0], p.random[1])
		}
	}
	if err != nil {
		p.fail("key exchange: %v", err)
	}
}
