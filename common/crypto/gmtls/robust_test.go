// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// checkGoroutines fails the test if goroutines of this package that it started
// are left at its end.
func checkGoroutines(t *testing.T) {
	t.Helper()
	own := func() (stacks []string) {
		buf := make([]byte, 8<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "crypto/gmtls.") && !strings.Contains(g, "testing.tRunner") &&
				!strings.Contains(g, "testing.(*T).Run") {
				stacks = append(stacks, g)
			}
		}
		return stacks
	}
	before := len(own())
	t.Cleanup(func() {
		var left []string
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if left = own(); len(left) <= before {
				return
			}
		}
		t.Errorf("%d goroutines are left:\n%s", len(left)-before, strings.Join(left, "\n\n"))
	})
}

// stallConn lets a number of the peer's records through and then none.
type stallConn struct {
	net.Conn
	records int
	stalled chan struct{} // closed when the first record is held back
	pending []byte
}

func (c *stallConn) Read(b []byte) (int, error) {
	for len(c.pending) == 0 {
		var header [recordHeaderLen]byte
		if c.records == 0 {
			close(c.stalled)
			c.records--
		}
		if c.records < 0 {
			_, err := io.Copy(io.Discard, c.Conn) // until closed
			if err == nil {
				err = io.EOF
			}
			return 0, err
		}
		if _, err := io.ReadFull(c.Conn, header[:]); err != nil {
			return 0, err
		}
		body := make([]byte, binary.BigEndian.Uint16(header[3:]))
		if _, err := io.ReadFull(c.Conn, body); err != nil {
			return 0, err
		}
		c.records--
		c.pending = append(header[:], body...)
	}
	n := copy(b, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// A handshake that is cancelled returns the context's error whatever it was
// waiting for, closes the connection and leaves no goroutine.
func TestCancelInEveryState(t *testing.T) {
	checkGoroutines(t)
	clientConfig, serverConfig := testConfigs(t)
	// A client reads ServerHello, Certificate, ServerKeyExchange,
	// CertificateRequest, ServerHelloDone, ChangeCipherSpec, Finished; a server
	// ClientHello, Certificate, ClientKeyExchange, CertificateVerify,
	// ChangeCipherSpec, Finished.
	for _, test := range []struct {
		isClient bool
		records  int
	}{{true, 7}, {false, 6}} {
		for n := range test.records {
			t.Run(fmt.Sprintf("client=%v/after %d records", test.isClient, n), func(t *testing.T) {
				c, s := tcpPair(t)
				stall := &stallConn{Conn: c, records: n, stalled: make(chan struct{})}
				var own, peer *Conn
				if test.isClient {
					own, peer = Client(stall, clientConfig), Server(s, serverConfig)
				} else {
					stall.Conn = s
					own, peer = Server(stall, serverConfig), Client(c, clientConfig)
				}
				done := make(chan error, 1)
				go func() { done <- peer.Handshake() }()
				ctx, cancel := context.WithCancelCause(context.Background())
				reason := errors.New("changed my mind")
				go func() {
					<-stall.stalled
					cancel(reason)
				}()
				if err := own.HandshakeContext(ctx); !errors.Is(err, reason) {
					t.Errorf("got %v, want the cause", err)
				}
				if err := own.Handshake(); !errors.Is(err, reason) {
					t.Errorf("a second call: %v", err)
				}
				if _, err := stall.Conn.Write([]byte{0}); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the connection is open: %v", err)
				}
				// The peer has done its part only if nothing was due to it.
				if err := <-done; err == nil && !(test.isClient && n >= 5 || !test.isClient && n >= 6) {
					t.Error("the peer thinks that all is well")
				}
			})
		}
	}
}

// Clients that open a connection and send nothing, a part of a record, or a
// byte now and then are dropped when the handshake's time is over.
func TestSlowClients(t *testing.T) {
	checkGoroutines(t)
	_, serverConfig := testConfigs(t)
	serverConfig.HandshakeTimeout = 150 * time.Millisecond
	hello := appendClientHello(nil, &clientHello{
		version: VersionTLCP, random: make([]byte, randomLen), suites: []uint16{ECC_SM4_GCM_SM3},
	})
	record := append([]byte{recordHandshake, 1, 1, 0, byte(len(hello))}, hello...)
	for name, behave := range map[string]func(c net.Conn, stop <-chan struct{}){
		"silent":         func(net.Conn, <-chan struct{}) {},
		"half a record":  func(c net.Conn, _ <-chan struct{}) { c.Write(record[:20]) },
		"half an answer": func(c net.Conn, _ <-chan struct{}) { c.Write(record) },
		"drop by drop": func(c net.Conn, stop <-chan struct{}) {
			for i := range record {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					c.Write(record[i : i+1])
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := tcpPair(t)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() { behave(c, stop) })
			err := Server(s, serverConfig).Handshake()
			close(stop)
			wg.Wait()
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want a timeout", err)
			}
			if _, err := s.Write([]byte{0}); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the connection is open: %v", err)
			}
		})
	}
}

func TestThousandConnections(t *testing.T) {
	checkGoroutines(t)
	clientConfig, serverConfig := testConfigs(t)
	clientConfig.HandshakeTimeout, serverConfig.HandshakeTimeout = 4*time.Minute, 4*time.Minute
	clientConfig.ServerName = "127.0.0.1"
	l, err := Listen("tcp", "127.0.0.1:0", serverConfig)
	if err != nil {
		t.Fatal(err)
	}
	var servers sync.WaitGroup
	servers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			servers.Go(func() {
				defer conn.Close()
				io.Copy(conn, conn)
			})
		}
	})
	const n = 1000
	conns := make([]*Conn, n)
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() {
			raw, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			raw.SetDeadline(time.Now().Add(4 * time.Minute))
			conn := Client(raw, clientConfig)
			if err := conn.Handshake(); err != nil {
				t.Error(err)
				raw.Close()
				return
			}
			conns[i] = conn
		})
	}
	clients.Wait()
	for i, conn := range conns { // all are open at once
		if conn == nil {
			continue
		}
		clients.Go(func() {
			defer conn.Close()
			want := fmt.Appendf(nil, "connection %d", i)
			if _, err := conn.Write(want); err != nil {
				t.Error(err)
			}
			got := make([]byte, len(want))
			if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	clients.Wait()
	l.Close()
	servers.Wait()
}

// Reader, writer and closer are different goroutines.
func TestConcurrentUse(t *testing.T) {
	checkGoroutines(t)
	for _, suite := range []uint16{ECC_SM4_GCM_SM3, ECC_SM4_CBC_SM3} {
		clientConfig, serverConfig := testConfigs(t)
		clientConfig.CipherSuites = []uint16{suite}
		client, server := mustShake(t, clientConfig, serverConfig)
		var wg sync.WaitGroup
		const writers, each = 4, 50
		data := bytes.Repeat([]byte("x"), 5000)
		for _, dir := range []struct{ from, to *Conn }{{client, server}, {server, client}} {
			for range writers {
				wg.Go(func() {
					for range each {
						if _, err := dir.from.Write(data); err != nil {
							t.Error(err)
						}
						dir.from.ConnectionState()
					}
				})
			}
			wg.Go(func() {
				if n, err := io.CopyN(io.Discard, dir.to, writers*each*5000); err != nil {
					t.Errorf("after %d bytes: %v", n, err)
				}
			})
		}
		wg.Wait()
	}
}

// Several goroutines may start the same handshake.
func TestConcurrentHandshake(t *testing.T) {
	clientConfig, serverConfig := testConfigs(t)
	c, s := tcpPair(t)
	client, server := Client(c, clientConfig), Server(s, serverConfig)
	var wg sync.WaitGroup
	for _, conn := range []*Conn{client, server} {
		for range 4 {
			wg.Go(func() {
				if err := conn.Handshake(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	exchange(t, client, server)
}

// Close does not wait for a writer that the peer does not read from.
func TestCloseDuringWrite(t *testing.T) {
	checkGoroutines(t)
	clientConfig, serverConfig := testConfigs(t)
	client, _ := mustShake(t, clientConfig, serverConfig)
	started := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		data := make([]byte, 1<<20)
		once := sync.OnceFunc(func() { close(started) })
		for {
			_, err := client.Write(data)
			once()
			if err != nil {
				done <- err
				return
			}
		}
	}()
	<-started
	client.Close()
	if err := <-done; err == nil {
		t.Error("the write succeeds")
	}
}

func TestCloseDuringHandshake(t *testing.T) {
	checkGoroutines(t)
	clientConfig, _ := testConfigs(t)
	c, s := tcpPair(t)
	client := Client(c, clientConfig)
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if _, err := s.Read(make([]byte, 1)); err != nil { // the handshake is under way
		t.Fatal(err)
	}
	client.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want closed", err)
	}
	if err := client.CloseWrite(); err != errEarlyClose {
		t.Errorf("CloseWrite: %v", err)
	}
}

// reframeConn changes how handshake messages are laid into records while they
// are in the clear: into fragments of size bytes, or all of one write in one
// record. Neither changes the handshake (GB/T 38636-2020, 6.3.3.2).
type reframeConn struct {
	net.Conn
	fragment int // 0: coalesce
	secret   bool
	oneByOne bool // reads return one byte each
}

func (c *reframeConn) Read(b []byte) (int, error) {
	if c.oneByOne && len(b) > 1 {
		b = b[:1]
	}
	return c.Conn.Read(b)
}

func (c *reframeConn) Write(b []byte) (int, error) {
	var out, messages []byte
	flush := func() {
		size := c.fragment
		if size == 0 {
			size = maxPlaintext
		}
		for chunk := range slices.Chunk(messages, size) {
			out = append(out, recordHandshake, 1, 1, byte(len(chunk)>>8), byte(len(chunk)))
			out = append(out, chunk...)
		}
		messages = nil
	}
	for rest := b; len(rest) > 0; {
		n := recordHeaderLen + int(binary.BigEndian.Uint16(rest[3:]))
		record := rest[:n]
		rest = rest[n:]
		if record[0] == recordHandshake && !c.secret {
			messages = append(messages, record[recordHeaderLen:]...)
			continue
		}
		flush()
		c.secret = c.secret || record[0] == recordChangeCipherSpec
		out = append(out, record...)
	}
	flush()
	_, err := c.Conn.Write(out)
	return len(b), err
}

func TestFragmentation(t *testing.T) {
	for _, fragment := range []int{0, 1, 3, 4, 5, 100} {
		for _, suite := range []uint16{ECC_SM4_GCM_SM3, ECDHE_SM4_CBC_SM3} {
			clientConfig, serverConfig := testConfigs(t)
			clientConfig.CipherSuites = []uint16{suite}
			c, s := tcpPair(t)
			client := Client(&reframeConn{Conn: c, fragment: fragment, oneByOne: true}, clientConfig)
			server := Server(&reframeConn{Conn: s, fragment: fragment}, serverConfig)
			done := make(chan error, 1)
			go func() { done <- server.Handshake() }()
			if err := client.Handshake(); err != nil {
				t.Fatalf("fragments of %d: client: %v", fragment, err)
			}
			if err := <-done; err != nil {
				t.Fatalf("fragments of %d: server: %v", fragment, err)
			}
			exchange(t, client, server)
		}
	}
}

// In steady state neither direction allocates.
func TestRecordsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop buffers")
	}
	gcm, _, _ := testKeySchedule(t, suiteByID(ECC_SM4_GCM_SM3))
	engine, record := gcm.(*gcmCipher), make([]byte, 0, 128)
	if testing.AllocsPerRun(10, func() { engine.aead.Seal(record, engine.nonce[:], record[:16], engine.header[:]) }) > 0 {
		t.Skip("the engine allocates on this machine")
	}
	for _, suite := range []uint16{ECC_SM4_GCM_SM3, ECC_SM4_CBC_SM3} {
		clientConfig, serverConfig := testConfigs(t)
		clientConfig.CipherSuites = []uint16{suite}
		client, server := mustShake(t, clientConfig, serverConfig)
		for _, size := range []int{100, 16 << 10} {
			data := make([]byte, size)
			turn := func() {
				if _, err := client.Write(data); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(server, data); err != nil {
					t.Fatal(err)
				}
			}
			turn()
			if n := testing.AllocsPerRun(100, turn); n >= 1 {
				t.Errorf("%s, %d bytes: %v allocations for a record sent and received", CipherSuiteName(suite), size, n)
			}
		}
	}
}
