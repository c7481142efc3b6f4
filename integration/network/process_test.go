// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func sleeper(t *testing.T, script string) (*process, string) {
	t.Helper()
	dir := t.TempDir()
	p := &process{
		Name: "sleeper", Command: []string{"/bin/sh", "-c", script},
		Dir: dir, Log: filepath.Join(dir, "logs", "sleeper.log"), Env: []string{"PATH=" + os.Getenv("PATH")},
	}
	record := filepath.Join(dir, "run", "sleeper.json")
	require.NoError(t, p.start(record))
	t.Cleanup(func() { require.NoError(t, p.stop(context.Background(), time.Second)) })
	return p, record
}

func awaitLog(t *testing.T, p *process, line string) {
	t.Helper()
	require.NoError(t, poll(context.Background(), 5*time.Second, line, func(context.Context) error {
		if last := tail(p.Log, 1); last != line {
			return fmt.Errorf("the log ends with %q", last)
		}
		return nil
	}))
}

func TestProcessIsFoundByItsRecordAndStopped(t *testing.T) {
	p, record := sleeper(t, "echo up; exec sleep 600")
	found, err := loadProcess(record)
	require.NoError(t, err)
	require.True(t, found.alive())
	awaitLog(t, p, "up")
	require.NoError(t, found.stop(context.Background(), time.Second))
	require.False(t, found.alive())
	require.False(t, p.alive())
}

func TestProcessThatIgnoresTermIsKilled(t *testing.T) {
	p, _ := sleeper(t, "trap '' TERM; echo ready; while :; do sleep 0.05; done")
	awaitLog(t, p, "ready")
	require.NoError(t, p.signal(syscall.SIGTERM))
	require.True(t, p.alive())
	require.NoError(t, p.stop(context.Background(), time.Second))
	require.False(t, p.alive())
}

func TestAnotherProcessWithTheSameNumberIsLeftAlone(t *testing.T) {
	p, record := sleeper(t, "exec sleep 600")
	found, err := loadProcess(record)
	require.NoError(t, err)
	found.Start += "1" // as if the number had been reused
	require.False(t, found.alive())
	require.NoError(t, found.stop(context.Background(), time.Second))
	require.True(t, p.alive(), "a stranger was killed")
}

func TestZombieCountsAsEnded(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "exit 3")
	require.NoError(t, cmd.Start())
	start, _, err := startTime(cmd.Process.Pid)
	require.NoError(t, err)
	p := &process{Name: "zombie", PID: cmd.Process.Pid, Start: start}
	// The child is not waited for, so it stays a zombie once it has ended.
	require.NoError(t, p.awaitEnd(context.Background(), 5*time.Second))
	require.NoError(t, syscall.Kill(p.PID, 0), "it must still be there for kill")
	_ = cmd.Wait()
}

func TestParseStat(t *testing.T) {
	line := "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 0 0"
	start, zombie, err := parseStat("boot", line)
	require.NoError(t, err)
	require.Equal(t, "boot/98765", start)
	require.False(t, zombie)
	for _, bad := range []string{"", "42 (x) S 1 2", "no parenthesis"} {
		_, _, err := parseStat("boot", bad)
		require.Error(t, err)
	}
}

func TestRecordMustNameAProcess(t *testing.T) {
	for _, text := range []string{"", "{}", `{"pid":1,"start":"x"}`, `{"pid":77}`} {
		file := filepath.Join(t.TempDir(), "p.json")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := loadProcess(file)
		require.Error(t, err, text)
	}
}

func TestTailReadsOnlyTheEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(file, []byte("one\ntwo\nthree\n"), 0o600))
	require.Equal(t, "two\nthree", tail(file, 2))
	require.Equal(t, "one\ntwo\nthree", tail(file, 9))
	require.Contains(t, tail(file+"x", 2), "no such file")

	panicked := "reading msp\npanic: no keystore\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:5 +0x1\ncreated by main.run in goroutine 1\n"
	require.NoError(t, os.WriteFile(file, []byte(panicked), 0o600))
	require.Equal(t, "reading msp\npanic: no keystore", tail(file, 5))
}

// TestProcessBeginsAfterItsRecord: what cannot be recorded does not run, and what waits for its record ends with the caller.
func TestProcessBeginsAfterItsRecord(t *testing.T) {
	dir := t.TempDir()
	began := filepath.Join(dir, "began")
	p := &process{Name: "early", Command: []string{"/bin/touch", began}, Dir: dir, Log: filepath.Join(dir, "early.log")}
	require.Error(t, p.start("/dev/null/early.json"))
	require.NoError(t, p.awaitEnd(context.Background(), 5*time.Second))
	require.NoFileExists(t, began)

	waiting := exec.Command("/bin/sh", "-c", gate, "early", "/bin/touch", began)
	input, err := waiting.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, waiting.Start())
	require.NoError(t, input.Close()) // as the end of the caller does
	require.Error(t, waiting.Wait())
	require.NoFileExists(t, began)

	p.Command = []string{"/bin/sh", "-c", "read -r line; echo \"<$line> $0\"", "argument"}
	require.NoError(t, p.start(filepath.Join(dir, "early.json")))
	awaitLog(t, p, "<> argument")
}
