// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
)

// PINs get into no core dump, also where the host lets processes write them.
func TestWithoutDumps(t *testing.T) {
	// Whether a process is dumpable, it alone can ask.
	const helper = "GMKEYD_TEST_DUMPABLE"
	if os.Getenv(helper) != "" {
		require.NoError(t, withoutDumps())
		dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		require.NoError(t, err)
		require.Zero(t, dumpable)
		return
	}
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_CORE, &before))
	if before.Max == 0 {
		t.Skip("the host lets no process write a core dump")
	}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: before.Max, Max: before.Max}))
	d := keydtest.StartSDF(t)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_CORE, &before))
	require.NoError(t, d.WaitLog(within(t, 20*time.Second), "listening"))
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", d.PID()))
	require.NoError(t, err)
	require.Regexp(t, `Max core file size +0 +0 `, string(limits))

	again := exec.Command(os.Args[0], "-test.run=^TestWithoutDumps$")
	again.Env = append(os.Environ(), helper+"=1")
	out, err := again.CombinedOutput()
	require.NoError(t, err, string(out))
}

// A configuration with a fault is refused by the name of the key, with the exit code after which systemd does not start again.
func TestConfigurationFaults(t *testing.T) {
	const good = `
socket: /tmp/none/s
devices:
- name: hsm
  sdf: {library: /lib/x.so, keys: [{index: 1, pin: {file: /pin}}]}
`
	for reason, text := range map[string]string{
		"field sockett not found":                 strings.Replace(good, "socket:", "sockett:", 1),
		"something follows the first document":    good + "\n---\n" + good,
		`socket: "s" is not an absolute path`:     strings.Replace(good, "/tmp/none/s", "s", 1),
		"devices: none is named":                  "socket: /s",
		"one of sdf and pkcs11 is wanted":         "devices: [{name: a}]",
		"name: 1 to 64 letters":                   strings.Replace(good, "hsm", "h s m", 1),
		`two are named "hsm"`:                     good + "- {name: hsm, sdf: {library: x}}",
		"sessions: -1 is not between":             good + "  sessions: -1",
		"sessions: 1025 is not between":           good + "  sessions: 1025",
		"sdf.library: missing":                    "devices: [{name: a, sdf: {}}]",
		"sdf.algorithm: it has a meaning for":     "devices: [{name: a, sdf: {library: x, decrypt: without-algorithm, algorithm: 1}}]",
		"index 1: indexes begin with 1":           "devices: [{name: a, sdf: {library: x, keys: [{index: 1}, {index: 1}]}}]",
		"pkcs11.pin: one of file, credential and": "devices: [{name: a, pkcs11: {library: x, token: t, pin: {file: /p, environment: P}}}]",
		"more than the 1048576 bytes that are":    good + strings.Repeat("#\n", 1<<19),
		`sdf.decrypt: "yes"`:                      "devices: [{name: a, sdf: {library: x, decrypt: 'yes'}}]",
		"index 0: indexes begin with 1":           "devices: [{name: a, sdf: {library: x, keys: [{index: 0}]}}]",
		"one of file, credential and environment": "devices: [{name: a, sdf: {library: x, keys: [{index: 1, pin: {}}]}}]",
		"a name is wanted, not a path":            "devices: [{name: a, sdf: {library: x, keys: [{index: 1, pin: {credential: a/b}}]}}]",
		"pkcs11.library: missing":                 "devices: [{name: a, pkcs11: {token: t}}]",
		"token (its label) or serial is wanted":   "devices: [{name: a, pkcs11: {library: x}}]",
		`preset "x" is not one of [ep11`:          "devices: [{name: a, pkcs11: {library: x, token: t, preset: x}}]",
		`hash "" is not one of`:                   "devices: [{name: a, pkcs11: {library: x, token: t, sm2: {keyType: 1, sign: 1}}}]",
		`signature "x" is neither`:                "devices: [{name: a, pkcs11: {library: x, token: t, preset: tass, sm2: {signature: x}}}]",
		`ciphertext "" is neither`:                "devices: [{name: a, pkcs11: {library: x, token: t, preset: tass, sm2: {decrypt: 1}}}]",
		`users: "no-such": this host has no such`: good + "users: [{user: no-such}]",
		`users: "root": keyd: key URI`:            good + "users: [{user: root, keys: ['x']}]",
		"users: \"root\": keys: an empty list":    good + "users: [{user: root, keys: []}]",
		`users: "root": keys: an empty list; lea`: good + "users:\n- user: root\n  keys:\n  # none",
		`users: "0": two entries stand for user`:  good + "users: [{user: root}, {user: '0', keys: ['sdf:device=hsm;index=1;usage=sign']}]",
		"cannot unmarshal !!str `a` into []str":   good + "users: [{user: root, keys: a}]",
		"callLimit: 1ms is less than 1s":          good + "callLimit: 1ms",
		"cannot unmarshal !!str `many` into int":  good + "  sessions: many",
	} {
		file := filepath.Join(t.TempDir(), "gmkeyd.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		var stderr bytes.Buffer
		require.Equal(t, exitConfig, run([]string{"serve", "--config", file}, &stderr, &stderr), text)
		require.Contains(t, stderr.String(), reason)
		require.Contains(t, stderr.String(), file)
	}
	var stderr bytes.Buffer
	require.Equal(t, exitConfig, run([]string{"serve", "--config", "/none"}, &stderr, &stderr))
	require.Equal(t, 2, run(nil, &stderr, &stderr))
	require.Equal(t, 2, run([]string{"serve", "more"}, &stderr, &stderr))
	require.Equal(t, 1, run([]string{"status", "--socket", "/none/s"}, &stderr, &stderr))
}

// Help that is asked for is an answer; a command that does not exist gets it as an error.
// TestOutputIsWritten: what a full disk or a closed pipe swallows is no answer for a monitor.
func TestOutputIsWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	defer full.Close()
	var stdout, stderr bytes.Buffer
	require.Zero(t, printStatus(keyd.Status{Healthy: true}, &stdout, &stderr))
	require.Contains(t, stdout.String(), `"Healthy": true`)
	require.Equal(t, 1, printStatus(keyd.Status{Healthy: true}, full, &stderr))
	require.Contains(t, stderr.String(), "gmkeyd: writing the output: write /dev/full")
	require.Equal(t, 1, printStatus(keyd.Status{}, &stdout, &stderr))
}

// TestEndlessConfiguration: a device is no configuration.
func TestEndlessConfiguration(t *testing.T) {
	var stderr bytes.Buffer
	require.Equal(t, exitConfig, run([]string{"check", "--config", "/dev/zero"}, &stderr, &stderr))
	require.Contains(t, stderr.String(), "/dev/zero: it has more than the 1048576 bytes that are allowed")
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"--help"}, {"help"}} {
		var stdout, stderr bytes.Buffer
		require.Zero(t, run(args, &stdout, &stderr), args)
		require.Equal(t, usage, stdout.String(), args)
		require.Empty(t, stderr.String(), args)
	}
	var stdout, stderr bytes.Buffer
	require.Zero(t, run([]string{"serve", "-h"}, &stdout, &stderr))
	require.Equal(t, usage, stderr.String())
	require.Equal(t, 2, run([]string{"start"}, &stdout, &stderr))
}
