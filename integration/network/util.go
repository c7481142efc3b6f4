// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// pollInterval is how often a condition is looked at while something is awaited.
const pollInterval = 20 * time.Millisecond

// poll calls check until it returns nil, and fails with check's last error when ctx ends or after limit; what fails for the end
// alone does not count. An error that wraps errFinal ends it at once.
func poll(ctx context.Context, limit time.Duration, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil || errors.Is(err, errFinal) {
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v for %s: %w", limit, what, last)
		case <-tick.C:
		}
	}
}

// errFinal marks an error that waiting cannot cure.
var errFinal = errors.New("")

// parallel runs f for every item at once and joins the errors.
func parallel[T any](items []T, f func(T) error) error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() { errs[i] = f(item) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// runAll runs different functions at once and joins their errors.
func runAll(fs ...func() error) error {
	return parallel(fs, func(f func() error) error { return f() })
}

// tail returns the last lines of a log, at most 64 KiB from its end, or why they cannot be read. The frames of Go stack
// traces are left out: they would hide the message above them.
func tail(file string, lines int) string {
	const window = 64 << 10
	f, err := os.Open(file)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	buf := make([]byte, min(info.Size(), window))
	if _, err := f.ReadAt(buf, info.Size()-int64(len(buf))); err != nil {
		return err.Error()
	}
	return lastLines(string(buf), lines)
}

// colour matches the escape sequences of terminals.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Lines of a Go stack trace: whose it is, and the place in a file below the name of each function.
var (
	goroutine = regexp.MustCompile(`^(goroutine \d+ .*:|created by .*)$`)
	place     = regexp.MustCompile(`^\t.*\.(go|s):\d+( \+0x[0-9a-f]+)?$`)
)

// lastLines returns the last lines of what a program has printed, without stack traces and without the usage of a command, which follows its error.
func lastLines(text string, lines int) string {
	text, _, _ = strings.Cut(colour.ReplaceAllString(text, ""), "\nUsage:\n")
	all := strings.Split(text, "\n")
	var kept []string
	for i, line := range all {
		function := i+1 < len(all) && place.MatchString(all[i+1])
		if line != "" && !function && !place.MatchString(line) && !goroutine.MatchString(line) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-lines):], "\n")
}

func orgNames(orgs []Org) string {
	names := make([]string, len(orgs))
	for i, org := range orgs {
		names[i] = org.Name
	}
	return strings.Join(names, ", ")
}
