// SPDX-License-Identifier: Apache-2.0

package material

import (
	"errors"
	"fmt"
	"strings"
)

// Reasons why a file holds no object at all, as a README or a .gitkeep.
var (
	ErrEmpty = errors.New("it is empty")
	ErrOther = errors.New("it is neither PEM nor DER")
)

// IsOdd reports whether a file was refused because it holds nothing like a certificate, a list or a key.
func IsOdd(err error) bool { return errors.Is(err, ErrEmpty) || errors.Is(err, ErrOther) }

// Error says what is wrong with a file or with an object in it. Its text holds nothing of a private key.
type Error struct {
	File   string // or the field that held the text
	Object int    // the number of the object in the file, from 1; 0 for the file as a whole
	Line   int    // of the object's BEGIN line; 0 where there are no lines
	Err    error  // the reason; errors of gmx509 can be found in it
	Remedy string // what to do; empty where the reason says it
}

// Error returns file, place, reason and remedy in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.File != "" {
		b.WriteString(": ")
	}
	switch {
	case e.Line > 1:
		fmt.Fprintf(&b, "object %d (line %d): ", e.Object, e.Line)
	case e.Object > 1:
		fmt.Fprintf(&b, "object %d: ", e.Object)
	}
	b.WriteString(e.Err.Error())
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Origin is where an object was read.
type Origin struct {
	File   string // or the field that held the text
	Object int    // its number in the file, from 1
	Line   int    // of its BEGIN line in PEM, from 1; 0 in DER
}

func (o Origin) fail(err error, remedy string) error {
	return &Error{File: o.File, Object: o.Object, Line: o.Line, Err: err, Remedy: remedy}
}
