// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
)

// nobody is a user of every host.
const nobody = 65534

// connsOfUser is what the server lets one user have.
const connsOfUser = 512

// linesOfStrangers is how many lines about strangers it writes at once, and a second in the long run.
const linesOfStrangers = 20

// openTo lets other users of the host reach the socket.
func openTo(t testing.TB, socket string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	require.NoError(t, os.Chmod(filepath.Dir(socket), 0o755))
}

// dialAs connects as another user. The kernel notes the user of the thread that connects.
func dialAs(uid int, socket string) (net.Conn, error) {
	runtime.LockOSThread()
	keep := ^uintptr(0)
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, keep, uintptr(uid), keep); e != 0 {
		return nil, e // the thread ends with its goroutine
	}
	conn, err := net.Dial("unix", socket)
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, keep, 0, keep); e != 0 {
		return nil, e
	}
	runtime.UnlockOSThread()
	return conn, err
}

// answerOf reads one response.
func answerOf(t testing.TB, conn net.Conn) (keyd.Code, string) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	head := make([]byte, 6)
	_, err := io.ReadFull(conn, head)
	require.NoError(t, err)
	body := make([]byte, binary.BigEndian.Uint32(head)-2)
	_, err = io.ReadFull(conn, body)
	require.NoError(t, err)
	return keyd.Code(head[5]), string(body)
}

// Strangers who connect as fast as they can are refused, fill no log, and hold up nobody.
func TestStrangersAtOnce(t *testing.T) {
	d := keydtest.StartSDF(t)
	openTo(t, d.Socket)
	sign, _ := keysOf(t, d)
	mustSign(t, d, sign)
	begun := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := dialAs(nobody, d.Socket)
				if err == nil { // otherwise the queue of the socket is full
					_, _ = conn.Write([]byte("\x40\x00\x00\x00\x01\x03"))
					conn.Close()
				}
			}
		})
	}
	for range 20 {
		mustSign(t, d, sign)
		time.Sleep(100 * time.Millisecond)
	}
	fresh, err := net.Dial("unix", d.Socket)
	for end := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(end); fresh, err = net.Dial("unix", d.Socket) {
		time.Sleep(5 * time.Millisecond) // as clients do
	}
	require.NoError(t, err, "a user gets through")
	fresh.Close()
	stop()
	all.Wait()
	refused := strings.Count(d.Log(), "user refused")
	require.Positive(t, refused)
	require.LessOrEqual(t, refused, linesOfStrangers*(2+int(time.Since(begun).Seconds())))
	time.Sleep(time.Second)
	conn, err := dialAs(nobody, d.Socket)
	require.NoError(t, err)
	defer conn.Close()
	code, text := answerOf(t, conn)
	require.Equal(t, keyd.Denied, code)
	require.Contains(t, text, "user 65534 is not among the users")
	require.NoError(t, d.WaitLog(within(t, 5*time.Second), "lines left out before"))
}

// A user who takes all the connections that there are takes only its share of them, whatever it does on them.
func TestUserTakesItsShare(t *testing.T) {
	d := keydtest.PrepareSDF(t, keydtest.SDF)
	openTo(t, d.Socket)
	require.NoError(t, d.Configure(d.Standard()+"users:\n- user: nobody\n  keys: ['"+encryptURI+"']\n"))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	sign, _ := keysOf(t, d)
	mustSign(t, d, sign)

	var conns []net.Conn
	shut := func() {
		for _, conn := range conns {
			conn.Close()
		}
	}
	defer func() { shut() }()
	public := keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpPublic, Timeout: time.Minute, Name: encryptURI})
	for i := range connsOfUser {
		conn, err := dialAs(nobody, d.Socket)
		for ; err != nil; conn, err = dialAs(nobody, d.Socket) {
			time.Sleep(time.Millisecond)
		}
		conns = append(conns, conn)
		switch i % 4 {
		case 0: // says nothing
		case 1: // half a request
			_, err = conn.Write(public[:7])
		case 2: // reads no answer
			_, err = conn.Write([]byte(strings.Repeat(string(keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpStatus})), 2000)))
		case 3: // asks for what it may not use
			_, err = conn.Write(keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpSignDigest, Timeout: time.Minute, Name: signURI, Payload: make([]byte, 32)}))
		}
		require.NoError(t, err)
	}
	more, err := dialAs(nobody, d.Socket)
	require.NoError(t, err)
	defer more.Close()
	code, text := answerOf(t, more)
	require.Equal(t, keyd.Unavailable, code)
	require.Contains(t, text, "user 65534 has 512 connections")
	code, _ = answerOf(t, conns[3])
	require.Equal(t, keyd.Denied, code)
	mustSign(t, d, sign)
	fresh, err := net.Dial("unix", d.Socket)
	require.NoError(t, err)
	defer fresh.Close()
	_, err = fresh.Write(keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpPublic, Timeout: time.Minute, Name: signURI}))
	require.NoError(t, err)
	code, _ = answerOf(t, fresh)
	require.Equal(t, keyd.OK, code, "another user's new connection")
	require.Less(t, strings.Count(d.Log(), "user 65534 may not use this key"), connsOfUser/4, "the log is bounded")

	shut()
	conns = nil
	require.Eventually(t, func() bool {
		conn, err := dialAs(nobody, d.Socket)
		if err != nil {
			return false
		}
		defer conn.Close()
		if _, err = conn.Write(public); err != nil {
			return false
		}
		code, _ := answerOf(t, conn)
		return code == keyd.OK
	}, 10*time.Second, 50*time.Millisecond, "connections that end are free again")
}

// A user who asks for more than a device can do waits for itself: another user's next signature comes after those under way, and not
// after all that the first one waits for.
func TestUsersTakeTurns(t *testing.T) {
	for _, sessions := range []uint32{1, 4} {
		d := keydtest.PrepareSDF(t, keydtest.SDF)
		openTo(t, d.Socket)
		require.NoError(t, d.Configure(d.Standard()+"users:\n- user: nobody\n"))
		d.Folder.Set(keydtest.SessionLimit, sessions)
		require.NoError(t, d.Start())
		t.Cleanup(d.Kill)
		sign, _ := keysOf(t, d)
		mustSign(t, d, sign)
		d.Folder.Set(keydtest.DelayMicroseconds, 10_000)

		const flood = 200
		request := keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpSignDigest, Timeout: time.Minute, Name: signURI, Payload: make([]byte, 32)})
		for range flood {
			conn, err := dialAs(nobody, d.Socket)
			for ; err != nil; conn, err = dialAs(nobody, d.Socket) {
				time.Sleep(time.Millisecond)
			}
			t.Cleanup(func() { conn.Close() })
			go func() {
				answer := make([]byte, 512)
				for err := error(nil); err == nil; {
					if _, err = conn.Write(request); err == nil {
						_, err = conn.Read(answer)
					}
				}
			}()
		}
		before := d.Folder.Get(keydtest.Signatures)
		require.Eventually(t, func() bool { return d.Folder.Get(keydtest.Signatures) > before+2*flood }, 20*time.Second, time.Millisecond)
		fewest := uint32(math.MaxUint32) // of several, since this process may have to wait for the processor
		for range 20 {
			before, begun := d.Folder.Get(keydtest.Signatures), time.Now()
			mustSign(t, d, sign)
			made := d.Folder.Get(keydtest.Signatures) - before
			fewest = min(fewest, made)
			t.Logf("%d sessions: %v, and %d signatures in all", sessions, time.Since(begun).Round(time.Millisecond), made)
		}
		require.LessOrEqual(t, fewest, 3*sessions+2, "of %d that another user waits for", flood)
		d.Kill()
	}
}

// Large messages are read for a key that signs messages and that the user may use, by whatever name; those of one user do not hold up
// another's.
func TestLargeMessages(t *testing.T) {
	d := prepareToken(t, "tass", "    preset: tass-sm3\n")
	openTo(t, d.Socket)
	text, err := os.ReadFile(d.Config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(d.Config, append(text, "users:\n- user: nobody\n  keys: ['"+peerURI+"']\n"...), 0o600))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	k := d.signer(t)
	message := make([]byte, 100_000)
	require.NoError(t, k.Check(within(t, 10*time.Second)))

	as := func(uid int, name string, length, sent int) net.Conn {
		conn, err := dialAs(uid, d.Socket)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		request := keyd.AppendRequest(nil, keyd.Request{Op: keyd.OpSignMessage, Timeout: 10 * time.Second, Name: name, Payload: make([]byte, length)})
		_, _ = conn.Write(request[:len(request)-length+sent])
		return conn
	}
	code, _ := answerOf(t, as(nobody, "pkcs11:object=peer", 100_000, 100_000))
	require.Equal(t, keyd.OK, code, "by a shorter name than the configuration has")
	code, _ = answerOf(t, as(nobody, "pkcs11:object=other", 100_000, 0))
	require.Equal(t, keyd.Denied, code, "before it is read")
	code, _ = answerOf(t, as(nobody, "pkcs11:object=none", 100_000, 0))
	require.Equal(t, keyd.NoKey, code, "before it is read")

	var half []net.Conn
	for range 2 {
		half = append(half, as(nobody, peerURI, 64<<20, 9000)) // and never the rest
	}
	time.Sleep(300 * time.Millisecond)
	waiting, begun := as(nobody, peerURI, 100_000, 0), time.Now()
	for range 8 {
		signature, err := k.SignContext(within(t, 5*time.Second), message, sm2.DefaultSM2SignerOpts)
		require.NoError(t, err)
		require.True(t, sm2.VerifyASN1WithSM2(&d.key.Private.PublicKey, nil, message, signature))
	}
	code, answer := answerOf(t, waiting)
	require.Equal(t, keyd.Unavailable, code)
	require.Contains(t, answer, "user 65534 has 2 large messages under way")
	require.Greater(t, time.Since(begun), 5*time.Second)
	for _, conn := range half {
		conn.Close()
	}
	code, _ = answerOf(t, as(nobody, peerURI, 100_000, 100_000))
	require.Equal(t, keyd.OK, code, "those that end make room")
}

// Restricted users see other users' keys neither in the list nor in the metrics.
func TestKeysOfOthers(t *testing.T) {
	d := keydtest.PrepareSDF(t, keydtest.SDF)
	require.NoError(t, d.Configure(d.Standard()+"users:\n- user: nobody\n  keys: ['"+encryptURI+"']\n"))
	require.NoError(t, d.Start())
	t.Cleanup(d.Kill)
	sign, _ := keysOf(t, d)
	mustSign(t, d, sign)
	for _, command := range []string{"status", "metrics"} {
		out, err := asNobody(t, d, command)
		require.NoError(t, err, out)
		require.Contains(t, out, encryptURI)
		require.NotContains(t, out, signURI)
	}
}
