// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/randomness"
)

// Times between attempts to reach a device, and between searches for keys that it should have.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	firstLook  = 2 * time.Second
	lastLook   = time.Minute
)

// Options of a device.
type Options struct {
	Name     string
	Type     string // for status
	Sessions int    // at most
	Random   bool   // serves random bytes
	Token    string // of a PKCS #11 device: its label as configured, may be empty
	Serial   string // likewise
	// Hang is called when a function of the library has not returned for CallLimit: nothing but the end of the process helps.
	Hang      func(device, call string)
	CallLimit time.Duration
	LookEvery time.Duration // between looks whether the keys are still there
	Log       *slog.Logger
}

// Device is a device with its sessions. It may be used by several goroutines.
type Device struct {
	Options
	module Module

	mu      sync.Mutex
	link    *link         // protected by mu; nil while there is no connection
	reason  error         // protected by mu: why there is none
	refused bool          // protected by mu: there will be none, as its PIN is wrong
	changed chan struct{} // protected by mu; closed at the next change of the three above

	// What watch looks at.
	watched *link     // protected by mu; the connection, also while it is given up
	doing   string    // protected by mu; connect or close; empty while neither is under way
	began   callStart // of what doing is at

	had      map[string]Key // by name, keys that could be used once; only run uses it
	names    sync.Map       // of a URI -> full keyd.URI
	Counters Counters
}

// Counters count since the start.
type Counters struct {
	Connects, Lost atomic.Int64
}

// link is one connection, from its making to its loss.
type link struct {
	queue   *queue
	size    int // sessions
	keys    []Key
	gone    []Key // of an earlier connection, for State
	notes   []string
	random  bool                // the device gives random bytes
	monitor *randomness.Monitor // of these, as they come from the device
	lost    chan struct{}       // closed when the connection is given up
	byID    sync.Map            // name of a URI -> *Key
}

type session struct {
	Session
	began callStart
	user  *line  // who has it; protected by queue.mu, as is call
	call  string // what it is doing, for the log
}

// callStart is when the function of the library began that is under way.
type callStart struct{ at atomic.Int64 }

// programStart is what callStart counts from: a clock that is set must not look like a function that hangs.
var programStart = time.Now()

func (c *callStart) now() { c.at.Store(int64(time.Since(programStart))) }

func (c *callStart) age() time.Duration { return time.Since(programStart) - time.Duration(c.at.Load()) }

// New returns a device that connects in the background until ctx ends.
func New(ctx context.Context, module Module, o Options) *Device {
	d := &Device{Options: o, module: module, changed: make(chan struct{}), had: map[string]Key{}, reason: errors.New("not connected yet")}
	go d.run(ctx)
	go d.watch(ctx)
	go d.look(ctx)
	return d
}

// run keeps the connection.
func (d *Device) run(ctx context.Context) {
	for wait, look := firstRetry, firstLook; ctx.Err() == nil; {
		l, err := d.connect()
		d.note(l, "")
		if err == nil {
			wait = firstRetry
			d.Counters.Connects.Add(1)
			d.compare(l)
			d.names.Clear() // a label may stand for another key now
			d.set(l, nil, false)
			d.Log.Info("device ready", "device", d.Name, "sessions", l.size, "keys", len(l.keys))
			look = d.serve(ctx, l, look)
			d.close(l.queue.end(l.size))
			continue
		}
		var e *Error
		if errors.Is(err, ErrPIN) || errors.As(err, &e) && e.Class == Pin {
			err = fmt.Errorf("%w; it is not tried again before a restart, so as not to lock it", err)
			d.Log.Error("device refused", "device", d.Name, "error", err)
			d.set(nil, err, true)
			return
		}
		d.Log.Warn("device unavailable", "device", d.Name, "error", err, "again in", wait)
		d.set(nil, err, false)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, lastRetry)
	}
}

// serve waits for the end of a connection. It ends one by itself to look again for keys that are missing, less and less often, and returns
// how long the next one may last if they are still missing.
func (d *Device) serve(ctx context.Context, l *link, look time.Duration) time.Duration {
	var again <-chan time.Time
	if d.lacksKey(l) {
		again = time.After(look)
		look = min(2*look, lastLook)
	} else {
		look = firstLook
	}
	select {
	case <-l.lost:
	case <-again:
		d.leave(l, errors.New("looking again for keys that are missing"))
	case <-ctx.Done():
		d.set(nil, ctx.Err(), false)
	}
	return look
}

// note says what the library is doing now. Each function that it calls for that has the limit of a call.
func (d *Device) note(l *link, doing string) {
	d.began.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watched, d.doing = l, doing
}

// set stores a new state and wakes who waits for one.
func (d *Device) set(l *link, reason error, refused bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.change(l, reason, refused)
}

// change is set for callers that hold mu.
func (d *Device) change(l *link, reason error, refused bool) {
	d.link, d.reason, d.refused = l, reason, refused
	close(d.changed)
	d.changed = make(chan struct{})
}

// connect makes a connection with as many sessions as the device gives, and tests every key.
func (d *Device) connect() (_ *link, err error) {
	d.note(nil, "connect")
	if err := d.module.Open(d.began.now); err != nil {
		return nil, err
	}
	l := &link{lost: make(chan struct{}), monitor: randomness.NewMonitor(nil)}
	var open []*session
	defer func() {
		if err != nil {
			d.close(open)
		}
	}()
	for range d.Sessions {
		s := &session{}
		s.Session, err = d.module.OpenSession(func() { s.began.now(); d.began.now() }) // the second counts while connecting
		if err != nil {
			if len(open) == 0 {
				return nil, err
			}
			l.notes = append(l.notes, fmt.Sprintf("%d sessions instead of %d: %v", len(open), d.Sessions, err))
			break
		}
		open = append(open, s)
	}
	if l.keys, err = d.module.Keys(open[0].Session); err != nil {
		return nil, err
	}
	for i := range l.keys {
		k := &l.keys[i]
		if k.Err != nil {
			continue
		}
		if err := testKey(open[0], k); err != nil {
			return nil, err
		}
	}
	err = l.testRandom(open[0])
	if l.random = err == nil; d.Random && !l.random {
		return nil, fmt.Errorf("self-test of the random generator: %w", err)
	}
	for _, k := range l.keys {
		if k.Err != nil {
			d.Log.Error("key cannot be used", "device", d.Name, "key", k.URI.String(), "error", k.Err)
		}
	}
	for _, note := range l.notes {
		d.Log.Warn(note, "device", d.Name)
	}
	l.size, l.queue = len(open), newQueue(open)
	return l, nil
}

// testKey tests a key, and notes what is wrong with it. The code of a device or session that has gone, or of a right that is missing, may
// be about this key alone: it is an error of the connection only if the device does not even show the key any more.
func testKey(s Session, k *Key) error {
	for range 2 {
		if k.Err = selfTest(s, k); !blames(k.Err) {
			return nil
		}
	}
	if s.Has(k) != nil {
		return k.Err
	}
	return nil
}

// lost reports whether the error says that the device, or the session, has gone.
func lost(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Class == Lost || e.Class == Broken)
}

// lose gives up a connection that failed.
func (d *Device) lose(l *link, err error) {
	if d.leave(l, err) {
		d.Counters.Lost.Add(1)
		d.Log.Warn("device lost", "device", d.Name, "error", err)
	}
}

// leave ends a connection. Of several callers one does it, and is told so.
func (d *Device) leave(l *link, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != l {
		return false
	}
	d.change(nil, err, false)
	close(l.lost)
	return true
}

// close closes sessions, in which no function of the library may run, and the connection. Libraries tell the device that a session is closed,
// and may wait for ever for one that has gone.
func (d *Device) close(sessions []*session) {
	for _, s := range sessions {
		d.note(nil, "close")
		s.Close()
	}
	d.note(nil, "close")
	d.module.Close()
}

// acquire waits for a session of a device that is connected.
func (d *Device) acquire(ctx context.Context, user User, call string) (*link, *session, error) {
	for {
		d.mu.Lock()
		l, reason, refused, changed := d.link, d.reason, d.refused, d.changed
		d.mu.Unlock()
		if refused {
			return nil, nil, d.refusal(reason)
		}
		if l == nil {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return nil, nil, d.unreachable(reason)
			}
		}
		s, place := l.queue.take(user, call)
		if s != nil {
			return l, s, nil
		}
		select {
		case s := <-place.ready:
			return l, s, nil
		case <-l.lost:
			l.queue.leave(user, place)
		case <-ctx.Done():
			l.queue.leave(user, place)
			return nil, nil, &opError{keyd.Unavailable, fmt.Sprintf("device %s: all of its %d sessions were busy until the time was over", d.Name, l.size)}
		}
	}
}

// with runs do in a session. When the session or the device is lost on the way, it runs do again in another, until ctx ends: nothing
// that do does changes the device.
func (d *Device) with(ctx context.Context, user User, call string, do func(*link, *session) error) error {
	for {
		l, s, err := d.acquire(ctx, user, call)
		if err != nil {
			return err
		}
		err = do(l, s)
		var e *Error
		if errors.As(err, &e) && e.Class == Unknown && !l.works(s) {
			e.Class = Broken
		}
		if lost(err) || errors.Is(err, errNotRandom) || errors.As(err, &e) && e.Class == KeyGone {
			// A session is not mended alone: what took it away took the others too, or soon will. Where a key has gone, the new
			// connection shows which keys are left, and where random bytes failed a test, whether they do so again.
			d.lose(l, err)
			l.queue.giveBack(s)
			if ctx.Err() != nil {
				return &opError{keyd.Unavailable, fmt.Sprintf("device %s: %v", d.Name, err)}
			}
			continue
		}
		l.queue.giveBack(s)
		return err
	}
}

// works reports whether a session still does anything, after an error that leaves it open.
func (l *link) works(s Session) bool {
	if l.random {
		return s.Random(make([]byte, 16)) == nil
	}
	for i := range l.keys {
		if k := &l.keys[i]; k.Err == nil {
			return s.Has(k) == nil
		}
	}
	return true
}

// watch ends the process through Hang if a function of the library does not return.
func (d *Device) watch(ctx context.Context) {
	tick := time.NewTicker(d.CallLimit / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		d.mu.Lock()
		l, doing := d.watched, d.doing
		d.mu.Unlock()
		if doing != "" && d.began.age() > d.CallLimit {
			d.Hang(d.Name, doing)
		}
		if l == nil {
			continue
		}
		if call, age := l.queue.longest(); age > d.CallLimit {
			d.Hang(d.Name, call)
		}
	}
}

// State returns the state of the device.
func (d *Device) State() keyd.DeviceState {
	d.mu.Lock()
	l, reason := d.link, d.reason
	d.mu.Unlock()
	state := keyd.DeviceState{Name: d.Name, Type: d.Type}
	if l == nil {
		state.Error = reason.Error()
		return state
	}
	state.Ready, state.Sessions, state.Busy, state.Notes = true, l.size, l.queue.inUse(), slices.Clone(l.notes)
	for _, k := range slices.Concat(l.keys, l.gone) {
		state.Keys = append(state.Keys, keyState(d.Name, k))
	}
	return state
}

func keyState(device string, k Key) keyd.KeyState {
	s := keyd.KeyState{URI: k.URI.String(), Device: device}
	if k.Public != nil {
		s.Kind = kind(k.Public)
	}
	if k.Sign {
		s.Use = append(s.Use, keyd.UsageSign)
	}
	if k.Decrypt {
		s.Use = append(s.Use, keyd.UsageEncrypt)
	}
	if k.Err != nil {
		s.Error, s.Spare = k.Err.Error(), k.Spare
	}
	return s
}

// Settled waits until the first attempt to connect has ended.
func (d *Device) Settled(ctx context.Context) {
	d.mu.Lock()
	changed := d.changed
	settled := d.Counters.Connects.Load() != 0 || d.refused
	d.mu.Unlock()
	if settled {
		return
	}
	select {
	case <-changed:
	case <-ctx.Done():
	}
}
