// SPDX-License-Identifier: Apache-2.0

// Package exit has the exit codes of gmtls, and the [Error] that carries one from a command to main.
package exit

import "errors"

// Exit codes. Scripts depend on them.
const (
	OK        = 0 // nothing is wrong
	Usage     = 1 // wrong flags, or a file that cannot be read or parsed
	Connect   = 2 // the name does not resolve or nothing can be reached there
	Handshake = 3 // reached, but no handshake succeeded
	Verify    = 4 // the handshake succeeded, but certificates do not hold
	Findings  = 5 // inspect or capture found something wrong

	Interrupted = 130 // a signal ended it before it was done, as shells say of SIGINT
)

// Error is an error with an exit code. A nil Err means that the message was
// printed already and only the code is left to return.
type Error struct {
	Code int
	Err  error
	// Complete says that the report is whole although a signal may have come, as of a command that watches until then.
	Complete bool
}

// Error returns the message of Err.
func (e *Error) Error() string {
	if e.Err == nil {
		return "failed"
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Silently returns an error that only carries the code, nil for OK.
func Silently(code int) error {
	if code == OK {
		return nil
	}
	return &Error{Code: code}
}

// Watched is [Silently] for a command that a signal ends in order.
func Watched(code int) error {
	if code == OK {
		return nil
	}
	return &Error{Code: code, Complete: true}
}

// Signalled reports whether err may come from a signal, if there was one.
func Signalled(err error) bool {
	var e *Error
	return err != nil && !(errors.As(err, &e) && e.Complete)
}

// Code returns the exit code for err and whether its message is still to be
// printed.
func Code(err error) (code int, printed bool) {
	var e *Error
	switch {
	case err == nil:
		return OK, true
	case errors.As(err, &e):
		return e.Code, e.Err == nil
	}
	return Usage, false
}
