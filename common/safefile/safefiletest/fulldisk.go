// SPDX-License-Identifier: Apache-2.0

// Package safefiletest has what tests need to see what is left of files when writing fails.
package safefiletest

import (
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
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}))
	err := do()
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	return err
}
