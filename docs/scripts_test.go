// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// withTools runs a command where shell scripts take the place of programs.
func withTools(t *testing.T, tools map[string]string, name string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for tool, text := range tools {
		require.NoError(t, os.WriteFile(filepath.Join(dir, tool), []byte("#!/bin/sh\n"+text), 0o700))
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestFuzzReportsFindings: of any target, also if others are sound after it. The end of the time is none, which Go may report as a failure.
func TestFuzzReportsFindings(t *testing.T) {
	for name, tc := range map[string]struct{ first, want string }{
		"sound":            {"ok", ""},
		"end of the time":  {"    context deadline exceeded", ""},
		"finding":          {"Failing input written to testdata/fuzz/FuzzA/1", "failed: a/FuzzA b/FuzzA\n"},
		"finding and end":  {"Failing input written to x\n  context deadline exceeded", "failed: a/FuzzA b/FuzzA\n"},
		"does not compile": {"FAIL a [build failed]", "failed: a/FuzzA b/FuzzA\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := withTools(t, map[string]string{"go": `
case "$*" in
*-list*) printf 'FuzzA\nFuzzB\nok\n' ;;
*FuzzA*) printf '%s\n' '` + tc.first + `'; exit 1 ;;
*) echo ok ;;
esac`}, "../scripts/fuzz.sh", "1s", "a", "b")
			if tc.want == "" {
				require.NoError(t, err, out)
				return
			}
			require.Error(t, err, out)
			require.Contains(t, out, tc.want)
			require.Contains(t, out, "== b FuzzB")
		})
	}
}

// TestIntegrationNeedsItsPackages: tests skip what is not installed.
func TestIntegrationNeedsItsPackages(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("no apt-get here")
	}
	out, err := withTools(t, map[string]string{
		"apt-get": "exit 100", "dpkg": "exit 1", "sleep": "", "id": "echo 0", "make": "echo it goes on; exit 1",
	}, "../.ci/run")
	require.Error(t, err)
	require.Contains(t, out, "FAILED: not installed: gcc")
	require.NotContains(t, out, "it goes on")
}

// TestPortsOfOperators: no command in a document opens a service of operators, which may have neither TLS nor names of operators yet, to all
// networks. Docker's published ports pass the firewall of a host.
func TestPortsOfOperators(t *testing.T) {
	open := regexp.MustCompile(`(?m)(?:-p |^ *- ["']?)(?:0\.0\.0\.0:)?\d+:(?:8443|9443|7055)\b`)
	require.Regexp(t, open, "-p 9443:9443")
	require.NotRegexp(t, open, "-p 127.0.0.1:9443:9443")
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	for _, page := range append(pages, "../README.md", "../README.zh-CN.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		require.Empty(t, open.FindString(string(text)), page)
	}
}
