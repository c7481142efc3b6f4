// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWrongCommandLines are refused before anything is started or written.
func TestWrongCommandLines(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, verbs},
		{[]string{"begin"}, "cannot begin"},
		{[]string{"env"}, "env ORG"},
		{[]string{"status", "all"}, "cannot status"},
		{[]string{"up", "now"}, `no argument "now"`},
		{[]string{"up", "-orderers=0"}, "ORDERERS=0 is too small"},
		{[]string{"up", "-batch-timeout=0"}, "BATCH_TIMEOUT=0s is too small"},
		{[]string{"up", "-orderers=three"}, "network up -h"},
		{[]string{"up", "-mutual-tls=maybe"}, "MUTUAL_TLS=maybe: write true or false"},
		{[]string{"up", "-mode=ssl"}, "MODE=ssl is not one of tls dual gm"},
		{[]string{"status"}, "make network"},
		{[]string{"env", "org1"}, "make network"},
	} {
		require.ErrorContains(t, run(t.Context(), append([]string{"-dir", dir}, c.args...), io.Discard), c.says, "%q", c.args)
	}
	require.NoDirExists(t, dir)
	require.NoError(t, run(t.Context(), []string{"-dir", dir, "down"}, io.Discard), "nothing to stop is not an error")
}

// TestMisspeltProtection: a network without client certificates is not what MUTUAL_TSL=true asks for.
func TestMisspeltProtection(t *testing.T) {
	for name, want := range map[string]string{"MUTUAL_TSL": "MUTUAL_TLS", "MUTUALTLS": "MUTUAL_TLS", "mutual_tls": "MUTUAL_TLS", "CLIENTMODE": "CLIENT_MODE"} {
		require.EqualError(t, checkProtection([]string{"HOME=/root", name + "=true"}),
			"the environment has the variable "+name+", which does not exist: write "+want+", or unset it")
	}
	require.NoError(t, checkProtection([]string{"MUTUAL_TLS=true", "CLIENT_MODE=gm", "HOME=/root", "MODE=gm", "NODE=1", "CLIENT_NODE_ENV=x"}))
	require.NoError(t, checkProtection(os.Environ()))
	// ... and make looks at its own command line.
	check := exec.Command("make", "-s", "-C", filepath.Join("..", "..", ".."), "check-network-variables", "MODE=gm", "MUTUAL_TSL=true")
	out, err := check.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "make network has no variable MUTUAL_TSL")
	check = exec.Command("make", check.Args[1:len(check.Args)-1]...)
	out, err = check.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
