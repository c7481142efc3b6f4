// SPDX-License-Identifier: Apache-2.0

package util

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/safefile/safefiletest"
)

// TestWholeFiles: a file that cannot be written to its end stays what it was.
func TestWholeFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "msp", "signcerts", "cert.pem")
	require.NoError(t, WriteFile(file, []byte("present"), 0o644))
	err := safefiletest.OnFullDisk(t, 3, func() error { return WriteFile(file, []byte("next one"), 0o644) })
	require.ErrorIs(t, err, syscall.EFBIG)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "present", string(text))
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
