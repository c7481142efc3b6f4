// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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

// TestImagesUnderUmask: an image's user, who owns none of its files, reads and runs them, also if they were built and the images are made under
// the umask of a hardened host. It was told at the container's start: permission denied.
func TestImagesUnderUmask(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name string, mode os.FileMode) {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\n"), mode))
	}
	for _, program := range []string{"peer", "ccaas/bin/build", "orderer", "asset", "gmkeyd", "gmtls"} {
		write("build/bin/"+program, 0o700)
	}
	for _, program := range []string{"fabric-ca-server", "fabric-ca-client"} {
		write("build/ca/"+program, 0o700)
	}
	for _, name := range []string{"core", "orderer", "configtx", "crypto-config"} {
		write("build/fabric/sampleconfig/"+name+".yaml", 0o600)
	}
	write("go/bin/go", 0o700)
	write("go/src/a/a.go", 0o600)
	images := 0
	for _, script := range []string{"docker-images.sh v c build/ca", "docker-chaincode.sh"} {
		name, _, _ := strings.Cut(script, " ")
		text, err := os.ReadFile("../scripts/" + name)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(root, "scripts"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, "scripts", name), text, 0o700))
		out, err := withTools(t, map[string]string{
			"go": "echo " + root + "/go",
			"docker": `
[ "$1" = build ] || { echo 1; exit; }
for context; do :; done
echo "made $context" >&2; cd "$context"
find . -mindepth 1 \( ! -perm -go+r -o -perm /go+w -o -type d ! -perm -go+x -o -perm -u+x ! -perm -go+x \) -printf 'closed: %m %p\n' >&2`,
		}, "sh", "-c", "umask 077; exec "+root+"/scripts/"+script)
		require.NoError(t, err, out)
		require.NotContains(t, out, "closed:")
		images += strings.Count(out, "made build/")
	}
	require.Equal(t, 8, images)
}

// requireOnNoPage holds that no document has what a pattern finds.
func requireOnNoPage(t *testing.T, pattern *regexp.Regexp) {
	t.Helper()
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	for _, page := range append(pages, "../README.md", "../README.zh-CN.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		require.Empty(t, pattern.FindString(string(text)), page)
	}
}

// TestSecretsInArguments: no command in a document shows a secret to the other users of a host. The environment of a command is its user's.
func TestSecretsInArguments(t *testing.T) {
	shown := regexp.MustCompile(`--(?:id\.)?secret[ =]|(?:-u|--url)[ =]https?://[^ @/]+:[^ @/]+@`)
	require.Regexp(t, shown, "fabric-ca-client enroll -u https://peer0:SECRET@ca.example.com:7054")
	require.NotRegexp(t, shown, "fabric-ca-client enroll -u https://ca.example.com:7054")
	requireOnNoPage(t, shown)
}

// TestPortsOfOperators: no command in a document opens a service of operators, which may have neither TLS nor names of operators yet, to all
// networks. Docker's published ports pass the firewall of a host.
func TestPortsOfOperators(t *testing.T) {
	open := regexp.MustCompile(`(?m)(?:-p |^ *- ["']?)(?:0\.0\.0\.0:)?\d+:(?:8443|9443|7055)\b`)
	require.Regexp(t, open, "-p 9443:9443")
	require.NotRegexp(t, open, "-p 127.0.0.1:9443:9443")
	requireOnNoPage(t, open)
}
