// SPDX-License-Identifier: Apache-2.0

//go:build linux

package gmtls

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
	tjtls "github.com/tjfoc/gmsm/gmtls"
	"golang.org/x/sys/unix"
)

// The benchmarks compare stacks that take turns within one run, so that a busy
// machine slows all of them alike, and report ratios: x-NAME is this package's
// rate over that of NAME, and cpu-x-NAME the same with the processor time of the
// process in place of the time on the clock, which says more on a machine that
// has other work. Handshakes are mutually authenticated, over loopback TCP,
// connecting and closing included; net-cpu-x-NAME leaves out what the bare
// connection takes.

// benchStack is one stack under test.
type benchStack struct {
	name   string
	client func(net.Conn) net.Conn
	server func(net.Conn) net.Conn
}

// benchServer accepts for a stack: it completes the handshake and, for
// handshake benchmarks, sends one byte so that a client gets its session ticket.
type benchServer struct {
	benchStack
	listener net.Listener
	serve    func(net.Conn)
	wg       sync.WaitGroup
}

func startBench(b *testing.B, stack benchStack, serve func(net.Conn)) *benchServer {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &benchServer{benchStack: stack, listener: l, serve: serve}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				defer conn.Close()
				serve(stack.server(conn))
			}()
		}
	}()
	b.Cleanup(func() {
		l.Close()
		s.wg.Wait()
	})
	return s
}

func (s *benchServer) dial(b *testing.B) (conn, raw net.Conn) {
	raw, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		b.Error(err)
		return nil, nil
	}
	return s.client(raw), raw
}

func sendOneByte(conn net.Conn) {
	conn.Write([]byte{1})
	io.Copy(io.Discard, conn)
}

// handshakeOnce connects, completes the handshake and reads the server's byte.
func (s *benchServer) handshakeOnce(b *testing.B) {
	conn, raw := s.dial(b)
	if conn == nil {
		return
	}
	var one [1]byte
	if _, err := io.ReadFull(conn, one[:]); err != nil {
		b.Errorf("%s: %v", s.name, err)
	}
	raw.Close()
}

func stdStack(b *testing.B, resume bool) benchStack {
	client, server := stdConfigs(b)
	if resume {
		client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		server.SessionTicketsDisabled = false
	}
	return benchStack{
		"crypto/tls",
		func(c net.Conn) net.Conn { return tls.Client(c, client) },
		func(c net.Conn) net.Conn { return tls.Server(c, server) },
	}
}

func ownStack(b *testing.B, suite uint16, chains int, resume bool) benchStack {
	client, server := testConfigs(b)
	client.CipherSuites, server.CipherSuites = []uint16{suite}, []uint16{suite}
	client.ChainCache, server.ChainCache = NewChainCache(chains), NewChainCache(chains)
	if resume {
		client.ClientSessionCache = NewLRUClientSessionCache(4)
		server.ServerSessionCache = NewLRUServerSessionCache(4)
	}
	return benchStack{
		"gmtls",
		func(c net.Conn) net.Conn { return Client(c, client) },
		func(c net.Conn) net.Conn { return Server(c, server) },
	}
}

func tjfocStack(b *testing.B) benchStack {
	f := newTjfocFixture(b)
	client := &tjtls.Config{
		GMSupport: tjtls.NewGMSupport(), RootCAs: f.pool, ServerName: testName,
		Certificates: []tjtls.Certificate{f.clientPair},
	}
	server := &tjtls.Config{
		GMSupport: tjtls.NewGMSupport(), ClientCAs: f.pool, Certificates: f.serverPair,
		ClientAuth: tjtls.RequireAndVerifyClientCert,
	}
	return benchStack{
		"tjfoc",
		func(c net.Conn) net.Conn { return tjtls.Client(c, client) },
		func(c net.Conn) net.Conn { return tjtls.Server(c, server) },
	}
}

// compareHandshakes lets the stacks take turns, each with the given number of
// clients at once, and reports the first one's rate over that of each other.
func compareHandshakes(b *testing.B, clients int, stacks ...benchStack) {
	same := func(c net.Conn) net.Conn { return c }
	stacks = append(stacks, benchStack{"tcp", same, same})
	servers := make([]*benchServer, len(stacks))
	for i, stack := range stacks {
		servers[i] = startBench(b, stack, sendOneByte)
		for range 4 {
			servers[i].handshakeOnce(b) // caches and sessions
		}
	}
	const turn = 100 * time.Millisecond
	spent := make([]spentTime, len(stacks))
	done := make([]atomic.Int64, len(stacks))
	for b.Loop() {
		for i, server := range servers {
			runtime.GC() // nobody pays for another's garbage
			start := now()
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for time.Since(start.clock) < turn {
						server.handshakeOnce(b)
						done[i].Add(1)
					}
				})
			}
			wg.Wait()
			spent[i].addSince(start)
		}
	}
	b.ReportMetric(0, "ns/op")
	last := len(stacks) - 1
	for i := range spent {
		spent[i] = spent[i].per(done[i].Load())
	}
	bare := spent[last].cpu
	for i, stack := range stacks[:last] {
		b.ReportMetric(1/spent[i].clock.Seconds(), stack.name+"/s")
		if i > 0 {
			spent[0].reportRatio(b, spent[i], stack.name)
			b.ReportMetric(float64(spent[i].cpu-bare)/float64(spent[0].cpu-bare), "net-cpu-x-"+stack.name)
		}
	}
}

// spentTime is time on the clock and processor time of the process.
type spentTime struct{ clock, cpu time.Duration }

type instant struct {
	clock time.Time
	cpu   time.Duration
}

func now() instant { return nowOf(unix.CLOCK_PROCESS_CPUTIME_ID) }

// nowOf reads the processor time of the process or of the thread. getrusage would not do: what it tells of a thread may
// stand still from one tick of the kernel to the next, so that a short phase seems to take nothing.
func nowOf(clock int32) instant {
	var cpu unix.Timespec
	if err := unix.ClockGettime(clock, &cpu); err != nil {
		panic(err)
	}
	return instant{time.Now(), time.Duration(cpu.Nano())}
}

func (s *spentTime) addSince(start instant) { s.add(start, now()) }

func (s *spentTime) add(start, end instant) {
	s.clock += end.clock.Sub(start.clock)
	s.cpu += end.cpu - start.cpu
}

// per returns the time for one of n.
func (s spentTime) per(n int64) spentTime {
	return spentTime{s.clock / time.Duration(n), s.cpu / time.Duration(n)}
}

// reportRatio reports by how much s is less than what other took.
func (s spentTime) reportRatio(b *testing.B, other spentTime, name string) {
	b.ReportMetric(float64(other.clock)/float64(s.clock), "x-"+name)
	b.ReportMetric(float64(other.cpu)/float64(s.cpu), "cpu-x-"+name)
}

func BenchmarkRatioFull(b *testing.B) {
	compareHandshakes(b, 1, ownStack(b, ECC_SM4_GCM_SM3, 16, false), stdStack(b, false), tjfocStack(b))
}

func BenchmarkRatioFull8(b *testing.B) {
	compareHandshakes(b, 8, ownStack(b, ECC_SM4_GCM_SM3, 16, false), stdStack(b, false))
}

// strangersStack has ends that never met: both present certificates that the
// other has seen so many handshakes ago that its cache has forgotten them. They
// know the authority, as a process does that has been running for some peers.
func strangersStack(b *testing.B) benchStack {
	const strangers = 64
	ca := newCA(b, "test root", nil)
	var clients, servers [strangers]Certificate
	for i := range strangers {
		clients[i], servers[i] = ca.pair(b, "client.test", nil), ca.pair(b, testName, nil)
	}
	var client, server Config
	client = Config{RootCAs: poolOf(ca), ServerName: testName, ChainCache: NewChainCache(1), CipherSuites: []uint16{ECC_SM4_GCM_SM3}}
	server = Config{
		ClientCAs: poolOf(ca), ClientAuth: RequireAndVerifyClientCert, ChainCache: NewChainCache(1), CipherSuites: []uint16{ECC_SM4_GCM_SM3},
	}
	var met atomic.Uint32
	client.GetClientCertificate = func(*CertificateRequestInfo) (*Certificate, error) { return &clients[met.Load()%strangers], nil }
	server.GetCertificate = func(*ClientHelloInfo) (*Certificate, error) { return &servers[met.Add(1)%strangers], nil }
	return benchStack{
		"gmtls",
		func(c net.Conn) net.Conn { return Client(c, &client) },
		func(c net.Conn) net.Conn { return Server(c, &server) },
	}
}

func BenchmarkRatioCold(b *testing.B) {
	compareHandshakes(b, 1, strangersStack(b), stdStack(b, false))
}

func BenchmarkRatioCold8(b *testing.B) {
	compareHandshakes(b, 8, strangersStack(b), stdStack(b, false))
}

func BenchmarkRatioECDHE(b *testing.B) {
	compareHandshakes(b, 1, ownStack(b, ECDHE_SM4_GCM_SM3, 16, false), stdStack(b, false))
}

func BenchmarkRatioResumed(b *testing.B) {
	compareHandshakes(b, 1, ownStack(b, ECC_SM4_GCM_SM3, 16, true), stdStack(b, true))
}

// BenchmarkHandshake is for profiles and for the count of allocations, both
// ends together.
func BenchmarkHandshake(b *testing.B) {
	for _, stack := range []struct {
		name string
		benchStack
	}{
		{"full", ownStack(b, ECC_SM4_GCM_SM3, 16, false)},
		{"cold", ownStack(b, ECC_SM4_GCM_SM3, 0, false)},
		{"ecdhe", ownStack(b, ECDHE_SM4_GCM_SM3, 16, false)},
		{"resumed", ownStack(b, ECC_SM4_GCM_SM3, 16, true)},
		{"crypto-tls", stdStack(b, false)},
		{"crypto-tls-resumed", stdStack(b, true)},
	} {
		b.Run(stack.name, func(b *testing.B) {
			server := startBench(b, stack.benchStack, sendOneByte)
			server.handshakeOnce(b)
			b.ReportAllocs()
			for b.Loop() {
				server.handshakeOnce(b)
			}
		})
	}
}

// discard reads until the end; a data benchmark's server.
func discard(conn net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}

const bulkSize = 16 << 10

// compareBulk measures writes of 16 KiB against the engine doing the same work
// for one record on one core, and against that followed by a bare TCP write,
// taking turns. Processor time is that of the writing thread.
func compareBulk(b *testing.B, suite uint16, engine func(buf []byte)) {
	same := func(c net.Conn) net.Conn { return c }
	conn, raw := startBench(b, ownStack(b, suite, 16, false), discard).dial(b)
	defer raw.Close()
	bare, _ := startBench(b, benchStack{"tcp", same, same}, discard).dial(b)
	defer bare.Close()
	data := make([]byte, bulkSize)
	work := make([]byte, bulkSize, bulkSize+64)
	write := func(conn net.Conn) {
		if _, err := conn.Write(data); err != nil {
			b.Fatal(err)
		}
	}
	phases := []func(){
		func() { write(conn) },
		func() { engine(work) },
		func() { write(bare) },
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const perTurn = 64
	spent := make([]spentTime, len(phases))
	turns := int64(0)
	for range 100 {
		write(conn)
	}
	b.ReportAllocs()
	for b.Loop() {
		turns++
		for i, phase := range phases {
			start := nowOf(unix.CLOCK_THREAD_CPUTIME_ID)
			for range perTurn {
				phase()
			}
			spent[i].add(start, nowOf(unix.CLOCK_THREAD_CPUTIME_ID))
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, name := range []string{"gmtls", "engine", "tcp"} {
		b.ReportMetric(bulkSize/spent[i].per(turns*perTurn).clock.Seconds()/1e6, name+"-MB/s")
	}
	spent[0].reportRatio(b, spent[1], "engine")
	both := spentTime{spent[1].clock + spent[2].clock, spent[1].cpu + spent[2].cpu}
	spent[0].reportRatio(b, both, "engine+tcp")
}

func BenchmarkRatioBulkGCM(b *testing.B) {
	block, err := sm4.NewCipher(make([]byte, 16))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	nonce, header := make([]byte, 12), make([]byte, authHeaderLen)
	compareBulk(b, ECC_SM4_GCM_SM3, func(buf []byte) { aead.Seal(buf[:0], nonce, buf, header) })
}

func BenchmarkRatioBulkCBC(b *testing.B) {
	block, err := sm4.NewCipher(make([]byte, 16))
	if err != nil {
		b.Fatal(err)
	}
	mode := cipher.NewCBCEncrypter(block, make([]byte, 16))
	hash := sm3.New()
	compareBulk(b, ECC_SM4_CBC_SM3, func(buf []byte) {
		hash.Write(buf)
		mode.CryptBlocks(buf, buf)
	})
}

// BenchmarkRatioRecord seals and opens records of 16 KiB without a network and
// compares with the engine doing the same.
func BenchmarkRatioRecord(b *testing.B) {
	data := make([]byte, bulkSize)
	for _, id := range []uint16{ECC_SM4_GCM_SM3, ECC_SM4_CBC_SM3} {
		b.Run(CipherSuiteName(id), func(b *testing.B) {
			own, _, _ := testKeySchedule(b, suiteByID(id))
			record := make([]byte, 0, 2*bulkSize)
			block, err := sm4.NewCipher(make([]byte, 16))
			if err != nil {
				b.Fatal(err)
			}
			aead, err := cipher.NewGCM(block)
			if err != nil {
				b.Fatal(err)
			}
			nonce, header, hash := make([]byte, 12), make([]byte, authHeaderLen), sm3.New()
			enc, dec := cipher.NewCBCEncrypter(block, make([]byte, 16)), cipher.NewCBCDecrypter(block, make([]byte, 16))
			work := make([]byte, bulkSize, 2*bulkSize)
			var records, engine spentTime
			seq := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				start := now()
				for range 32 {
					seq++
					body, err := own.seal(record, rand.Reader, seq, recordApplicationData, data)
					if err != nil {
						b.Fatal(err)
					}
					if _, ok := own.open(seq, recordApplicationData, body); !ok {
						b.Fatal("the record does not open")
					}
				}
				records.addSince(start)
				start = now()
				for range 32 {
					if id == ECC_SM4_GCM_SM3 {
						sealed := aead.Seal(work[:0], nonce, work[:bulkSize], header)
						if _, err := aead.Open(sealed[:0], nonce, sealed, header); err != nil {
							b.Fatal(err)
						}
						continue
					}
					hash.Write(work)
					enc.CryptBlocks(work, work)
					dec.CryptBlocks(work, work)
					hash.Write(work)
				}
				engine.addSince(start)
			}
			b.ReportMetric(0, "ns/op")
			records.reportRatio(b, engine, "engine")
		})
	}
}

func echo(conn net.Conn) {
	buf := make([]byte, 1024)
	for {
		if _, err := io.ReadFull(conn, buf); err != nil {
			return
		}
		if _, err := conn.Write(buf); err != nil {
			return
		}
	}
}

// BenchmarkRatioPingPong sends 1 KiB and waits for the echo.
func BenchmarkRatioPingPong(b *testing.B) {
	stacks := []benchStack{ownStack(b, ECC_SM4_GCM_SM3, 16, false), stdStack(b, false)}
	conns := make([]net.Conn, len(stacks))
	buf := make([]byte, 1024)
	turn := func(conn net.Conn) {
		for range 64 {
			if _, err := conn.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(conn, buf); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i, stack := range stacks {
		conn, raw := startBench(b, stack, echo).dial(b)
		defer raw.Close()
		conns[i] = conn
		turn(conn)
	}
	spent := make([]spentTime, len(stacks))
	for b.Loop() {
		for i, conn := range conns {
			start := now()
			turn(conn)
			spent[i].addSince(start)
		}
	}
	b.ReportMetric(0, "ns/op")
	spent[0].reportRatio(b, spent[1], "crypto/tls")
}
