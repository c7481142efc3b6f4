// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

// away is a device that cannot be reached.
type away struct{}

func (away) Open(func()) error                          { return errors.New("it is away") }
func (away) OpenSession(func()) (device.Session, error) { return nil, errors.New("it is away") }
func (away) Keys(device.Session) ([]device.Key, error)  { return nil, nil }
func (away) Close()                                     {}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// serve serves a device that is away, called d, with short limits, to this user.
func serve(t *testing.T, l limits) (socket string, log *buffer) {
	t.Helper()
	socket, log, end := serveUntil(t, l)
	t.Cleanup(end)
	return socket, log
}

// serveUntil is serve until the function is called, which waits for the end.
func serveUntil(t *testing.T, l limits) (socket string, log *buffer, end func()) {
	t.Helper()
	socket, log = filepath.Join(keydtest.ShortDir(t), "s"), &buffer{}
	listener, err := Listen(socket)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	d := device.New(ctx, away{}, device.Options{
		Name: "d", Type: "sdf", Sessions: 1, Random: true, CallLimit: time.Minute, LookEvery: time.Minute, Log: slog.New(slog.DiscardHandler),
	})
	s := &Server{Devices: []*device.Device{d}, Access: Access{uint32(os.Getuid()): nil}, Log: slog.New(slog.NewTextHandler(log, nil)), limits: l}
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, listener) }()
	return socket, log, func() {
		cancel()
		require.NoError(t, <-ended)
	}
}

// A server that is to end does not wait for clients that ask for nothing.
func TestEndsWithIdleClients(t *testing.T) {
	socket, _, end := serveUntil(t, limits{})
	dial(t, socket)
	used := dial(t, socket)
	ask(t, used, keyd.Request{Op: keyd.OpStatus})
	begun := time.Now()
	end()
	require.Less(t, time.Since(begun), 5*time.Second)
	_, err := used.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// What waits when the server is to end gets no answer: its client sends it again.
func TestEndsWithoutAnswers(t *testing.T) {
	socket, log, end := serveUntil(t, limits{})
	var waiting []net.Conn
	for _, r := range []keyd.Request{
		{Op: keyd.OpRandom, Payload: []byte{0, 0, 0, 1}},
		{Op: keyd.OpSignMessage, Name: "sdf:device=d;index=1;usage=sign", Payload: make([]byte, 9000)},
	} {
		conn := dial(t, socket)
		r.Timeout = time.Minute
		_, err := conn.Write(keyd.AppendRequest(nil, r))
		require.NoError(t, err)
		waiting = append(waiting, conn)
	}
	time.Sleep(200 * time.Millisecond)
	end()
	for _, conn := range waiting {
		answer, _ := io.ReadAll(conn) // ends with a reset where the request was not read to its end
		require.Empty(t, answer)
	}
	require.NotContains(t, log.String(), "request failed")
}

// A user that is not in the configuration may use no key, one without a list every key, and others those of their lists.
func TestAccess(t *testing.T) {
	key := func(index uint32) keyd.URI {
		return keyd.URI{Scheme: "sdf", Device: "d", Index: index, Usage: keyd.UsageSign}
	}
	a := Access{1: nil, 2: {key(1), key(3)}}
	for index, want := range map[uint32][3]bool{1: {false, true, true}, 2: {false, true, false}, 3: {false, true, true}} {
		for uid, allowed := range want {
			require.Equal(t, allowed, a.allows(uint32(uid), key(index)), "user %d, key %d", uid, index)
		}
	}
}

func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	return conn
}

// ask sends a request and reads its answer.
func ask(t *testing.T, conn net.Conn, r keyd.Request) (keyd.Code, string) {
	t.Helper()
	_, err := conn.Write(keyd.AppendRequest(nil, r))
	require.NoError(t, err)
	head := make([]byte, 6)
	_, err = io.ReadFull(conn, head)
	require.NoError(t, err)
	body := make([]byte, binary.BigEndian.Uint32(head)-2)
	_, err = io.ReadFull(conn, body)
	require.NoError(t, err)
	return keyd.Code(head[5]), string(body)
}

// A request that has begun has to be sent in time. A connection without a request may rest.
func TestTimeOfRequest(t *testing.T) {
	socket, log := serve(t, limits{request: 300 * time.Millisecond, wait: time.Minute})
	idle, used, slow := dial(t, socket), dial(t, socket), dial(t, socket)
	code, _ := ask(t, used, keyd.Request{Op: keyd.OpStatus})
	require.Equal(t, keyd.OK, code)
	begun := time.Now()
	_, err := slow.Write(keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpStatus})[:7])
	require.NoError(t, err)
	_, err = slow.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Greater(t, time.Since(begun), 250*time.Millisecond)
	require.Contains(t, log.String(), "client cut off")
	time.Sleep(400 * time.Millisecond)
	for _, conn := range []net.Conn{idle, used} {
		code, _ := ask(t, conn, keyd.Request{Op: keyd.OpStatus})
		require.Equal(t, keyd.OK, code)
	}
}

// A request that begins late in the time of a connection at rest has its whole time.
func TestLateRequest(t *testing.T) {
	t.Parallel()
	socket, _ := serve(t, limits{request: time.Second, wait: time.Minute})
	conn := dial(t, socket)
	request := keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpStatus})
	time.Sleep(1700 * time.Millisecond)
	begun := time.Now()
	_, err := conn.Write(request[:7])
	require.NoError(t, err)
	time.Sleep(600 * time.Millisecond)
	if _, err = conn.Write(request[7:]); err == nil {
		_, err = io.ReadFull(conn, make([]byte, 6))
	}
	if err != nil { // a machine that was busy may have let the whole time pass
		require.Greater(t, time.Since(begun), time.Second, "it was cut off too soon: %v", err)
	}
}

// A client that takes no answers is cut off.
func TestTimeOfAnswer(t *testing.T) {
	socket, _ := serve(t, limits{request: 300 * time.Millisecond, wait: time.Minute})
	conn := dial(t, socket)
	requests := bytes.Repeat(keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpMetrics}), 20000)
	_, err := conn.Write(requests)
	require.Error(t, err, "the daemon reads no more, and closes the connection")
	var timeout net.Error
	require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is still open after ten seconds")
}

// A client cannot wait for a device for as long as it likes. Its answer has a time that begins then.
func TestTimeOfWaiting(t *testing.T) {
	socket, _ := serve(t, limits{request: 100 * time.Millisecond, wait: 300 * time.Millisecond})
	code, text := ask(t, dial(t, socket), keyd.Request{Op: keyd.OpRandom, Timeout: time.Hour, Payload: []byte{0, 0, 0, 1}})
	require.Equal(t, keyd.Unavailable, code)
	require.Contains(t, text, "it is away")
}

// A number of bytes is four bytes, and names of devices are looked at.
func TestRandomRequests(t *testing.T) {
	socket, _ := serve(t, limits{request: time.Minute, wait: 100 * time.Millisecond})
	for _, payload := range [][]byte{nil, {1}, {0, 0, 0, 1, 0}} {
		code, text := ask(t, dial(t, socket), keyd.Request{Op: keyd.OpRandom, Timeout: time.Second, Payload: payload})
		require.Equal(t, keyd.BadRequest, code)
		require.Contains(t, text, "a number of bytes is wanted")
	}
	for _, n := range []uint32{0, keyd.MaxRandom + 1, 1 << 31} {
		code, _ := ask(t, dial(t, socket), keyd.Request{Op: keyd.OpRandom, Timeout: time.Second, Payload: binary.BigEndian.AppendUint32(nil, n)})
		require.Equal(t, keyd.BadRequest, code, "%d bytes", n)
	}
	code, _ := ask(t, dial(t, socket), keyd.Request{Op: keyd.OpRandom, Name: "e", Timeout: time.Second, Payload: []byte{0, 0, 0, 1}})
	require.Equal(t, keyd.NoKey, code)
}

// Operations that do not exist have a place in the metrics.
func TestMetricsOfUnknownOperation(t *testing.T) {
	socket, _ := serve(t, limits{})
	conn := dial(t, socket)
	code, _ := ask(t, conn, keyd.Request{Op: 99, Timeout: time.Second, Name: "sdf:device=d;index=1;usage=sign"})
	require.Equal(t, keyd.BadRequest, code)
	code, text := ask(t, conn, keyd.Request{Op: keyd.OpMetrics})
	require.Equal(t, keyd.OK, code)
	require.Contains(t, text, `gmkeyd_requests_total{operation="operation 0",result="bad-request"} 1`)
}

// A name that is none is not written to the log: there may be a PIN in it.
func TestNamesWithPINs(t *testing.T) {
	socket, log := serve(t, limits{})
	conn := dial(t, socket)
	for _, name := range []string{"pkcs11:object=x?pin-value=1234", "pkcs11:object=x;pin-value=1234", "1234", "sdf:device=d;index=1;usage=1234"} {
		for _, op := range []keyd.Operation{keyd.OpPublic, keyd.OpSignDigest, keyd.OpDecrypt, keyd.OpRandom} {
			code, text := ask(t, conn, keyd.Request{Op: op, Timeout: time.Second, Name: name, Payload: []byte{0, 0, 0, 1}})
			require.NotEqual(t, keyd.OK, code)
			require.NotContains(t, text, "1234")
		}
	}
	_, err := conn.Write(keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpSignMessage, Timeout: time.Second, Name: "pkcs11:object=x?pin-value=1234", Payload: make([]byte, 9000)}))
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, conn) // it is not read, so the connection ends
	if err != nil {
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
	code, _ := ask(t, dial(t, socket), keyd.Request{Op: keyd.OpPublic, Timeout: time.Second, Name: "sdf:device=e;index=1;usage=sign"})
	require.Equal(t, keyd.NoKey, code)
	require.Equal(t, 18, strings.Count(log.String(), "request failed"), log.String())
	require.Contains(t, log.String(), "sdf:device=e;index=1;usage=sign")
	require.NotContains(t, log.String(), "1234")
}

// A token that is away holds up nobody who names another one, by label or by serial.
func TestTokensAreApart(t *testing.T) {
	s := &Server{}
	for _, o := range []device.Options{{Name: "a", Serial: "1"}, {Name: "b", Token: "two", Serial: "2"}} {
		o.Type, o.Sessions, o.CallLimit, o.LookEvery, o.Log = "pkcs11", 1, time.Minute, time.Minute, slog.New(slog.DiscardHandler)
		s.Devices = append(s.Devices, device.New(t.Context(), away{}, o))
	}
	for text, want := range map[string]keyd.Code{
		"serial=3": keyd.NoKey, "token=three;serial=2": keyd.NoKey, "token=two;serial=3": keyd.NoKey, // no device is asked
		"serial=1": keyd.Unavailable, "serial=2": keyd.Unavailable, "token=two": keyd.Unavailable, "token=three": keyd.Unavailable, "type=private": keyd.Unavailable,
	} {
		uri, err := keyd.ParseURI("pkcs11:object=x;" + text)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, _, err = s.deviceOf(ctx, uri)
		cancel()
		require.Equal(t, want, device.CodeOf(err), text)
	}
}

// token is a device with keys of these names, which comes when the channel is closed.
type token struct {
	away
	come  <-chan struct{}
	names []string
}

func (t token) Open(func()) error {
	select {
	case <-t.come:
		return nil
	default:
		return errors.New("it is away")
	}
}

func (t token) OpenSession(func()) (device.Session, error) { return tokenSession{}, nil }

func (t token) Keys(device.Session) (keys []device.Key, err error) {
	for _, name := range t.names {
		keys = append(keys, device.Key{URI: keyd.URI{Scheme: "pkcs11", Token: "t", Object: name}, Err: errors.New("it has no public key")})
	}
	return keys, nil
}

type tokenSession struct{ device.Session }

func (tokenSession) Random(p []byte) error { _, err := rand.Read(p); return err }
func (tokenSession) Close()                {}

// A URI that names no token is looked for in those that are there first. A token that is away is waited for if none of them has the key, and
// found when it comes, while others stay away.
func TestTokensThatAreAway(t *testing.T) {
	here, later := make(chan struct{}), make(chan struct{})
	close(here)
	s := &Server{}
	for name, module := range map[string]device.Module{"away": away{}, "here": token{come: here, names: []string{"x", "z"}}, "later": token{come: later, names: []string{"y", "z"}}} {
		s.Devices = append(s.Devices, device.New(t.Context(), module, device.Options{
			Name: name, Type: "pkcs11", Sessions: 1, CallLimit: time.Minute, LookEvery: time.Minute, Log: slog.New(slog.DiscardHandler),
		}))
	}
	find := func(object string, limit time.Duration) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		d, _, err := s.deviceOf(ctx, keyd.URI{Scheme: "pkcs11", Object: object})
		if err != nil {
			return "", err
		}
		return d.Name, nil
	}
	name, err := find("x", 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, "here", name)
	begun := time.Now()
	name, err = find("z", 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, "here", name)
	require.Less(t, time.Since(begun), 5*time.Second)
	_, err = find("y", 50*time.Millisecond)
	require.Equal(t, keyd.Unavailable, device.CodeOf(err))
	require.ErrorContains(t, err, "it is away")
	time.AfterFunc(100*time.Millisecond, func() { close(later) })
	name, err = find("y", 20*time.Second)
	require.NoError(t, err)
	require.Equal(t, "later", name)
	_, err = find("z", time.Second)
	require.ErrorContains(t, err, "both have it")
}
