// SPDX-License-Identifier: Apache-2.0

package material

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPipes: a pipe is read to its end, also by a writer that pauses, and one without a writer is refused at once.
func TestPipes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	failed := make(chan error, 1)
	go func() {
		_, err := Read(name)
		failed <- err
	}()
	select {
	case err := <-failed:
		require.ErrorIs(t, err, ErrEmpty)
		require.ErrorContains(t, err, name)
	case <-time.After(10 * time.Second):
		require.Fail(t, "it waits for a writer")
	}

	text := caseFile(t, "base/ca.crt")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	go func() {
		defer w.Close()
		for _, part := range [][]byte{text[:100], text[100:]} {
			time.Sleep(50 * time.Millisecond)
			_, _ = w.Write(part)
		}
	}()
	file, err := Read(fmt.Sprintf("/dev/fd/%d", r.Fd()))
	require.NoError(t, err)
	require.Equal(t, text, file.Raw)
}
