// SPDX-License-Identifier: Apache-2.0

// Package audit writes security events into a node's log: one line each, by the logger "audit", with a number that counts them from the
// start of the process, so that a line that is missing shows. docs/operations.md lists the events.
package audit

import (
	"sync"

	"github.com/hyperledger/fabric/common/flogging"
)

// Event is the kind of an event, and the value of the field "event".
type Event string

// The events. Each says which fields follow "n" and "event".
const (
	Started         Event = "started"          // pid
	OperatorRefused Event = "operator-refused" // method, address, reason
	ChangeDone      Event = "change-done"      // method, role, server-mode, client-mode, operator
	ChangeFailed    Event = "change-failed"    // method, role, operator, reason
	ReloadDone      Event = "reload-done"      // by
	ReloadFailed    Event = "reload-failed"    // by, reason
	AddressRefused  Event = "address-refused"  // address
)

// Log numbers events and writes them.
type Log struct {
	mu    sync.Mutex
	n     uint64
	write func(message string, fields ...any)
}

var process = Log{write: flogging.MustGetLogger("audit").Infow}

// Record writes an event with its fields, names and values in turn, into the log of this process. Values must hold no secret. What a
// stranger can cause has to be bounded by the caller.
func Record(event Event, fields ...any) { process.Record(event, fields...) }

// Record writes an event.
func (l *Log) Record(event Event, fields ...any) {
	l.mu.Lock()
	defer l.mu.Unlock() // lines stand in the order of their numbers
	l.n++
	l.write("security event", append([]any{"n", l.n, "event", string(event)}, fields...)...)
}
