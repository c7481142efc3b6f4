// SPDX-License-Identifier: Apache-2.0

package networktest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// insideVariable tells a test that it runs in namespaces that inNamespaces has made.
const insideVariable = "FABRIC_GM_TEST_IN_NAMESPACES"

// InNamespaces runs the calling test a second time, in a process with new network and mount namespaces, and takes over
// its outcome, for which it waits as long as limit. In there it returns true: loopback is up, /run empty. Who is not root becomes it in a user namespace.
func InNamespaces(t *testing.T, limit time.Duration) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		// Nothing that is mounted from here on is seen outside. Some systems grant namespaces to everybody, but no rights in them.
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Skipf("no mounts are to be had here: %v", err)
		}
		require.NoError(t, syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"))
		out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput()
		require.NoError(t, err, "%s", out)
		return true
	}
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+limit.String())
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out := &bytes.Buffer{} // written to by one goroutine, as it is for both
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Skipf("no namespaces are to be had here: %v", err)
	}
	err = cmd.Wait()
	t.Logf("in namespaces:\n%s", out)
	require.NoError(t, err)
	if strings.Contains(out.String(), "--- SKIP: "+t.Name()+" ") {
		t.SkipNow()
	}
	require.Contains(t, out.String(), "--- PASS: "+t.Name()+" ", "it was not run")
	return false
}
