// SPDX-License-Identifier: Apache-2.0

// Package output has the flag -o of the commands of gmtls, and writes their results as text or JSON.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/pflag"
)

// Format is the value of --output.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
)

// Flag adds --output.
func (f *Format) Flag(flags *pflag.FlagSet) {
	flags.StringVarP((*string)(f), "output", "o", string(Text), "text or json")
}

// Check refuses other formats.
func (f Format) Check() error {
	if f != Text && f != JSON {
		return fmt.Errorf("--output is %q; it must be text or json", string(f))
	}
	return nil
}

// Logger returns a logger of lines in the format.
func (f Format) Logger(w io.Writer) *slog.Logger {
	if f == JSON {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// Write writes a result: JSON by itself, text by the function.
func (f Format) Write(w io.Writer, result any, text func(io.Writer)) error {
	if f == Text {
		c := &checked{to: w}
		text(c)
		return c.err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(result)
}

// checked keeps the first error of writing, so that a report that a full disk has cut is not taken for the whole.
type checked struct {
	to  io.Writer
	err error
}

func (c *checked) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	var n int
	n, c.err = c.to.Write(p)
	return n, c.err
}
