// SPDX-License-Identifier: Apache-2.0

package keyd_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

// daemon stands in for gmkeyd and answers as a test wants.
type daemon struct {
	socket   string
	listener net.Listener
	conns    atomic.Int32 // that it has taken
	mu       sync.Mutex
	open     []net.Conn // protected by mu
}

// startDaemon answers each request by a function. One that returns nil ends the connection.
func startDaemon(t *testing.T, answer func(keyd.Request) []byte) *daemon {
	t.Helper()
	d := &daemon{socket: filepath.Join(keydtest.ShortDir(t), "s")}
	d.listen(t, answer)
	return d
}

func (d *daemon) listen(t *testing.T, answer func(keyd.Request) []byte) {
	t.Helper()
	var err error
	d.listener, err = net.Listen("unix", d.socket)
	require.NoError(t, err)
	t.Cleanup(d.stop)
	go func(l net.Listener) {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.conns.Add(1)
			d.mu.Lock()
			d.open = append(d.open, conn)
			d.mu.Unlock()
			go serveConn(conn, answer)
		}
	}(d.listener)
}

func serveConn(conn net.Conn, answer func(keyd.Request) []byte) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		r, err := keyd.ReadRequest(in, func(keyd.Request) error { return nil })
		if err != nil {
			return
		}
		raw := answer(r)
		if raw == nil {
			return
		}
		if _, err := conn.Write(raw); err != nil {
			return
		}
	}
}

// stop ends the daemon and all of its connections.
func (d *daemon) stop() {
	d.listener.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.open {
		conn.Close()
	}
	d.open = nil
}

func (d *daemon) do(limit time.Duration, op keyd.Operation, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return keyd.ClientFor(d.socket).Do(ctx, op, "sdf:device=d;index=1;usage=sign", payload)
}

func ok(payload []byte) []byte { return keyd.AppendResponse(nil, keyd.OK, payload) }

func codeOf(t *testing.T, err error) keyd.Code {
	t.Helper()
	var e *keyd.Error
	require.ErrorAs(t, err, &e)
	return e.Code
}

// What is not the protocol fails at once: it is not asked for again.
func TestWrongAnswers(t *testing.T) {
	for name, raw := range map[string][]byte{
		"another version": {0, 0, 0, 2, 2, 0},
		"too short":       {0, 0, 0, 1, 1, 0},
		"too long":        {0, 0x40, 0, 1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			d := startDaemon(t, func(keyd.Request) []byte { asked.Add(1); return raw })
			_, err := d.do(5*time.Second, keyd.OpPublic, nil)
			require.Equal(t, keyd.Unavailable, codeOf(t, err))
			require.ErrorContains(t, err, "protocol error: answer of version")
			require.EqualValues(t, 1, asked.Load())
		})
	}
}

// A daemon that does not answer holds up nobody for longer than the operation may take and a moment. The default time bounds those
// that name none.
func TestSilentDaemon(t *testing.T) {
	silent := make(chan struct{})
	defer close(silent)
	var asked atomic.Int64
	d := startDaemon(t, func(r keyd.Request) []byte { asked.Store(int64(r.Timeout)); <-silent; return nil })
	begun := time.Now()
	_, err := d.do(300*time.Millisecond, keyd.OpPublic, nil)
	require.Equal(t, keyd.Unavailable, codeOf(t, err))
	require.ErrorContains(t, err, "no answer in time")
	require.Less(t, time.Since(begun), keyd.DefaultTimeout-time.Second)

	// One that is given up ends at once. It named no time.
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	begun = time.Now()
	_, err = keyd.ClientFor(d.socket).Do(ctx, keyd.OpPublic, "", nil)
	require.Equal(t, keyd.Unavailable, codeOf(t, err))
	require.Less(t, time.Since(begun), keyd.DefaultTimeout-time.Second)
	require.Greater(t, asked.Load(), int64(5*time.Second))
	require.LessOrEqual(t, asked.Load(), int64(keyd.DefaultTimeout))
}

// A daemon that answers when the time is over is heard: it knows the reason.
func TestLateReason(t *testing.T) {
	d := startDaemon(t, func(r keyd.Request) []byte {
		time.Sleep(r.Timeout + 200*time.Millisecond)
		return keyd.AppendResponse(nil, keyd.Unavailable, []byte("the device is away"))
	})
	_, err := d.do(300*time.Millisecond, keyd.OpPublic, nil)
	require.ErrorContains(t, err, "the device is away")
}

// A process has a bounded number of operations under way, each on a connection, which is used again.
func TestOperationsAtOnce(t *testing.T) {
	const most = 64
	gate := make(chan struct{})
	var underWay atomic.Int32
	d := startDaemon(t, func(keyd.Request) []byte { underWay.Add(1); <-gate; return ok(nil) })
	var all sync.WaitGroup
	for range most {
		all.Go(func() {
			if _, err := d.do(20*time.Second, keyd.OpPublic, nil); err != nil {
				t.Error(err)
			}
		})
	}
	require.Eventually(t, func() bool { return underWay.Load() == most }, 10*time.Second, time.Millisecond)
	_, err := d.do(200*time.Millisecond, keyd.OpPublic, nil)
	require.Equal(t, keyd.Unavailable, codeOf(t, err))
	require.ErrorContains(t, err, "64 operations are under way and none ended in time")
	close(gate)
	all.Wait()
	for range 2 * most {
		_, err := d.do(20*time.Second, keyd.OpPublic, nil)
		require.NoError(t, err)
	}
	require.EqualValues(t, most, d.conns.Load(), "connections are used again")

	// All of them have gone when the daemon starts again, and none costs a wait of its own.
	d.stop()
	d.listen(t, func(keyd.Request) []byte { return ok(nil) })
	begun := time.Now()
	_, err = d.do(20*time.Second, keyd.OpPublic, nil)
	require.NoError(t, err)
	require.Less(t, time.Since(begun), 10*time.Second)
}

// An operation whose context has no end takes the default time at most, for a place as well as for a daemon that is not there. One that
// is given up ends at once.
func TestDefaultTime(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	defer close(gate)
	var underWay atomic.Int32
	busy := startDaemon(t, func(keyd.Request) []byte { underWay.Add(1); <-gate; return nil })
	for range 64 {
		go func() { _, _ = busy.do(time.Minute, keyd.OpPublic, nil) }()
	}
	require.Eventually(t, func() bool { return underWay.Load() == 64 }, 10*time.Second, time.Millisecond)
	absent := filepath.Join(keydtest.ShortDir(t), "s")
	begun := time.Now()
	failed := make(chan error, 2)
	for _, socket := range []string{busy.socket, absent} {
		go func() {
			_, err := keyd.ClientFor(socket).Do(context.Background(), keyd.OpPublic, "", nil)
			failed <- err
		}()
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := keyd.ClientFor(absent).Do(ctx, keyd.OpPublic, "", nil)
	require.Equal(t, keyd.Unavailable, codeOf(t, err))
	require.Less(t, time.Since(begun), keyd.DefaultTimeout-time.Second)
	for range 2 {
		select {
		case err := <-failed:
			require.Equal(t, keyd.Unavailable, codeOf(t, err))
			require.Greater(t, time.Since(begun), keyd.DefaultTimeout-time.Second)
		case <-time.After(2 * keyd.DefaultTimeout):
			t.Fatal("it does not end")
		}
	}
}

// A connection that failed is closed.
func TestFailedConnectionIsClosed(t *testing.T) {
	socket := filepath.Join(keydtest.ShortDir(t), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer l.Close()
	closed := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			closed <- err
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		_, _ = keyd.ReadRequest(in, nil)
		_, _ = conn.Write([]byte{0, 0, 0, 2, 9, 0})
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = in.ReadByte()
		closed <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = keyd.ClientFor(socket).Do(ctx, keyd.OpPublic, "", nil)
	require.ErrorContains(t, err, "keyd: public by "+socket+": ", "an operation without a key")
	require.ErrorIs(t, <-closed, io.EOF)
}

// A daemon that turns a user away answers without reading. The user learns why, even in the midst of a large request.
func TestTurnedAway(t *testing.T) {
	socket := filepath.Join(keydtest.ShortDir(t), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write(keyd.AppendResponse(nil, keyd.Denied, []byte("not among the users")))
			conn.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = keyd.ClientFor(socket).Do(ctx, keyd.OpSignMessage, "", make([]byte, 4<<20))
	require.Equal(t, keyd.Denied, codeOf(t, err))
	require.ErrorContains(t, err, "not among the users")
}

// software is a daemon whose keys are in memory, and which a test lets do wrong.
type software struct {
	sm2Key   *sm2.PrivateKey
	ecKey    *ecdsa.PrivateKey
	messages bool                // it signs messages
	spoil    func([]byte) []byte // what it does to signatures
}

func (s *software) answer(r keyd.Request) []byte {
	switch {
	case r.Op == keyd.OpSignDigest && s.messages, r.Op == keyd.OpSignMessage && !s.messages:
		return keyd.AppendResponse(nil, keyd.OtherForm, []byte("the other form"))
	case r.Op == keyd.OpSignDigest || r.Op == keyd.OpSignMessage:
	default:
		return keyd.AppendResponse(nil, keyd.Failed, []byte("refused"))
	}
	var signature []byte
	var err error
	switch {
	case s.ecKey != nil:
		signature, err = ecdsa.SignASN1(rand.Reader, s.ecKey, r.Payload)
	case s.messages:
		signature, err = s.sm2Key.Sign(rand.Reader, r.Payload, sm2.DefaultSM2SignerOpts)
	default:
		signature, err = sm2.SignASN1(rand.Reader, s.sm2Key, r.Payload, nil)
	}
	if err != nil {
		return keyd.AppendResponse(nil, keyd.Failed, []byte(err.Error()))
	}
	if s.spoil != nil {
		signature = s.spoil(signature)
	}
	return ok(signature)
}

// start starts the daemon and returns its key.
func (s *software) start(t *testing.T) *keyd.Key {
	t.Helper()
	d := startDaemon(t, s.answer)
	public := crypto.PublicKey(nil)
	if s.ecKey != nil {
		public = &s.ecKey.PublicKey
	} else {
		s.sm2Key = keydtest.NewKey(t)
		public = &s.sm2Key.PublicKey
	}
	k, err := keyd.NewKey(keyd.Reference{URI: keyd.URI{Scheme: "sdf", Device: "d", Index: 1, Usage: keyd.UsageSign}, Socket: d.socket, Public: public})
	require.NoError(t, err)
	return k
}

// longForm writes the length of a signature in two bytes, which DER forbids.
func longForm(signature []byte) []byte {
	return append([]byte{0x30, 0x81, byte(len(signature) - 2)}, signature[2:]...)
}

// otherS changes s.
func otherS(signature []byte) []byte {
	var raw struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &raw); err != nil {
		panic(err)
	}
	raw.S.Add(raw.S, big.NewInt(1))
	changed, err := asn1.Marshal(raw)
	if err != nil {
		panic(err)
	}
	return changed
}

// No signature is handed out that does not verify, whatever is signed and by whatever key.
func TestSignaturesAreChecked(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	digest := sha256.Sum256([]byte("m"))
	for name, spoil := range map[string]func([]byte) []byte{"another s": otherS, "not DER": longForm, "empty": func([]byte) []byte { return nil }} {
		for _, messages := range []bool{false, true} {
			s := &software{messages: messages}
			k := s.start(t)
			signature, err := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
			require.NoError(t, err)
			require.True(t, sm2.VerifyASN1WithSM2(&s.sm2Key.PublicKey, nil, []byte("m"), signature))
			s.spoil = spoil
			_, err = k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
			require.Equal(t, keyd.WrongKey, codeOf(t, err), name)
			if !messages {
				_, err = k.Sign(nil, digest[:], crypto.Hash(0))
				require.Equal(t, keyd.WrongKey, codeOf(t, err), name)
			}
		}
		s := &software{ecKey: ec}
		k := s.start(t)
		_, err = k.Sign(nil, digest[:], crypto.SHA256)
		require.NoError(t, err)
		s.spoil = spoil
		_, err = k.Sign(nil, digest[:], crypto.SHA256)
		require.Equal(t, keyd.WrongKey, codeOf(t, err), name)
	}
}

// That a key signs messages is learned from the daemon, also when it changes. It is no failure of the device.
func TestOtherForm(t *testing.T) {
	keyd.OnFailure = func(string, string, error) { t.Error("a failure is reported") }
	defer func() { keyd.OnFailure = nil }()
	s := &software{}
	k := s.start(t)
	for range 2 {
		for _, s.messages = range []bool{false, true} {
			_, err := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
			require.NoError(t, err)
		}
	}
	_, err := k.Sign(nil, make([]byte, 32), crypto.Hash(0))
	require.ErrorContains(t, err, "its token hashes by itself")
	_, err = k.Sign(nil, make([]byte, keyd.MaxMessage+1), sm2.DefaultSM2SignerOpts)
	require.ErrorContains(t, err, "is above the 134217728 it gets")
}

// A ciphertext that is too long is the fault of whoever sent it, and goes to no device.
func TestLongCiphertext(t *testing.T) {
	keyd.OnFailure = func(string, string, error) { t.Error("a failure is reported") }
	defer func() { keyd.OnFailure = nil }()
	k := (&software{}).start(t)
	_, err := k.Decrypt(nil, make([]byte, 8<<10+1), nil)
	require.Equal(t, keyd.Failed, codeOf(t, err))
	require.ErrorContains(t, err, "too long")
	_, err = k.Decrypt(nil, make([]byte, 8<<10), nil)
	require.ErrorContains(t, err, "refused")
}

// A failure of the device is reported, one of the input is not. Only a ciphertext can be at fault.
func TestFailuresAreReported(t *testing.T) {
	var reported atomic.Int32
	keyd.OnFailure = func(string, string, error) { reported.Add(1) }
	defer func() { keyd.OnFailure = nil }()
	code := keyd.Failed
	d := startDaemon(t, func(keyd.Request) []byte { return keyd.AppendResponse(nil, code, []byte("no")) })
	k, err := keyd.NewKey(keyd.Reference{URI: keyd.URI{Scheme: "sdf", Device: "d", Index: 1, Usage: keyd.UsageSign}, Socket: d.socket, Public: &keydtest.NewKey(t).PublicKey})
	require.NoError(t, err)
	for _, code = range []keyd.Code{keyd.Failed, keyd.Unavailable, keyd.Unusable, keyd.Denied, keyd.NoKey} {
		before := reported.Load()
		_, err := k.Sign(nil, []byte("m"), sm2.DefaultSM2SignerOpts)
		var e *keyd.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, code, e.Code)
		require.True(t, e.DeviceUnavailable())
		require.Equal(t, before+1, reported.Load())

		_, err = k.Decrypt(nil, []byte("c"), nil)
		require.ErrorAs(t, err, &e)
		require.Equal(t, code, e.Code)
		require.Equal(t, code != keyd.Failed, e.DeviceUnavailable())
		require.Equal(t, code != keyd.Failed, reported.Load() == before+2)
	}
}

// The bytes of the device are combined with those of the system, each once. An answer that is too short is an error.
func TestRandom(t *testing.T) {
	var fetched []byte
	short := 0
	d := startDaemon(t, func(keyd.Request) []byte {
		stock := make([]byte, keyd.MaxRandom-short)
		for i := range stock {
			stock[i] = byte(len(fetched)>>12 + i*7)
		}
		fetched = append(fetched, stock...)
		return ok(stock)
	})
	cryptotest.SetGlobalRandom(t, 1)
	system := make([]byte, 6000)
	_, _ = rand.Read(system[:10])
	_, _ = rand.Read(system[10:])
	cryptotest.SetGlobalRandom(t, 1)
	r := keyd.Random(d.socket, "")
	got := make([]byte, 6000)
	for _, part := range [][]byte{got[:10], got[10:]} {
		n, err := r.Read(part)
		require.NoError(t, err)
		require.Len(t, part, n)
	}
	require.Len(t, fetched, 2*keyd.MaxRandom)
	want := make([]byte, 6000)
	subtle.XORBytes(want, system, fetched)
	require.True(t, bytes.Equal(want, got))

	short = 1
	_, err := r.Read(make([]byte, keyd.MaxRandom))
	require.ErrorContains(t, err, "fewer bytes than asked for")
}

// While a device gives no random bytes, nobody waits for the attempts of others. Who comes after a failure tries for itself.
func TestRandomOfMany(t *testing.T) {
	defer keyd.SetRandomTimeout(keyd.SetRandomTimeout(time.Second))
	var away atomic.Bool
	away.Store(true)
	d := startDaemon(t, func(keyd.Request) []byte {
		if away.Load() {
			return nil // and the client tries again
		}
		return ok(make([]byte, keyd.MaxRandom))
	})
	r := keyd.Random(d.socket, "")
	begun := time.Now()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			p := []byte("not random")
			if _, err := r.Read(p); err == nil || !bytes.Equal(p, make([]byte, len(p))) {
				t.Errorf("read %x, %v", p, err)
			}
		})
	}
	all.Wait()
	require.Less(t, time.Since(begun), 3*time.Second)
	away.Store(false)
	_, err := r.Read(make([]byte, 10))
	require.NoError(t, err)
}

// The wire has bounds, which hold before anything is read.
func TestBoundsOfRequests(t *testing.T) {
	large := errors.New("large")
	read := func(r keyd.Request, length int) error {
		raw := keyd.AppendRequest(nil, r)
		if length != 0 {
			raw[0], raw[1], raw[2], raw[3] = byte(length>>24), byte(length>>16), byte(length>>8), byte(length)
		}
		_, err := keyd.ReadRequest(bytes.NewReader(raw), func(keyd.Request) error { return large })
		return err
	}
	require.NoError(t, read(keyd.Request{Op: keyd.OpDecrypt, Payload: make([]byte, 8<<10)}, 0))
	require.NoError(t, read(keyd.Request{Op: keyd.OpPublic, Name: string(make([]byte, 1024))}, 0))
	require.ErrorIs(t, read(keyd.Request{Op: keyd.OpPublic, Name: string(make([]byte, 1025))}, 0), keyd.ErrProtocol)
	require.ErrorIs(t, read(keyd.Request{Op: keyd.OpDecrypt, Payload: make([]byte, 8<<10+1)}, 0), keyd.ErrProtocol)
	require.ErrorIs(t, read(keyd.Request{Op: keyd.OpSignMessage, Payload: make([]byte, 8<<10+1)}, 0), large)
	require.ErrorIs(t, read(keyd.Request{Op: keyd.OpSignMessage}, 8+keyd.MaxMessage), large)
	require.ErrorIs(t, read(keyd.Request{Op: keyd.OpSignMessage}, 8+keyd.MaxMessage+1), keyd.ErrProtocol)
	require.ErrorIs(t, read(keyd.Request{Op: keyd.OpPublic}, 7), keyd.ErrProtocol)

	raw := keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpSignMessage, Payload: make([]byte, 9000)})
	_, err := keyd.ReadRequest(bytes.NewReader(raw[:len(raw)-1]), func(keyd.Request) error { return nil })
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "a large payload that ends early")
	for given, want := range map[time.Duration]time.Duration{-time.Second: 0, time.Second: time.Second, 1 << 62: 1 << 31 * time.Millisecond} {
		r, err := keyd.ReadRequest(bytes.NewReader(keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpPublic, Timeout: given})), nil)
		require.NoError(t, err)
		require.Equal(t, want, r.Timeout)
	}
}

// A reference to a key of another kind than a device can have is refused.
func TestReferenceOfAnotherKind(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	r := keyd.Reference{URI: keyd.URI{Scheme: "sdf", Device: "d", Index: 1, Usage: keyd.UsageSign}, Socket: "/s", Public: &other.PublicKey}
	text, err := r.Encode()
	require.NoError(t, err)
	_, err = keyd.ParseReference(text)
	require.ErrorContains(t, err, "is neither SM2 nor ECDSA")
	_, err = keyd.NewKey(r)
	require.ErrorContains(t, err, "is neither SM2 nor ECDSA")
	r.Public, r.Socket = &keydtest.NewKey(t).PublicKey, ""
	text, err = r.Encode()
	require.NoError(t, err)
	k, err := keyd.ParseReference(bytes.Replace(text, []byte("Socket: \n"), nil, 1))
	require.NoError(t, err)
	require.Equal(t, keyd.DefaultSocket, k.Reference().Socket)
}
