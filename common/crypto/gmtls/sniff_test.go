// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

func TestSniff(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes []byte
		want  Protocol
		err   error
	}{
		{"TLCP", []byte{0x16, 1, 1, 0, 4, 1}, ProtocolTLCP, nil},
		{"TLS 1.2", []byte{0x16, 3, 1, 0, 4, 1}, ProtocolTLS, nil},
		{"TLS 1.3", []byte{0x16, 3, 3}, ProtocolTLS, nil},
		{"HTTP", []byte("GET / HTTP/1.1"), ProtocolUnknown, ErrUnknownProtocol},
		{"TLCP alert", []byte{0x15, 1, 1, 0, 2}, ProtocolUnknown, ErrUnknownProtocol},
		{"other version", []byte{0x16, 1, 2, 0}, ProtocolUnknown, ErrUnknownProtocol},
		{"two bytes", []byte{0x16, 1}, ProtocolUnknown, io.ErrUnexpectedEOF},
		{"nothing", nil, ProtocolUnknown, io.EOF},
	} {
		c, s := tcpPair(t)
		c.Write(test.bytes)
		c.Close()
		protocol, conn, err := Sniff(s, 10*time.Second)
		if protocol != test.want || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, protocol, err, test.want, test.err)
		}
		all, err := io.ReadAll(conn)
		if err != nil || string(all) != string(test.bytes) {
			t.Errorf("%s: read %x, %v; want %x", test.name, all, err, test.bytes)
		}
	}
}

func TestSniffTimeout(t *testing.T) {
	c, s := tcpPair(t)
	c.Write([]byte{0x16})
	_, conn, err := Sniff(s, 20*time.Millisecond)
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() {
		t.Fatalf("a silent client: %v", err)
	}
	// No deadline is left behind and no byte is lost.
	go c.Write([]byte("abc"))
	buf := make([]byte, 4)
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "\x16abc" {
		t.Errorf("read %q, %v", buf, err)
	}
}

func TestSniffedConn(t *testing.T) {
	c, s := tcpPair(t)
	c.Write([]byte{0x16, 3, 3, 9})
	_, conn, err := Sniff(s, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if under := conn.(interface{ NetConn() net.Conn }).NetConn(); under != s {
		t.Error("NetConn is not the connection underneath")
	}
	if n, err := conn.Read(nil); n != 0 || err != nil {
		t.Errorf("an empty read: %d, %v", n, err)
	}
	var one [1]byte // byte by byte, across the end of what was read ahead
	for _, want := range []byte{0x16, 3, 3, 9} {
		if _, err := conn.Read(one[:]); err != nil || one[0] != want {
			t.Errorf("read %x, %v; want %x", one, err, want)
		}
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(one[:]); err != io.EOF {
		t.Errorf("after CloseWrite: %v", err)
	}
	if err := (&prefixConn{Conn: struct{ net.Conn }{s}}).CloseWrite(); err == nil {
		t.Error("CloseWrite claims to work where it cannot")
	}
}

// dualListener serves TLCP and TLS on one port.
func dualListener(t *testing.T, timeout time.Duration, maxPending int) (l net.Listener, client *Config, stdClient *tls.Config) {
	t.Helper()
	client, server := testConfigs(t)
	stdClient, stdServer := stdConfigs(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = NewSniffListener(inner, SniffConfig{
		TLCP:    func(c net.Conn) net.Conn { return Server(c, server) },
		TLS:     func(c net.Conn) net.Conn { return tls.Server(c, stdServer) },
		Timeout: timeout, MaxPending: maxPending,
	})
	t.Cleanup(func() { l.Close() })
	return l, client, stdClient
}

func TestSniffListener(t *testing.T) {
	l, client, stdClient := dualListener(t, 10*time.Second, 0)
	accepted := make(chan string, 8)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			switch conn.(type) { // known at accept, before any read
			case *Conn:
				accepted <- "TLCP"
			case *tls.Conn:
				accepted <- "TLS"
			default:
				accepted <- "?"
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	silent, err := net.Dial("tcp", l.Addr().String()) // holds up nobody
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	stranger, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	stranger.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	stranger.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := stranger.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a stranger got %d bytes, %v", n, err)
	}
	for range 3 {
		for _, test := range []struct {
			want string
			dial func() (net.Conn, error)
		}{
			{"TLCP", func() (net.Conn, error) { return Dial("tcp", l.Addr().String(), client) }},
			{"TLS", func() (net.Conn, error) { return tls.Dial("tcp", l.Addr().String(), stdClient) }},
		} {
			conn, err := test.dial()
			if err != nil {
				t.Fatalf("%s: %v", test.want, err)
			}
			if got := <-accepted; got != test.want {
				t.Errorf("Accept gave %s, want %s", got, test.want)
			}
			buf := []byte("echo")
			conn.Write(buf)
			if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "echo" {
				t.Errorf("%s: %q, %v", test.want, buf, err)
			}
			conn.Close()
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, open := <-accepted; open {
		t.Error("Accept goes on after Close")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	silent.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, errTimeout(err)) {
		t.Errorf("Close leaves a pending connection open: %v", err)
	}
}

// errTimeout returns err if it is a timeout, else an error that err is not.
func errTimeout(err error) error {
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return err
	}
	return errors.New("no timeout")
}

// Silent clients are dropped by the deadline, and while the limit on pending
// ones is reached the others wait and are served afterwards.
func TestSniffListenerSlowLoris(t *testing.T) {
	l, client, _ := dualListener(t, 200*time.Millisecond, 2)
	var silent []net.Conn
	for range 4 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write([]byte{0x16})
		silent = append(silent, conn)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go conn.(*Conn).Handshake()
		}
	}()
	conn, err := Dial("tcp", l.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	for i, conn := range silent {
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, errTimeout(err)) {
			t.Errorf("silent client %d: %v, want the connection closed", i, err)
		}
	}
}

// failingListener fails in a way that passes, then for good.
type failingListener struct {
	net.Listener
	failures int
}

type temporaryError struct{ error }

func (temporaryError) Temporary() bool { return true }

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, temporaryError{errors.New("too many open files")}
	}
	return nil, errBroken
}

var errBroken = errors.New("broken")

func TestSniffListenerFailure(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := NewSniffListener(&failingListener{inner, 2}, SniffConfig{})
	defer l.Close()
	if _, err := l.Accept(); err != errBroken {
		t.Errorf("got %v, want the listener's error", err)
	}
}

// Where a protocol is not served its clients are turned away.
func TestSniffListenerWithoutTLS(t *testing.T) {
	stdClient, _ := stdConfigs(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := NewSniffListener(inner, SniffConfig{TLCP: func(c net.Conn) net.Conn { return Server(c, nil) }})
	defer l.Close()
	if _, err := tls.Dial("tcp", l.Addr().String(), stdClient); err == nil {
		t.Error("a TLS client is served")
	}
}

func TestProtocolNames(t *testing.T) {
	for protocol, want := range map[Protocol]string{ProtocolTLCP: "TLCP", ProtocolTLS: "TLS", ProtocolUnknown: "unknown"} {
		if got := protocol.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// OffersGM decides by the ClientHello, and gives every byte back.
func TestOffersGM(t *testing.T) {
	hello := func(change func(h *clientHello13)) []byte {
		h := &clientHello13{
			clientHello: clientHello{random: make([]byte, randomLen), sessionID: make([]byte, 32), suites: []uint16{0x1301, TLS_SM4_CCM_SM3}},
			groups:      []CurveID{29, CurveSM2}, schemes: []uint16{0x0403, schemeSM2SM3}, shares: []keyShare{{29, make([]byte, 32)}},
		}
		change(h)
		return appendClientHello13(nil, h)
	}
	records := func(msg []byte, size int) (b []byte) {
		for part := range slices.Chunk(msg, size) {
			b = append(b, rawWire(recordHandshake, 0x0301, len(part), part)...)
		}
		return b
	}
	whole := hello(func(*clientHello13) {})
	malformed := bytes.Clone(whole)
	malformed[handshakeHdrLen+2+randomLen] = maxSessionIDLen + 1
	for _, test := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"all of it", records(whole, 1<<14), true},
		{"more behind it", append(records(whole, 1<<14), 23, 3, 3, 0, 1, 0), true},
		{"in parts", records(whole, 7), true},
		{"byte by byte", records(whole, 1), true},
		{"no suite", records(hello(func(h *clientHello13) { h.suites = h.suites[:1] }), 1<<14), false},
		{"no group", records(hello(func(h *clientHello13) { h.groups = h.groups[:1] }), 1<<14), false},
		{"no signature", records(hello(func(h *clientHello13) { h.schemes = h.schemes[:1] }), 1<<14), false},
		{"malformed", records(malformed, 1<<14), false},
		{"another message", records(rawMessage(msgServerHello, whole[4:]), 1<<14), false},
		{"an alert", rawWire(recordAlert, 0x0301, 2, []byte{2, 40}), false},
		{"a record too long", rawWire(recordHandshake, 0x0301, 1<<14, nil), false},
		{"a message too long", append(records(rawMessage(msgClientHello, make([]byte, 1<<15)), 1<<12), 0), false},
		{"records without end", records(rawMessage(msgClientHello, make([]byte, 1<<15)), 1), false},
		{"an empty record", rawWire(recordHandshake, 0x0301, 0, nil), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn := newStream(test.in)
			got, same, err := OffersGM(conn)
			if err != nil || got != test.want {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
			if read := len(test.in) - conn.in.Len(); read > maxHelloLook {
				t.Errorf("it read %d bytes", read)
			}
			if all, err := io.ReadAll(same); err != nil || !bytes.Equal(all, test.in) {
				t.Errorf("%d of %d bytes come back, %v", len(all), len(test.in), err)
			}
		})
	}
	_, same, err := OffersGM(newStream(records(whole, 1<<14)[:50]))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a hello that is cut off: %v", err)
	}
	if all, _ := io.ReadAll(same); len(all) != 50 {
		t.Errorf("%d bytes come back", len(all))
	}
}

// Three protocols at one port, and a client that is silent after the start of
// its hello.
func TestSniffListenerOfThree(t *testing.T) {
	client, server := testConfigs(t)
	stdClient, stdServer := stdConfigs(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	of := func(version uint16) func(net.Conn) net.Conn {
		config := server.Clone()
		config.Versions = []uint16{version}
		return func(c net.Conn) net.Conn { return Server(c, config) }
	}
	l := NewSniffListener(inner, SniffConfig{
		TLCP: of(VersionTLCP), TLS13: of(VersionTLS13), TLS: func(c net.Conn) net.Conn { return tls.Server(c, stdServer) }, Timeout: 200 * time.Millisecond,
	})
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	silent, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	silent.Write([]byte{recordHandshake, 3, 1, 0, 200, msgClientHello})
	silent.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a client that is silent gets %v, want the end", err)
	}
	for _, version := range []uint16{VersionTLCP, VersionTLS13} {
		config := client.Clone()
		config.Versions = []uint16{version}
		conn, err := Dial("tcp", l.Addr().String(), config)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().Version; got != version {
			t.Errorf("got %s", VersionName(got))
		}
		pingOver(t, conn)
	}
	conn, err := tls.Dial("tcp", l.Addr().String(), stdClient)
	if err != nil {
		t.Fatal(err)
	}
	pingOver(t, conn)
}

// pingOver sends a few bytes and expects them back.
func pingOver(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "ping" {
		t.Fatalf("got %q, %v", got, err)
	}
}
