// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestSignalIsNoFinding: a command that is ended before it is done says so, and not that the node is at fault.
func TestSignalIsNoFinding(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	require.NoError(t, silent.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)))
	for _, args := range [][]string{
		{"probe", "--timeout", "1m", silent.Addr().String()},
		{"client", "--insecure", "--timeout", "1m", silent.Addr().String()},
	} {
		t.Run(args[0], func(t *testing.T) {
			cmd := exec.Command("gmtls", args...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			require.NoError(t, cmd.Start())
			defer cmd.Process.Kill()
			conn, err := silent.Accept()
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			var ended *exec.ExitError
			require.ErrorAs(t, cmd.Wait(), &ended)
			require.Equal(t, 130, ended.ExitCode(), stderr.String())
			require.Equal(t, "gmtls: ended by a signal; its report is not complete\n", stderr.String())
		})
	}
}

// TestSecondSignalEndsTheTool while it waits for the rest of a file, which a pipe may never give.
func TestSecondSignalEndsTheTool(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	pipe, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer pipe.Close()
	_, err = pipe.WriteString("-----BEGIN")
	require.NoError(t, err)

	cmd := exec.Command("gmtls", "inspect", name)
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill()
	require.Eventually(t, func() bool {
		unread, err := unix.IoctlGetInt(int(pipe.Fd()), unix.TIOCINQ)
		return err == nil && unread == 0
	}, 20*time.Second, 10*time.Millisecond, "the tool does not read")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Never(t, func() bool { return len(ended) > 0 }, 100*time.Millisecond, 10*time.Millisecond, "one signal is enough, so this test shows nothing")
	require.Eventually(t, func() bool {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		return len(ended) > 0
	}, 20*time.Second, 10*time.Millisecond)
}
