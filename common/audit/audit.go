// SPDX-License-Identifier: Apache-2.0

// Package audit writes security events into a node's log. [Record] writes one line with the logger "audit", whatever the logging
// specification is. Each line has the next number since the start of the process, so a missing line is noticed. [Bounded] is for events that
// strangers can cause, and limits their rate. docs/operations.md lists the events.
package audit

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/randomness"
)

// Event is the kind of an event, and the value of the field "event".
type Event string

// The events. Each says which fields follow "n" and "event".
const (
	Started             Event = "started"              // pid
	OperatorRequest     Event = "operator-request"     // method, path, operator, address
	OperatorRefused     Event = "operator-refused"     // method, address, reason
	ChangeDone          Event = "change-done"          // method, role, server-mode, client-mode, gm-protocols, gm-client-protocol, operator
	ChangeFailed        Event = "change-failed"        // method, role, operator, reason
	ReloadDone          Event = "reload-done"          // by
	ReloadFailed        Event = "reload-failed"        // by, reason
	AddressRefused      Event = "address-refused"      // address
	CertificateRefused  Event = "certificate-refused"  // role, side, address, reason
	IdentityRefused     Event = "identity-refused"     // msp, subject, issuer, serial, reason
	SignatureRefused    Event = "signature-refused"    // msp, subject, issuer, serial
	PolicyFailed        Event = "policy-failed"        // channel, rule, by, reason
	TransactionsRefused Event = "transactions-refused" // block, code, transactions
	RevocationList      Event = "revocation-list"      // origin, issuer, this-update, next-update, entries
	DeviceKeyUsed       Event = "device-key-used"      // key, socket
	DeviceKeyFailed     Event = "device-key-failed"    // key, socket, reason
	RandomFailed        Event = "random-failed"        // reason
	SelfTestPassed      Event = "self-test-passed"     // operator
	SelfTestFailed      Event = "self-test-failed"     // operator, reason
	CARequest           Event = "ca-request"           // method, path, id, caller, address, status
	LeftOut             Event = "left-out"             // of, events
)

// What strangers can cause is bounded: of each event so many lines in a window, and one at its end that counts those left out. No value
// of theirs is longer than maxValue bytes.
const (
	perWindow = 60
	window    = time.Minute
	maxValue  = 512
)

// Log numbers events and writes them.
type Log struct {
	mu      sync.Mutex
	n       uint64            // protected by mu
	windows map[Event]*counts // those that are open; protected by mu
	write   func(message string, fields ...any)
	after   func(time.Duration, func()) *time.Timer
}

type counts struct{ written, left int }

// NewLog returns a log that numbers from 1 and writes by write.
func NewLog(write func(message string, fields ...any)) *Log {
	return &Log{windows: make(map[Event]*counts), write: write, after: time.AfterFunc}
}

var process atomic.Pointer[Log]

// Use makes l the log of this process, and returns the one before. It is for tests.
func Use(l *Log) (earlier *Log) { return process.Swap(l) }

func init() {
	Use(NewLog(alwaysLogger("audit").Infow))
	keyd.OnUse = func(key, socket string) {
		Record(DeviceKeyUsed, "key", key, "socket", socket)
	}
	randomness.OnFailure = func(err error) {
		Record(RandomFailed, "reason", err.Error())
	}
	gm.OnFailure = func(err error) {
		Record(SelfTestFailed, "operator", "", "reason", err.Error())
	}
	keyd.OnFailure = func(key, socket string, err error) {
		Bounded(DeviceKeyFailed, "key", key, "socket", socket, "reason", err.Error())
	}
}

// Record writes an event with its fields, names and values in turn, into the log of this process. Values must hold no secret. It is for
// what the node and its operators do.
func Record(event Event, fields ...any) { process.Load().Record(event, fields...) }

// Bounded is Record for what others can cause at will. A value that is costly may be a func() string, which is called if the line is
// written.
func Bounded(event Event, fields ...any) { process.Load().Bounded(event, fields...) }

// Record writes an event.
func (l *Log) Record(event Event, fields ...any) {
	l.mu.Lock()
	defer l.mu.Unlock() // lines are in the order of their numbers
	l.recordLocked(event, fields)
}

func (l *Log) recordLocked(event Event, fields []any) {
	l.n++
	l.write("security event", append([]any{"n", l.n, "event", string(event)}, fields...)...)
}

// Bounded writes an event, or counts it if its window is full.
func (l *Log) Bounded(event Event, fields ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[event]
	if w == nil {
		w = new(counts)
		l.windows[event] = w
		l.after(window, func() { l.end(event) })
	}
	if w.written == perWindow {
		w.left++
		return
	}
	w.written++
	for i, field := range fields {
		if value, ok := field.(func() string); ok {
			fields[i] = value()
		}
		if s, ok := fields[i].(string); ok && len(s) > maxValue {
			fields[i] = s[:maxValue] + "…"
		}
	}
	l.recordLocked(event, fields)
}

// end closes the window of an event.
func (l *Log) end(event Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[event]
	delete(l.windows, event)
	if w.left > 0 {
		l.recordLocked(LeftOut, []any{"of", string(event), "events", w.left})
	}
}
