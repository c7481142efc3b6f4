// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/stretchr/testify/require"
)

// fake is a device with one signing key, which it really has.
type fake struct {
	key    *sm2.PrivateKey
	fail   func() error  // what signing returns before it signs; nil outside of tests of failures
	delay  time.Duration // of each part of a signature
	parts  int           // in which it signs; one if zero
	hold   chan held     // who signs comes here first; nil: nobody is held
	made   atomic.Int64  // signatures
	keys   int           // how often it lists its key, under other indexes
	failMu sync.Mutex
}

// held is a signature that waits until goOn is closed.
type held struct {
	digest []byte
	goOn   chan struct{}
}

func newFake(t *testing.T) *fake {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return &fake{key: key, keys: 1}
}

func (f *fake) Open(func()) error                        { return nil }
func (f *fake) Close()                                   {}
func (f *fake) OpenSession(step func()) (Session, error) { return fakeSession{f, step}, nil }

func (f *fake) Keys(Session) (all []Key, err error) {
	for i := range f.keys {
		all = append(all, Key{URI: uriOf(i + 1), Public: &f.key.PublicKey, Sign: true})
	}
	return all, nil
}

func (f *fake) failWith(fail func() error) {
	f.failMu.Lock()
	defer f.failMu.Unlock()
	f.fail = fail
}

func uriOf(index int) keyd.URI {
	return keyd.URI{Scheme: "sdf", Device: "d", Index: uint32(index), Usage: keyd.UsageSign}
}

type fakeSession struct {
	*fake
	step func()
}

func (s fakeSession) Close()                                      {}
func (s fakeSession) Has(*Key) error                              { return nil }
func (s fakeSession) Decrypt(any, Ciphertext) (p []byte, e error) { return nil, nil }
func (s fakeSession) Random(p []byte) error                       { _, err := rand.Read(p); return err }

func (s fakeSession) Sign(_ any, digest []byte) (r, v []byte, err error) {
	for range max(s.parts, 1) {
		s.step()
		time.Sleep(s.delay)
	}
	if s.hold != nil {
		h := held{digest, make(chan struct{})}
		s.hold <- h
		<-h.goOn
	}
	s.failMu.Lock()
	fail := s.fail
	s.failMu.Unlock()
	if fail != nil {
		if err := fail(); err != nil {
			return nil, nil, err
		}
	}
	s.made.Add(1)
	x, y, err := sm2.Sign(rand.Reader, &s.key.PrivateKey, digest)
	if err != nil {
		return nil, nil, err
	}
	return x.Bytes(), y.Bytes(), nil
}

func startFake(t *testing.T, f *fake, o Options) *Device {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	o.Name, o.Log = "d", slog.New(slog.DiscardHandler)
	if o.CallLimit == 0 {
		o.CallLimit = time.Minute
	}
	o.LookEvery = time.Minute
	return New(ctx, f, o)
}

// Sessions that lose the device at the same moment end its connection once.
func TestLostInAllSessions(t *testing.T) {
	const sessions = 32
	f := newFake(t)
	d := startFake(t, f, Options{Sessions: sessions})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := d.Sign(ctx, 0, uriOf(1), make([]byte, 32), false)
	require.NoError(t, err)
	for round := range 50 {
		lost := d.Counters.Lost.Load()
		var arrived atomic.Int32
		together := make(chan struct{})
		f.failWith(func() error {
			n := arrived.Add(1)
			if n == sessions {
				close(together)
			}
			if n > sessions {
				return nil // of the next connection
			}
			<-together
			return &Error{Call: "sign", Class: Lost}
		})
		var all sync.WaitGroup
		for range sessions {
			all.Go(func() {
				if _, err := d.Sign(ctx, 0, uriOf(1), make([]byte, 32), false); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Equal(t, lost+1, d.Counters.Lost.Load(), "round %d", round)
	}
}

// The limit of a call does not count for the self-tests of all keys together.
func TestSlowSelfTests(t *testing.T) {
	f := newFake(t)
	f.keys, f.delay = 8, 100*time.Millisecond
	var hung atomic.Bool
	d := startFake(t, f, Options{Sessions: 1, CallLimit: 400 * time.Millisecond, Hang: func(string, string) { hung.Store(true) }})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := d.Sign(ctx, 0, uriOf(8), make([]byte, 32), false)
	require.NoError(t, err)
	require.False(t, hung.Load(), "eight keys of 100 ms each are no call of more than 400 ms")
}

// Nor does it for a signature that takes many calls, as one of a large message does. One of them that does not return is noticed.
func TestSignatureInParts(t *testing.T) {
	f := newFake(t)
	f.delay, f.parts = 100*time.Millisecond, 8
	hung := make(chan string, 100)
	d := startFake(t, f, Options{Sessions: 1, CallLimit: 400 * time.Millisecond, Hang: func(_, call string) { hung <- call }})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := d.Sign(ctx, 0, uriOf(1), make([]byte, 32), false)
	require.NoError(t, err)
	require.Empty(t, hung)
	f.hold = make(chan held)
	go func() { _, _ = d.Sign(ctx, 0, uriOf(1), make([]byte, 32), false) }()
	h := <-f.hold
	require.Equal(t, "sign", <-hung)
	close(h.goOn)
}
