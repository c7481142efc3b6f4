// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/consortium/internal/channel"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/safefile/safefiletest"
)

func run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Run(args, &out, &errs)
	return code, out.String(), errs.String()
}

// TestKinds: every kind of update explains itself, and its required flags exist.
func TestKinds(t *testing.T) {
	require.GreaterOrEqual(t, len(kinds()), 11)
	for _, k := range kinds() {
		code, out, _ := run("update", k.name, "--help")
		require.Zero(t, code)
		for _, flag := range append([]string{"block", "out"}, k.required...) {
			require.Contains(t, out, "--"+flag+" ", k.name)
		}
		code, _, errs := run("update", k.name)
		require.Equal(t, 1, code)
		require.Contains(t, errs, `"block"`, k.name)
	}
}

// TestWrongUsage: what cannot be read, and what is misspelt, ends with 1 and the reason.
func TestWrongUsage(t *testing.T) {
	block := filepath.Join(t.TempDir(), "a\x1b.block")
	require.NoError(t, os.WriteFile(block, []byte("no block"), 0o600))
	for want, args := range map[string][]string{
		"unknown flag: --max-message":    {"update", "set-batch", "--block", block, "--out", "x", "--max-message", "5"},
		"it is not a block":              {"update", "set-batch", "--block", block, "--out", "x"},
		`unknown command "update-batch"`: {"update-batch"},
		"a?.block: it is not a block":    {"update", "show", "--block", block, "--file", "x"},
		`"file" not set`:                 {"update", "show", "--block", block},
	} {
		code, _, errs := run(args...)
		require.Equal(t, 1, code, "%v", args)
		require.Contains(t, errs, want)
		require.NotContains(t, errs, "\x1b")
	}
}

// TestReport names who signs, and a file that is there is kept.
func TestReport(t *testing.T) {
	u := &channel.Update{
		Channel: "trade", Block: 5, Did: []string{"a change\x1b\n  to sign  nobody\u202e"},
		Sign: []channel.Approval{{Policy: "/Channel/Admins", Rule: "MAJORITY Admins", Of: []string{"A", "B", "C"}, Need: 2}},
	}
	var out bytes.Buffer
	require.NoError(t, report(&out, u, "u.pb", false))
	require.Equal(t, "u.pb: for channel trade, on its config block 5\n  changes  a change??  to sign  nobody?\n  to sign  /Channel/Admins: MAJORITY Admins of A, B, C (2 of 3)\n", out.String())
	out.Reset()
	require.NoError(t, report(&out, u, "u.pb", true))
	require.Contains(t, out.String(), `"need": 2`)

	out.Reset()
	u.Signatures, u.Missing = []string{"AMSP CN=a\x1b"}, []string{"/Channel/Admins"}
	require.NoError(t, report(&out, u, "u.pb", false))
	require.Contains(t, out.String(), "\n  signed   AMSP CN=a?\n  missing  signatures for /Channel/Admins\n")

	file := filepath.Join(t.TempDir(), "u.pb")
	require.NoError(t, writeNew(file, []byte("first"), 0o600))
	require.ErrorContains(t, writeNew(file, []byte("second"), 0o600), "is there already")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "first", string(data))

	file = filepath.Join(t.TempDir(), "full.pb")
	require.ErrorContains(t, safefiletest.OnFullDisk(t, 2, func() error { return writeNew(file, []byte("third"), 0o600) }), file)
	require.NoFileExists(t, file)
}

// TestLongFiles: a file that never ends is not read to its end.
func TestLongFiles(t *testing.T) {
	code, _, errs := run("package", "--label", "asset_1", "--address", "asset:9999", "--ca", "/dev/zero", "--out", filepath.Join(t.TempDir(), "x"))
	require.Equal(t, 1, code)
	require.Contains(t, errs, "--ca: /dev/zero: it has more than the 1048576 bytes that are allowed")
}

// TestPlanAndPackage: the commands write what their packages make, and keep what is there.
func TestPlanAndPackage(t *testing.T) {
	dir := t.TempDir()
	args := []string{"plan", "--file", "../plan/testdata/consortium.yaml", "--organization", "Customs", "--out", filepath.Join(dir, "Customs")}
	code, out, errs := run(args...)
	require.Zero(t, code, errs)
	require.Contains(t, out, "files for Customs")
	require.FileExists(t, filepath.Join(dir, "Customs/customs1/request.sh"))
	code, _, errs = run(args...)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "is there already")

	ca, pkg := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ledger.tgz")
	require.NoError(t, os.WriteFile(ca, gmtlstest.NewCA(t).CertPEM, 0o600))
	args = []string{"package", "--label", "ledger_1", "--address", "ledger.customs.example:7060", "--ca", ca, "--out", pkg}
	code, out, errs = run(args...)
	require.Zero(t, code, errs)
	require.Regexp(t, `^ledger_1:[0-9a-f]{64}\n$`, out)
	info, err := os.Stat(pkg)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "it may hold keys")
	code, _, errs = run(append(args[:len(args)-1], filepath.Join(dir, "other.tgz"), "--key", filepath.Join(dir, "none"))...)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "--key: ")
}
