// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
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
		{nil, "up, status, env ORG or down"},
		{[]string{"start"}, "cannot start"},
		{[]string{"env"}, "env ORG"},
		{[]string{"status", "all"}, "cannot status"},
		{[]string{"up", "now"}, `no argument "now"`},
		{[]string{"up", "-orderers=0"}, "ORDERERS=0 is too small"},
		{[]string{"up", "-batch-timeout=0"}, "BATCH_TIMEOUT=0s is too small"},
		{[]string{"up", "-orderers=three"}, "network up -h"},
		{[]string{"up", "-mutual-tls=maybe"}, "-mutual-tls"},
		{[]string{"up", "-mode=ssl"}, "MODE=ssl is not one of tls dual gm"},
		{[]string{"status"}, "make network"},
		{[]string{"env", "org1"}, "make network"},
	} {
		require.ErrorContains(t, run(t.Context(), append([]string{"-dir", dir}, c.args...), io.Discard), c.says, "%q", c.args)
	}
	require.NoDirExists(t, dir)
	require.NoError(t, run(t.Context(), []string{"-dir", dir, "down"}, io.Discard), "nothing to stop is no error")
}
