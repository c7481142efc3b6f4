// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/stretchr/testify/require"
)

// scripted is a device whose calls a test can make fail. It counts what is open.
type scripted struct {
	*fake
	open           func() error
	keys           func() ([]Key, error)
	has            func(*Key) error
	close, end     func()       // of a session, and of the connection
	devices, inUse atomic.Int32 // connections and sessions that are open
	mostSessions   atomic.Int32
}

func (s *scripted) Open(func()) error {
	if s.open != nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	s.devices.Add(1)
	return nil
}

func (s *scripted) Close() {
	s.devices.Add(-1)
	if s.end != nil {
		s.end()
	}
}

func (s *scripted) OpenSession(step func()) (Session, error) {
	s.mostSessions.Store(max(s.mostSessions.Load(), s.inUse.Add(1)))
	return scriptedSession{fakeSession{s.fake, step}, s}, nil
}

func (s *scripted) Keys(session Session) ([]Key, error) {
	if s.keys != nil {
		return s.keys()
	}
	return s.fake.Keys(session)
}

type scriptedSession struct {
	fakeSession
	device *scripted
}

func (s scriptedSession) Close() {
	s.device.inUse.Add(-1)
	if s.device.close != nil {
		s.device.close()
	}
}

func (s scriptedSession) Has(k *Key) error {
	if s.device.has != nil {
		return s.device.has(k)
	}
	return nil
}

func startScripted(t *testing.T, s *scripted, o Options) *Device {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	o.Name, o.Log = "d", slog.New(slog.DiscardHandler)
	o.CallLimit, o.LookEvery = max(o.CallLimit, 200*time.Millisecond), max(o.LookEvery, 10*time.Millisecond)
	if o.Sessions == 0 {
		o.Sessions = 3
	}
	return New(ctx, s, o)
}

func mustSign(t *testing.T, d *Device, uri keyd.URI) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := d.Sign(ctx, 0, uri, make([]byte, 32), false)
	require.NoError(t, err)
}

// times returns a function that fails with the error so many times, once one that does the first time.
func times(n int32, err error) func() error {
	var done atomic.Int32
	return func() error {
		if done.Add(1) > n {
			return nil
		}
		return err
	}
}

func once(err error) func() error { return times(1, err) }

// gone is a device that does not show its keys so many times.
func gone(n int32) func(*Key) error {
	f := times(n, errors.New("not there"))
	return func(*Key) error { return f() }
}

// Whatever fails while a connection is made, it is made again, and the sessions and the connection that there were are closed before.
func TestConnectAgain(t *testing.T) {
	lostErr := &Error{Call: "call", Class: Lost}
	for name, prepare := range map[string]func(*scripted){
		"open": func(s *scripted) { s.open = once(lostErr) },
		"keys": func(s *scripted) {
			f := once(lostErr)
			s.keys = func() ([]Key, error) { list, _ := s.fake.Keys(nil); return list, f() }
		},
		"self-test":     func(s *scripted) { s.fail, s.has = times(2, lostErr), gone(1) },
		"broken":        func(s *scripted) { s.fail, s.has = times(2, &Error{Call: "call", Class: Broken}), gone(1) },
		"vendor's code": func(s *scripted) { s.fail, s.has = times(2, &Error{Call: "call", Class: Unknown}), gone(1) },
		"not a code":    func(s *scripted) { s.open = once(errors.New("no such file")) },
		"refused first": func(s *scripted) { s.open = once(&Error{Call: "call", Class: Refused}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{fake: newFake(t)}
			prepare(s)
			d := startScripted(t, s, Options{})
			mustSign(t, d, uriOf(1))
			require.EqualValues(t, 1, d.Counters.Connects.Load())
			require.EqualValues(t, 1, s.devices.Load())
			require.EqualValues(t, 3, s.inUse.Load())
			require.EqualValues(t, 3, s.mostSessions.Load())
		})
	}
}

// A fault that is there once in a self-test is none. A key that has it again is out of use, and the device is not.
func TestFaultInSelfTest(t *testing.T) {
	for _, class := range []Class{Lost, Broken, Unknown, KeyGone} {
		t.Run(fmt.Sprint(class), func(t *testing.T) {
			t.Parallel()
			s := &scripted{fake: newFake(t)}
			s.fail = once(&Error{Call: "sign", Class: class})
			d := startScripted(t, s, Options{LookEvery: time.Minute})
			mustSign(t, d, uriOf(1))
			require.EqualValues(t, 1, d.Counters.Connects.Load())

			s = &scripted{fake: newFake(t)}
			s.fake.keys = 2
			s.fail = times(2, &Error{Call: "sign", Class: class})
			d = startScripted(t, s, Options{LookEvery: time.Minute})
			mustSign(t, d, uriOf(2))
			_, err := d.Sign(t.Context(), 0, uriOf(1), make([]byte, 32), false)
			require.Equal(t, keyd.Unusable, CodeOf(err))
			require.EqualValues(t, 1, d.Counters.Connects.Load())
			require.Eventually(t, func() bool { return d.Counters.Connects.Load() == 2 }, 10*time.Second, time.Millisecond, "it looks again")
			mustSign(t, d, uriOf(1))
		})
	}
	// What does not change by itself, and keys that are not meant to be used, are not looked for.
	for _, k := range []Key{{Err: &Error{Class: Pin}}, {Err: &Error{Class: Refused}}, {Err: &Error{Class: Unknown}, Spare: true}, {Err: errors.New("no point of the curve")}} {
		require.False(t, (&Device{}).lacksKey(&link{keys: []Key{k}}), "%v", k.Err)
	}
}

// Sessions and connection are closed when the device is lost, before they are made again.
func TestClosedWhenLost(t *testing.T) {
	s := &scripted{fake: newFake(t)}
	d := startScripted(t, s, Options{})
	for range 5 {
		mustSign(t, d, uriOf(1))
		s.failWith(once(&Error{Call: "sign", Class: Lost}))
	}
	mustSign(t, d, uriOf(1))
	require.EqualValues(t, 1, s.devices.Load())
	require.EqualValues(t, 3, s.mostSessions.Load())
}

// A function that does not return is noticed while a connection is made, too.
func TestHangingConnect(t *testing.T) {
	s := &scripted{fake: newFake(t)}
	blocked := make(chan struct{})
	defer close(blocked)
	s.open = func() error { <-blocked; return nil }
	hung := make(chan string, 100)
	startScripted(t, s, Options{Hang: func(_, call string) { hung <- call }})
	select {
	case call := <-hung:
		require.Equal(t, "connect", call)
	case <-time.After(10 * time.Second):
		t.Fatal("not noticed")
	}
}

// So is one that is to close what was lost, or what could not be used. Closing many sessions may take longer than one call may.
func TestHangingClose(t *testing.T) {
	lostErr := &Error{Call: "call", Class: Lost}
	for name, c := range map[string]struct {
		prepare func(s *scripted, block func())
		connect bool
		want    string
	}{
		"session":                   {func(s *scripted, block func()) { s.close = block }, true, "close"},
		"connection":                {func(s *scripted, block func()) { s.end = block }, true, "close"},
		"session while connecting":  {func(s *scripted, block func()) { s.close = block }, false, "close"},
		"many sessions, each slow":  {func(s *scripted, _ func()) { s.close = func() { time.Sleep(100 * time.Millisecond) } }, true, ""},
		"many, slow and connecting": {func(s *scripted, _ func()) { s.close = func() { time.Sleep(100 * time.Millisecond) } }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &scripted{fake: newFake(t)}
			blocked := make(chan struct{})
			t.Cleanup(func() { close(blocked) })
			c.prepare(s, func() { <-blocked })
			if !c.connect {
				s.fail, s.has = times(2, lostErr), gone(1)
			}
			hung := make(chan string, 100)
			d := startScripted(t, s, Options{Sessions: 8, CallLimit: 400 * time.Millisecond, Hang: func(_, call string) { hung <- call }})
			if c.connect {
				mustSign(t, d, uriOf(1))
				s.failWith(once(lostErr))
				go func() { _, _ = d.Sign(t.Context(), 0, uriOf(1), make([]byte, 32), false) }()
			}
			if c.want == "" {
				require.Eventually(t, func() bool { return d.Counters.Connects.Load() == map[bool]int64{true: 2, false: 1}[c.connect] }, 10*time.Second, time.Millisecond)
				require.Empty(t, hung)
				return
			}
			select {
			case call := <-hung:
				require.Equal(t, c.want, call)
			case <-time.After(10 * time.Second):
				t.Fatal("not noticed")
			}
		})
	}
}

// Each of many sessions has the limit of a call; all of them together may take longer.
func TestSlowSessions(t *testing.T) {
	s := &scripted{fake: newFake(t)}
	var hung atomic.Bool
	slow := &slowSessions{s}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d := New(ctx, slow, Options{
		Name: "d", Sessions: 8, CallLimit: 400 * time.Millisecond, LookEvery: time.Minute, Log: slog.New(slog.DiscardHandler),
		Hang: func(string, string) { hung.Store(true) },
	})
	mustSign(t, d, uriOf(1))
	require.False(t, hung.Load())
}

type slowSessions struct{ *scripted }

func (s *slowSessions) OpenSession(step func()) (Session, error) {
	step()
	time.Sleep(100 * time.Millisecond)
	return s.scripted.OpenSession(step)
}

// A key that cannot be used is not looked for: that it is missing would end the connection each time.
func TestLookOmitsBadKeys(t *testing.T) {
	s := &scripted{fake: newFake(t)}
	s.keys = func() ([]Key, error) {
		good, err := s.fake.Keys(nil)
		return append(good, Key{URI: uriOf(2), Err: errors.New("it is no SM2 key")}), err
	}
	var looks atomic.Int32
	s.has = func(k *Key) error {
		looks.Add(1)
		if k.URI.Index == 2 {
			return errors.New("not there")
		}
		return nil
	}
	d := startScripted(t, s, Options{})
	require.Eventually(t, func() bool { return looks.Load() > 5 }, 10*time.Second, time.Millisecond)
	require.EqualValues(t, 1, d.Counters.Connects.Load())
	require.Zero(t, d.Counters.Lost.Load())
}

// A name that fitted one key stands for what it fits in the next connection: another key, which another user may have.
func TestNamesAreLookedUpAgain(t *testing.T) {
	s := &scripted{fake: newFake(t)}
	var id atomic.Int32
	id.Store(1)
	s.keys = func() ([]Key, error) {
		uri := keyd.URI{Scheme: "pkcs11", Token: "t", Object: "peer", ID: []byte{byte(id.Load())}}
		return []Key{{URI: uri, Public: &s.key.PublicKey, Sign: true}}, nil
	}
	d := startScripted(t, s, Options{LookEvery: time.Minute})
	short := keyd.URI{Scheme: "pkcs11", Object: "peer"}
	mustSign(t, d, short)
	full, _, err := d.Resolve(short)
	require.NoError(t, err)
	require.Equal(t, []byte{1}, full.ID)
	id.Store(2)
	s.failWith(once(&Error{Call: "sign", Class: Lost}))
	mustSign(t, d, short)
	full, _, err = d.Resolve(short)
	require.NoError(t, err)
	require.Equal(t, []byte{2}, full.ID)
}

// A key that was missing from the start is looked for.
func TestMissingFromTheStart(t *testing.T) {
	s := &scripted{fake: newFake(t)}
	var there atomic.Bool
	s.keys = func() ([]Key, error) {
		if there.Load() {
			return s.fake.Keys(nil)
		}
		return []Key{{URI: uriOf(1), Err: &Error{Call: "export", Class: KeyGone}}}, nil
	}
	d := startScripted(t, s, Options{LookEvery: time.Minute})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := d.Sign(ctx, 0, uriOf(1), make([]byte, 32), false)
	require.Equal(t, keyd.Unusable, CodeOf(err))
	there.Store(true)
	require.Eventually(t, func() bool {
		_, err := d.Sign(ctx, 0, uriOf(1), make([]byte, 32), false)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
}

// ecKeys is a device with an ECDSA key, which counts signatures.
type ecKeys struct {
	*scripted
	ec   *ecdsa.PrivateKey
	made atomic.Int32
}

func (e *ecKeys) OpenSession(step func()) (Session, error) {
	s, err := e.scripted.OpenSession(step)
	return ecSession{s, e}, err
}

func (e *ecKeys) Keys(Session) ([]Key, error) {
	return []Key{{URI: uriOf(1), Public: &e.ec.PublicKey, Sign: true}, {URI: uriOf(2), Public: &e.key.PublicKey, Sign: true}}, nil
}

type ecSession struct {
	Session
	device *ecKeys
}

func (s ecSession) Has(*Key) error { return nil }

func (s ecSession) Sign(handle any, digest []byte) ([]byte, []byte, error) {
	s.device.made.Add(1)
	r, v, err := ecdsa.Sign(rand.Reader, s.device.ec, digest)
	if err != nil {
		return nil, nil, err
	}
	return r.Bytes(), v.Bytes(), nil
}

// What has not the length of a digest goes to no device.
func TestDigests(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	module := &ecKeys{scripted: &scripted{fake: newFake(t)}, ec: ec}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d := New(ctx, module, Options{Name: "d", Sessions: 1, CallLimit: time.Minute, LookEvery: time.Minute, Log: slog.New(slog.DiscardHandler)})
	for _, size := range []int{20, 32, 48, 64} {
		_, err = d.Sign(ctx, 0, uriOf(1), make([]byte, size), false)
		require.NoError(t, err, "%d bytes", size)
	}
	made := module.made.Load()
	for _, size := range []int{0, 65, 1000} {
		_, err = d.Sign(ctx, 0, uriOf(1), make([]byte, size), false)
		require.Equal(t, keyd.BadRequest, CodeOf(err), "%d bytes", size)
	}
	require.Equal(t, made, module.made.Load())

	sm2Device := startScripted(t, &scripted{fake: newFake(t)}, Options{LookEvery: time.Minute})
	mustSign(t, sm2Device, uriOf(1))
	for _, size := range []int{0, 31, 33, 64} {
		_, err = sm2Device.Sign(ctx, 0, uriOf(1), make([]byte, size), false)
		require.Equal(t, keyd.BadRequest, CodeOf(err), "%d bytes", size)
	}
}

// Random bytes are given in a bounded number.
func TestBoundsOfRandom(t *testing.T) {
	d := startScripted(t, &scripted{fake: newFake(t)}, Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for n, want := range map[int]keyd.Code{-1: keyd.BadRequest, 0: keyd.BadRequest, 1: keyd.OK, keyd.MaxRandom: keyd.OK, keyd.MaxRandom + 1: keyd.BadRequest} {
		p, err := d.ReadRandom(ctx, 0, n)
		if want == keyd.OK {
			require.NoError(t, err)
			require.Len(t, p, n)
			continue
		}
		require.Equal(t, want, CodeOf(err), "%d bytes", n)
	}
}

// A ciphertext of nothing is none: SM2 encrypts no empty text.
func TestEmptyCiphertext(t *testing.T) {
	f := newFake(t)
	der, err := asn1.Marshal(struct {
		X, Y       *big.Int
		Hash, Text []byte
	}{f.key.X, f.key.Y, make([]byte, 32), nil})
	require.NoError(t, err)
	_, err = parseCiphertext(der)
	require.ErrorContains(t, err, "no SM2 ciphertext")
}

// When a connection is lost, those who wait for its sessions wait for the next one. None of them tries the lost one first.
func TestLostConnectionIsLeftAlone(t *testing.T) {
	s := &scripted{fake: newFake(t)}
	var isLost atomic.Bool
	var tried atomic.Int32
	s.open = func() error { isLost.Store(false); return nil }
	d := startScripted(t, s, Options{Sessions: 1, LookEvery: time.Minute, CallLimit: time.Minute})
	mustSign(t, d, uriOf(1))
	isLost.Store(true)
	begun, goOn := make(chan struct{}, 100), make(chan struct{})
	s.failWith(func() error {
		if !isLost.Load() {
			return nil
		}
		tried.Add(1)
		begun <- struct{}{}
		<-goOn
		return &Error{Call: "sign", Class: Lost}
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { mustSign(t, d, uriOf(1)) })
	}
	<-begun
	require.Eventually(t, func() bool {
		q := d.link.queue
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.users[0].waiting) == 19
	}, 10*time.Second, time.Millisecond)
	close(goOn)
	all.Wait()
	require.EqualValues(t, 1, tried.Load())
}

// A device that stays away is asked less and less often.
func TestAttemptsBecomeRare(t *testing.T) {
	s := &scripted{fake: newFake(t)}
	var attempts atomic.Int32
	s.open = func() error { attempts.Add(1); return errors.New("away") }
	startScripted(t, s, Options{CallLimit: time.Minute})
	time.Sleep(2 * time.Second)
	require.LessOrEqual(t, attempts.Load(), int32(6), "after 0, 100, 300, 700 and 1500 ms")
	require.GreaterOrEqual(t, attempts.Load(), int32(3))
}
