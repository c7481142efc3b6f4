// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// The conformance tables say what a peer does wrong at which step of an
// otherwise correct connection, and what this end does about it: the alert that
// it sends and the error that it returns. References are to GB/T 38636-2020
// unless they name an RFC, to which the standard's rule goes back.

type conformanceCase struct {
	name    string
	section string
	at      step
	send    action
	alert   AlertError // fatal, that this end sends; 0: none
	err     string     // contained in this end's error; empty: all goes well
	remote  AlertError // this end's error is this alert of the peer
	setup   func(own *Config, p *rawPeer)
	suite   uint16 // 0: ECC_SM4_GCM_SM3
	resume  bool   // on a resumed connection
}

// conformancePKI is shared by all cases of a table, for keys cost time.
type conformancePKI struct{ client, server *Config }

// conformanceDeadline is far beyond what a case takes.
const conformanceDeadline = 60 * time.Second

// runConformance runs the table against one end, or against both.
func runConformance(t *testing.T, table []conformanceCase, isClient bool) {
	t.Helper()
	checkGoroutines(t)
	client, server := testConfigs(t)
	pki := conformancePKI{client, server}
	side := "server"
	if isClient {
		side = "client"
	}
	seen := make(map[string]bool)
	for _, test := range table {
		name := side + "/" + test.name
		if seen[name] || test.section == "" {
			t.Fatalf("%s is there twice or has no section", name)
		}
		seen[name] = true
		t.Run(name, func(t *testing.T) { test.run(t, pki, isClient) })
	}
}

func (test conformanceCase) run(t *testing.T, pki conformancePKI, isClient bool) {
	config, peerConfig := pki.server.Clone(), pki.client
	if isClient {
		config, peerConfig = pki.client.Clone(), pki.server
	}
	suite := test.suite
	if suite == 0 {
		suite = ECC_SM4_GCM_SM3
	}
	config.CipherSuites = []uint16{suite}
	config.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(2)}
	config.ServerSessionCache = NewLRUServerSessionCache(2)
	newPeer := func() *rawPeer {
		return &rawPeer{
			isClient: !isClient, suite: suiteByID(suite), cert: peerConfig.Certificates[0], roots: config.RootCAs,
		}
	}
	p := newPeer()
	if test.resume {
		first := newPeer()
		if err := first.meet(t, config); err != nil || first.err != nil {
			t.Fatalf("making a session: %v; peer: %v", err, first.err)
		}
		p.session = &rawSession{first.id, first.keys.master}
	}
	p.at, p.change = test.at, test.send
	if test.setup != nil {
		test.setup(config, p)
	}
	err := p.meet(t, config)
	test.check(t, p, err)
}

// meet runs the peer against an end of this package, which echoes data until
// the peer closes, and returns that end's error.
func (p *rawPeer) meet(t *testing.T, config *Config) error {
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
	p.conn, p.t = raw, t
	done := make(chan error, 1)
	go func() {
		err := end.Handshake()
		if err == nil {
			if _, err = io.Copy(struct{ io.Writer }{end}, struct{ io.Reader }{end}); err == nil {
				err = end.CloseWrite()
			}
		}
		own.(*net.TCPConn).CloseWrite() // not Close, which could overtake the alert
		done <- err
	}()
	p.run()
	err := <-done
	own.Close()
	raw.Close()
	return err
}

func (test conformanceCase) check(t *testing.T, p *rawPeer, err error) {
	t.Helper()
	if test.err == "" && test.remote == 0 {
		if err != nil || p.err != nil && p.err != io.EOF {
			t.Errorf("%s: got %v; the peer says %v; want success", test.section, err, p.err)
		}
		if want := [][2]byte{{alertLevelWarning, byte(AlertCloseNotify)}}; fmt.Sprint(p.alerts) != fmt.Sprint(want) {
			t.Errorf("%s: alerts %v, want close_notify alone", test.section, p.alerts)
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
	if want := p.in != nil; p.protected != want {
		t.Errorf("%s: the alert was protected: %v, want %v", test.section, p.protected, want)
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		t.Errorf("%s: the error is about the connection: %v", test.section, err)
	}
}

// What test cases send.

// typeOf is the content type of the step's record.
func (p *rawPeer) typeOf() uint8 {
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

// right is the right thing.
func right(p *rawPeer, msg []byte) []rawRecord { return []rawRecord{{typ: p.typeOf(), body: msg}} }

// instead sends the records and not the message.
func instead(records ...rawRecord) action {
	return func(*rawPeer, []byte) []rawRecord { return records }
}

// before sends the records, then the message.
func before(records ...rawRecord) action {
	return func(p *rawPeer, msg []byte) []rawRecord {
		return append(append([]rawRecord{}, records...), right(p, msg)...)
	}
}

// after sends the message, then the records.
func after(records ...rawRecord) action {
	return func(p *rawPeer, msg []byte) []rawRecord { return append(right(p, msg), records...) }
}

// twice sends the message two times.
func twice(p *rawPeer, msg []byte) []rawRecord { return append(right(p, msg), right(p, msg)...) }

// record changes the record that holds the message.
func record(change func(r *rawRecord)) action {
	return func(p *rawPeer, msg []byte) []rawRecord {
		r := right(p, msg)
		change(&r[0])
		return r
	}
}

// changed changes the message as a whole.
func changed(change func(msg []byte) []byte) action {
	return record(func(r *rawRecord) { r.body = change(bytes.Clone(r.body)) })
}

// body changes the body of a handshake message and sets its length.
func body(change func(b []byte) []byte) action {
	return changed(func(msg []byte) []byte {
		return rawMessage(msg[0], change(msg[handshakeHdrLen:]))
	})
}

// bodyIs is body for a fixed one.
func bodyIs(b ...byte) action { return body(func([]byte) []byte { return b }) }

// hello changes the fields of a hello message; the change is remembered.
func hello(change func(h *rawHello)) action {
	return func(p *rawPeer, _ []byte) []rawRecord {
		change(&p.hello)
		msg := p.hello.server()
		if p.isClient {
			msg = p.hello.client()
		}
		return right(p, msg)
	}
}

// extensions puts the block of extensions into a hello message.
func extensions(all ...[]byte) action {
	return hello(func(h *rawHello) { h.extensions = append([]byte{}, bytes.Join(all, nil)...) })
}

func ext(typ uint16, body ...byte) []byte {
	return appendVector16([]byte{byte(typ >> 8), byte(typ)}, body)
}

// fragments sends the message in records of n bytes.
func fragments(n int) action {
	return func(p *rawPeer, msg []byte) (records []rawRecord) {
		for len(msg) > n {
			records = append(records, rawRecord{typ: p.typeOf(), body: msg[:n]})
			msg = msg[n:]
		}
		return append(records, rawRecord{typ: p.typeOf(), body: msg})
	}
}

// hangUpAfter sends so many bytes of the record, protected if that is due, and
// closes.
func hangUpAfter(n int) action {
	return func(p *rawPeer, msg []byte) []rawRecord {
		body := msg
		if p.out != nil {
			body, p.err = p.out.seal(nil, rand.Reader, p.outSeq, p.typeOf(), msg)
		}
		p.conn.Write(rawWire(p.typeOf(), VersionTLCP, len(body), body)[:n])
		p.conn.(*net.TCPConn).CloseWrite()
		p.err = io.ErrClosedPipe
		return nil
	}
}

func handshakeRecord(typ uint8, body ...byte) rawRecord {
	return rawRecord{typ: recordHandshake, body: rawMessage(typ, body)}
}

func alertRecord(level uint8, alert AlertError) rawRecord {
	return rawRecord{typ: recordAlert, body: []byte{level, byte(alert)}}
}

func repeated(n int, r rawRecord) (records []rawRecord) {
	for range n {
		records = append(records, r)
	}
	return records
}
