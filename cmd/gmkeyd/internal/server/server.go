// SPDX-License-Identifier: Apache-2.0

// Package server answers clients of gmkeyd on a Unix socket. The kernel says which user a client is (SO_PEERCRED), and the [Access] of the
// server says which keys the user may use. The server reads nothing from a client before that.
package server

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/loglimit"
	"golang.org/x/sys/unix"
)

// Bounds of what a client can take.
const (
	requestTime = 30 * time.Second // to send a request that has begun, and to take its answer; up to twice that
	maxWait     = time.Minute      // a client may ask to wait for a session
)

// limits are the first two bounds.
type limits struct{ request, wait time.Duration }

// Access says which keys a user may use. A user without an entry may not even connect.
type Access map[uint32][]keyd.URI

// allows reports whether the user may use the key. No URIs at all mean every key.
func (a Access) allows(uid uint32, key keyd.URI) bool {
	uris, ok := a[uid]
	if !ok {
		return false
	}
	for _, u := range uris {
		if u.Matches(key) {
			return true
		}
	}
	return len(uris) == 0
}

// Server serves the devices.
type Server struct {
	Devices []*device.Device
	Access  Access
	Log     *slog.Logger

	limits    limits // those above if zero
	metrics   metrics
	shares    map[uint32]*share // by user
	strangers loglimit.Limit    // lines about those who are not users
}

// lingers is how long the socket of a daemon that was killed may still take connections, until the kernel has closed it.
const lingers = 2 * time.Second

// Listen makes the socket. One that no daemon listens on any more is replaced, a live one is not.
func Listen(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	alone, err := lock(path + ".lock")
	if err != nil {
		return nil, err
	}
	defer alone.Close()
	for end := time.Now().Add(lingers); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("unix", path)
		// These say that nobody listens. Other errors do not: a daemon whose queue is full has none that answers either.
		if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
			break
		}
		if err == nil {
			conn.Close()
		}
		switch ended := time.Now().After(end); {
		case ended && err != nil:
			return nil, fmt.Errorf("whether another daemon listens on %s cannot be told: %w", path, err)
		case ended:
			return nil, fmt.Errorf("another daemon listens on %s", path)
		}
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s exists and is not a socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// Every user may connect; who is served is decided by the kernel's word, not by the rights of a file.
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// lock has one daemon at a time look at the socket and replace it, so that none takes away what another has just made. The file
// stays: if it were removed, two daemons could lock two files of this name.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%w: another user has started a daemon here: remove this file, or give it to the daemon's user", err)
	}
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(2 * lingers); ; time.Sleep(50 * time.Millisecond) {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			f.Close()
			return nil, fmt.Errorf("another daemon is starting: it has locked %s: %w", path, err)
		}
	}
}

// Serve answers clients until ctx ends, and returns when all requests are answered.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	if s.limits == (limits{}) {
		s.limits = limits{requestTime, maxWait}
	}
	s.strangers.PerSecond = maxLines
	s.shares = map[uint32]*share{}
	for uid := range s.Access {
		s.shares[uid] = newShare()
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			s.Log.Warn("accepting a client", "error", err) // out of files, say
			time.Sleep(100 * time.Millisecond)
			continue
		}
		uid, err := peer(conn)
		mine := s.shares[uid]
		if err != nil || mine == nil {
			s.metrics.denied.Add(1)
			warn(&s.strangers, s.Log, "user refused", "uid", uid, "error", err)
			s.refuse(conn, keyd.Denied, fmt.Sprintf("user %d is not among the users of gmkeyd's configuration", uid))
			continue
		}
		select {
		case mine.conns <- struct{}{}:
		default:
			warn(&mine.log, s.Log, "connection refused: the user has all that it may have", "uid", uid, "connections", maxConns)
			s.refuse(conn, keyd.Unavailable, fmt.Sprintf("user %d has %d connections to gmkeyd already", uid, maxConns))
			continue
		}
		all.Go(func() {
			defer func() { <-mine.conns }()
			s.client(ctx, conn, uid)
		})
	}
}

// peer asks the kernel who is at the other end.
func peer(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	if ctlErr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); ctlErr != nil {
		return 0, ctlErr
	}
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

// refuse answers whatever will be asked, and closes.
func (s *Server) refuse(conn *net.UnixConn, code keyd.Code, reason string) {
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(keyd.AppendResponse(nil, code, []byte(reason)))
	_ = conn.CloseWrite()
	conn.Close()
}

// client answers one client's requests, one after the other.
func (s *Server) client(ctx context.Context, conn *net.UnixConn, uid uint32) {
	defer conn.Close()
	s.metrics.clients.Add(1)
	defer s.metrics.clients.Add(-1)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	in := bufio.NewReaderSize(conn, 1024)
	var out []byte
	var until time.Time
	for {
		if until = s.extend(conn, until); ctx.Err() != nil {
			return
		}
		if _, err := in.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
			continue // clients keep connections
		} else if err != nil {
			return
		}
		until = s.extend(conn, until)
		held := false
		req, err := keyd.ReadRequest(in, func(r keyd.Request) (err error) {
			held, err = s.takeLarge(ctx, uid, r)
			return err
		})
		if err != nil {
			s.cutOff(ctx, conn, uid, req, err)
			s.giveLarge(uid, held)
			return
		}
		begun := time.Now()
		answer, err := s.answer(ctx, uid, req)
		s.giveLarge(uid, held)
		if ended(ctx, err) {
			return
		}
		code := keyd.OK
		if err != nil {
			code, answer = device.CodeOf(err), []byte(err.Error())
			s.note(uid, req, code, err)
		}
		s.metrics.note(req.Op, code, time.Since(begun))
		until = s.extend(conn, until)
		out = keyd.AppendResponse(out[:0], code, answer)
		clear(answer)
		_, err = conn.Write(out)
		clear(out)
		if err != nil {
			return
		}
	}
}

// ended reports whether a request failed since the daemon ends. It gets no answer, so that its client sends it again, to the next daemon.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() != nil && device.CodeOf(err) == keyd.Unavailable
}

// extend gives the connection the time of a request at least, and returns its deadline. It moves the deadline seldom, as each move wakes the
// thread that waits for connections, and the request would wait for that.
func (s *Server) extend(conn *net.UnixConn, until time.Time) time.Time {
	if now := time.Now(); until.Sub(now) < s.limits.request {
		until = now.Add(2 * s.limits.request)
		_ = conn.SetDeadline(until) // of a closed connection, which says so at the next use
	}
	return until
}

// cutOff ends a connection whose request cannot be read, or may not be.
func (s *Server) cutOff(ctx context.Context, conn *net.UnixConn, uid uint32, req keyd.Request, err error) {
	code := device.CodeOf(err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), ended(ctx, err):
		return
	case errors.Is(err, keyd.ErrProtocol):
		code = keyd.BadRequest
	case code == keyd.Failed: // reading failed, or took too long
		warn(&s.shares[uid].log, s.Log, "client cut off", "uid", uid, "error", err)
		return
	}
	s.note(uid, req, code, err)
	_, _ = conn.Write(keyd.AppendResponse(nil, code, []byte(err.Error())))
}

// takeLarge decides whether a large message may be read: for a key that this user may use and that signs messages, and not many at a time.
func (s *Server) takeLarge(ctx context.Context, uid uint32, r keyd.Request) (held bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, min(r.Timeout, s.limits.request))
	defer cancel()
	d, full, err := s.keyOf(ctx, uid, r)
	if err == nil {
		err = d.SignsMessages(ctx, device.User(uid), full)
	}
	if err != nil {
		return false, err
	}
	select {
	case s.shares[uid].large <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return false, device.Refuse(keyd.Unavailable, "user %d has %d large messages under way, and none ended in time", uid, maxLarge)
	}
}

func (s *Server) giveLarge(uid uint32, held bool) {
	if held {
		<-s.shares[uid].large
	}
}

// note logs a failure. Wrong ciphertexts come from strangers, so they are counted and not logged.
func (s *Server) note(uid uint32, req keyd.Request, code keyd.Code, err error) {
	if code == keyd.OtherForm || code == keyd.Failed && req.Op == keyd.OpDecrypt {
		return
	}
	warn(&s.shares[uid].log, s.Log, "request failed", "operation", req.Op.String(), "name", s.loggable(req), "uid", uid, "error", err)
}

// loggable returns the name in a request if it is one of a key or a device, and otherwise nothing: it may have a PIN.
func (s *Server) loggable(req keyd.Request) string {
	if req.Op == keyd.OpRandom {
		for _, d := range s.Devices {
			if d.Name == req.Name {
				return req.Name
			}
		}
		return ""
	}
	if _, err := keyd.ParseURI(req.Name); err != nil {
		return ""
	}
	return req.Name
}

// answer does what a request asks for.
func (s *Server) answer(ctx context.Context, uid uint32, req keyd.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, min(req.Timeout, s.limits.wait))
	defer cancel()
	user := device.User(uid)
	switch req.Op {
	case keyd.OpList:
		return json.Marshal(s.keys(uid))
	case keyd.OpStatus:
		return json.Marshal(s.Status(uid))
	case keyd.OpMetrics:
		return s.metrics.text(s.Devices, s.Status(uid).Devices), nil
	case keyd.OpRandom:
		return s.random(ctx, user, req)
	}
	d, full, err := s.keyOf(ctx, uid, req)
	if err != nil {
		return nil, err
	}
	switch req.Op {
	case keyd.OpPublic:
		return d.Public(ctx, user, full)
	case keyd.OpSignDigest, keyd.OpSignMessage:
		return d.Sign(ctx, user, full, req.Payload, req.Op == keyd.OpSignMessage)
	case keyd.OpDecrypt:
		return d.Decrypt(ctx, user, full, req.Payload)
	}
	return nil, device.Refuse(keyd.BadRequest, "%v is not known", req.Op)
}

// keyOf finds the key that a request names, if the user may use it.
func (s *Server) keyOf(ctx context.Context, uid uint32, req keyd.Request) (*device.Device, keyd.URI, error) {
	uri, err := keyd.ParseURI(req.Name)
	if err != nil {
		return nil, uri, device.Refuse(keyd.BadRequest, "%v", err)
	}
	d, full, err := s.deviceOf(ctx, uri)
	if err == nil && !s.Access.allows(uid, full) {
		err = device.Refuse(keyd.Denied, "user %d may not use this key: see users in gmkeyd's configuration", uid)
	}
	return d, full, err
}

// deviceOf finds the device and the full name of a key. It waits for devices that are away only if none that is there has the key.
func (s *Server) deviceOf(ctx context.Context, uri keyd.URI) (*device.Device, keyd.URI, error) {
	for {
		d, full, away, err := s.lookFor(uri)
		if len(away) == 0 {
			return d, full, err
		}
		waiting, cancel := context.WithCancel(ctx)
		for _, changed := range away {
			go func() {
				select {
				case <-changed:
					cancel()
				case <-waiting.Done():
				}
			}()
		}
		<-waiting.Done()
		cancel()
		if ctx.Err() != nil {
			return nil, uri, err
		}
	}
}

// lookFor asks each device that may have the key. If none has it, the error is that of one that is away, where there is one, and the
// channels are those of the devices that are.
func (s *Server) lookFor(uri keyd.URI) (found *device.Device, full keyd.URI, away []<-chan struct{}, err error) {
	var asked []string
	for _, d := range s.Devices {
		if uri.Scheme != d.Type || uri.Scheme == "sdf" && uri.Device != d.Name {
			continue
		}
		if differ(uri.Token, d.Token) || differ(uri.Serial, d.Serial) {
			continue
		}
		name, changed, failure := d.Resolve(uri)
		switch {
		case failure == nil && found != nil:
			return nil, uri, nil, device.Refuse(keyd.NoKey, "the devices %s and %s both have it: name it by more attributes", found.Name, d.Name)
		case failure == nil:
			found, full = d, name
		case errors.Is(failure, device.ErrNotMine):
			asked = append(asked, d.Name)
		default:
			err = failure
			if changed != nil {
				away = append(away, changed)
			}
		}
	}
	switch {
	case found != nil:
		return found, full, nil, nil
	case err != nil:
	case len(asked) != 0:
		err = device.Refuse(keyd.NoKey, "device %s has no such key", strings.Join(asked, " and device "))
	default:
		err = device.Refuse(keyd.NoKey, "no device of gmkeyd's configuration has this name")
	}
	return nil, uri, away, err
}

// differ reports whether two values are known and not the same.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

func (s *Server) random(ctx context.Context, user device.User, req keyd.Request) ([]byte, error) {
	if len(req.Payload) != 4 {
		return nil, device.Refuse(keyd.BadRequest, "a number of bytes is wanted")
	}
	for _, d := range s.Devices {
		if d.Options.Random && (req.Name == "" || req.Name == d.Name) {
			return d.ReadRandom(ctx, user, int(binary.BigEndian.Uint32(req.Payload)))
		}
	}
	return nil, device.Refuse(keyd.NoKey, "no device of this name has random: true")
}

// keys lists the keys that the user may use.
func (s *Server) keys(uid uint32) []keyd.KeyState {
	all := []keyd.KeyState{}
	for _, d := range s.Status(uid).Devices {
		all = append(all, d.Keys...)
	}
	return all
}

// Status returns the state of the devices. It is healthy if every device is ready and every key can be used.
func (s *Server) Status(uid uint32) keyd.Status {
	status := keyd.Status{Healthy: true}
	for _, d := range s.Devices {
		state := d.State()
		status.Healthy = status.Healthy && state.Ready
		mine := []keyd.KeyState{}
		for _, k := range state.Keys {
			status.Healthy = status.Healthy && (k.Error == "" || k.Spare)
			if uri, err := keyd.ParseURI(k.URI); err == nil && s.Access.allows(uid, uri) {
				mine = append(mine, k)
			}
		}
		state.Keys = mine
		status.Devices = append(status.Devices, state)
	}
	return status
}
