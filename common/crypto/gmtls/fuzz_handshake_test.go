// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

var transcriptNames = []string{
	"client-ecc-gcm", "server-ecc-gcm", "client-ecdhe-cbc", "server-ecdhe-cbc",
	"client-ecc-cbc-tjfoc", "server-ecc-cbc-tjfoc", "client-ecdhe-gcm", "server-ecdhe-gcm",
}

// fuzzEnds are both ends' configurations, over the keys and at the time of the
// recorded connections.
type fuzzEnds struct {
	roots          *smx509.CertPool
	client, server Certificate
}

func newFuzzEnds(f *testing.F) *fuzzEnds {
	f.Helper()
	roots, client, server := transcriptPKI(f)
	return &fuzzEnds{roots, client, server}
}

// config returns what the recorded connections had, so that what was recorded
// is accepted up to the end.
func (e *fuzzEnds) config(isClient bool, suites ...uint16) *Config {
	pair, seed := e.server, byte(2)
	if isClient {
		pair, seed = e.client, 1
	}
	return &Config{
		Rand: &lockedReader{r: rand.NewChaCha8([32]byte{seed})}, Time: func() time.Time { return transcriptTime },
		RootCAs: e.roots, ClientCAs: e.roots, ClientAuth: RequireAndVerifyClientCert, ServerName: "server.test",
		CipherSuites: suites, Certificates: []Certificate{fixEphemeral(pair, seed)},
		NextProtos: []string{"h2"}, ChainCache: NewChainCache(0),
	}
}

// lockedReader serves both ends of a connection.
type lockedReader struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (l *lockedReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

// received is what an end got in a recorded connection.
func received(f *testing.F, name string) (all []byte) {
	for _, flow := range readFlows(f, transcriptDir+"/"+name+".txt") {
		if !flow.own {
			all = append(all, flow.data...)
		}
	}
	return all
}

// A server and a client read any bytes: the recorded ones bring them to the end
// of the handshake, and what the fuzzer makes of them must do no harm.

func FuzzServerStream(f *testing.F) { fuzzStream(f, false) }

func FuzzClientStream(f *testing.F) { fuzzStream(f, true) }

func fuzzStream(f *testing.F, isClient bool) {
	suites := map[string]uint16{
		"ecc-gcm": ECC_SM4_GCM_SM3, "ecc-cbc-tjfoc": ECC_SM4_CBC_SM3, "ecdhe-gcm": ECDHE_SM4_GCM_SM3, "ecdhe-cbc": ECDHE_SM4_CBC_SM3,
	}
	ends := newFuzzEnds(f)
	side := "server-"
	if isClient {
		side = "client-"
	}
	run := func(t testing.TB, b []byte, suite uint16) error {
		config := ends.config(isClient, suite)
		config.ClientSessionCache, config.ServerSessionCache = NewLRUClientSessionCache(1), nil
		c := newConn(newStream(b), config, isClient)
		err := c.Handshake()
		if err == nil {
			buf := make([]byte, 4096)
			for err == nil {
				_, err = c.Read(buf)
			}
			err = nil
		}
		if out := c.NetConn().(*streamConn).written; out > 64<<10 {
			t.Fatalf("sent %d bytes", out)
		}
		if len(c.in.buf) > largeReadBuffer || cap(c.in.hand) > 0 {
			t.Fatalf("buffers of %d and %d bytes are left", len(c.in.buf), cap(c.in.hand))
		}
		return err
	}
	for i, s := range cipherSuites {
		for name, id := range suites {
			if id == s.id {
				b := received(f, side+name)
				if err := run(f, b, id); err != nil {
					f.Fatalf("the recorded connection %s: %v", name, err)
				}
				f.Add(b, byte(i))
				f.Add(b[:len(b)/3], byte(i))
				f.Add(b[:recordHeaderLen], byte(i))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, suite byte) {
		allocates(t, 16<<20, func() { run(t, b, cipherSuites[int(suite)%4].id) })
	})
}

// link is a connection in memory that ends when both ends wait for each other.
type link struct {
	mu      sync.Mutex
	cond    *sync.Cond
	waiting int       // protected by mu, as all below
	data    [2][]byte // on the way to each side
	closed  [2]bool
	edits   []edit
	offset  [2]int // bytes that each side has sent
	changed bool   // an edit took effect
	exact   bool   // and each that did made another byte of one
}

type linkEnd struct {
	net.Conn // nil
	*link
	side int
}

// edit is what happens to the byte that a side sends at an offset.
type edit struct {
	side, offset int
	kind         byte
	value        byte
}

const (
	editXOR = iota
	editInsert
	editDelete
	editClose
	editKinds
)

// parseEdits takes five bytes for each edit.
func parseEdits(b []byte) (edits []edit) {
	for chunk := range slices.Chunk(b, 5) {
		if len(chunk) == 5 && len(edits) < 8 {
			edits = append(edits, edit{int(chunk[0] & 1), int(chunk[2])<<8 | int(chunk[3]), chunk[1] % editKinds, chunk[4]})
		}
	}
	return edits
}

func newLink(edits []edit) (client, server *linkEnd) {
	l := &link{edits: edits, exact: true}
	l.cond = sync.NewCond(&l.mu)
	return &linkEnd{link: l, side: 0}, &linkEnd{link: l, side: 1}
}

func (e *linkEnd) Read(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.data[e.side]) == 0 && !e.closed[0] && !e.closed[1] {
		e.waiting++
		if e.waiting == 2 && len(e.data[0]) == 0 && len(e.data[1]) == 0 {
			e.closed = [2]bool{true, true} // neither will ever say anything
			e.cond.Broadcast()
		} else {
			e.cond.Wait()
		}
		e.waiting--
	}
	n := copy(b, e.data[e.side])
	e.data[e.side] = e.data[e.side][n:]
	if n == 0 && len(b) > 0 {
		return 0, net.ErrClosed
	}
	return n, nil
}

func (e *linkEnd) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed[e.side] {
		return 0, net.ErrClosed
	}
	for _, c := range b {
		e.send(c)
		e.offset[e.side]++
	}
	e.cond.Broadcast()
	return len(b), nil
}

func (e *linkEnd) send(c byte) {
	out := []byte{c}
	for _, ed := range e.edits {
		if ed.side != e.side || ed.offset != e.offset[e.side] {
			continue
		}
		switch ed.kind {
		case editXOR:
			out[len(out)-1] ^= ed.value
		case editInsert:
			out = append([]byte{ed.value}, out...)
		case editDelete:
			out = out[:len(out)-1]
		case editClose:
			e.closed[e.side] = true
		}
		e.exact = e.exact && ed.kind == editXOR
		if len(out) == 0 {
			break
		}
	}
	e.changed = e.changed || e.closed[e.side] || !bytes.Equal(out, []byte{c}) // edits may cancel each other
	if !e.closed[e.side] {
		e.data[1-e.side] = append(e.data[1-e.side], out...)
	}
}

func (e *linkEnd) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed[e.side] = true
	e.cond.Broadcast()
	return nil
}

func (e *linkEnd) RemoteAddr() net.Addr             { return nil }
func (e *linkEnd) SetWriteDeadline(time.Time) error { return nil }

// FuzzTampering changes bytes between two correct ends, in full and resumed
// handshakes. They may notice and fail, but never both succeed unless they agree
// on everything; where a byte became another one they never both succeed.
func FuzzTampering(f *testing.F) {
	ends := newFuzzEnds(f)
	var saved [4]savedSessions
	for suite := range byte(4) {
		c, s := newLink(nil)
		saved[suite].client, saved[suite].server = newFuzzCaches()
		if _, _, clientErr, serverErr := ends.meet(c, s, suite, saved[suite]); clientErr != nil || serverErr != nil {
			f.Fatalf("making a session: client: %v; server: %v", clientErr, serverErr)
		}
		for _, resume := range []bool{false, true} {
			f.Add([]byte{}, suite, resume)
			f.Add([]byte{0, editXOR, 0, 3, 1}, suite, resume)
			f.Add([]byte{0, editXOR, 0, 60, 0x40}, suite, resume)
			f.Add([]byte{1, editXOR, 0, 50, 0x80}, suite, resume)
			f.Add([]byte{1, editDelete, 1, 0, 0}, suite, resume)
			f.Add([]byte{1, editInsert, 0, 0, 21, 1, editInsert, 0, 0, 22}, suite, resume)
			f.Add([]byte{0, editClose, 4, 0, 0}, suite, resume)
			f.Add([]byte{1, editXOR, 5, 0x90, 1}, suite, resume)
		}
	}
	f.Fuzz(func(t *testing.T, script []byte, suite byte, resume bool) {
		suite %= 4
		c, s := newLink(parseEdits(script))
		var sessions savedSessions
		sessions.client, sessions.server = newFuzzCaches()
		if resume {
			sessions = saved[suite].copy()
		}
		client, server, clientErr, serverErr := ends.meet(c, s, suite, sessions)
		if clientErr != nil || serverErr != nil {
			if !c.changed {
				t.Fatalf("client: %v; server: %v", clientErr, serverErr)
			}
			return
		}
		if c.changed && c.exact {
			t.Fatal("both ends took a changed byte for the right one")
		}
		cs, ss := client.ConnectionState(), server.ConnectionState()
		if cs.CipherSuite != ss.CipherSuite || cs.CipherSuite != cipherSuites[suite].id || cs.DidResume != ss.DidResume || cs.DidResume != resume ||
			cs.NegotiatedProtocol != "h2" || ss.NegotiatedProtocol != "h2" || ss.ServerName != cs.ServerName ||
			len(ss.VerifiedChains) == 0 || len(cs.VerifiedChains) == 0 ||
			!bytes.Equal(cs.PeerCertificates[0].Raw, ends.server.Certificate[0]) || !bytes.Equal(ss.PeerCertificates[1].Raw, ends.client.Certificate[1]) {
			t.Fatalf("the ends disagree: %+v and %+v", cs, ss)
		}
	})
}

// savedSessions is what both ends keep of the connections before.
type savedSessions struct {
	client ClientSessionCache
	server ServerSessionCache
}

func newFuzzCaches() (ClientSessionCache, ServerSessionCache) {
	return NewLRUClientSessionCache(1), NewLRUServerSessionCache(1)
}

// copy returns new caches with the same session in them.
func (s savedSessions) copy() savedSessions {
	var c savedSessions
	c.client, c.server = newFuzzCaches()
	state, _ := s.client.Get("")
	c.client.Put("", state)
	id := string(state.session.id)
	serverState, _ := s.server.Get(id)
	c.server.Put(id, serverState)
	return c
}

// meet runs a handshake over the link.
func (e *fuzzEnds) meet(c, s *linkEnd, suite byte, sessions savedSessions) (client, server *Conn, clientErr, serverErr error) {
	// The other suite of the same key exchange is on offer too.
	id := cipherSuites[suite].id
	clientConfig, serverConfig := e.config(true, id, id^0x40), e.config(false, id, id^0x40)
	clientConfig.ClientSessionCache, serverConfig.ServerSessionCache = anyAddressCache{sessions.client}, sessions.server
	client, server = newConn(c, clientConfig, true), newConn(s, serverConfig, false)
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		s.Close()
		done <- err
	}()
	clientErr = client.Handshake()
	c.Close()
	return client, server, clientErr, <-done
}

// FuzzCertificatePath verifies any certificates; only those of the authority's
// own making pass.
func FuzzCertificatePath(f *testing.F) {
	ends := newFuzzEnds(f)
	issued := make(map[string]bool)
	for _, pair := range []Certificate{ends.client, ends.server} {
		f.Add(appendCertificate(nil, pair.Certificate)[handshakeHdrLen:])
		f.Add(appendCertificate(nil, pair.Certificate[:1])[handshakeHdrLen:])
		f.Add(appendCertificate(nil, [][]byte{pair.Certificate[1], pair.Certificate[0], pair.Certificate[0]})[handshakeHdrLen:])
		for _, der := range pair.Certificate {
			cert, err := smx509.ParseCertificate(der)
			if err != nil {
				f.Fatal(err)
			}
			issued[string(cert.RawTBSCertificate)] = true
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		certs, ok := parseCertificate(b)
		if !ok || len(certs) == 0 {
			return
		}
		allocates(t, 32<<20, func() {
			c := newConn(nil, ends.config(true), true)
			p, err := c.identify(certs, &trust{roots: ends.roots, usage: smx509.ExtKeyUsageServerAuth, unpaired: true})
			if err != nil {
				return
			}
			for _, cert := range p.leaves() {
				if !issued[string(cert.RawTBSCertificate)] || cert.PublicKey == nil {
					t.Fatalf("a certificate passes that the authority did not issue: %x", cert.Raw)
				}
			}
			if p.sign.Curve != sm2.P256() || len(p.signChains) == 0 {
				t.Fatalf("passed with %+v", p)
			}
		})
	})
}
