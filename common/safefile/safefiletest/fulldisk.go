// SPDX-License-Identifier: Apache-2.0

// Package safefiletest has what tests need to see what is left of files when writing fails.
package safefiletest

import (
	"flag"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// OnFullDisk runs do while no file of the process can be longer than size, and returns its error. Tests at the same time would feel it.
func OnFullDisk(t *testing.T, size uint64, do func() error) error {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	flushLog()
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}))
	err := do()
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	return err
}

// flushLog makes room in the log of used files and variables that the go command has each test write, for its cache. The log is written whenever
// its buffer is full. If that happened under the limit, the whole run would fail at its end.
func flushLog() {
	log := flag.Lookup("test.testlogfile")
	if log == nil {
		return
	}
	size := func() int64 {
		var stat syscall.Stat_t
		_ = syscall.Stat(log.Value.String(), &stat) // os.Stat would be in the log
		return stat.Size
	}
	const buffer = 4096
	before := size()
	for range buffer {
		if size() != before {
			return
		}
		os.Getenv("SAFEFILETEST")
	}
}
