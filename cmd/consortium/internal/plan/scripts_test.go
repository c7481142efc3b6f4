// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// byFabricCA writes the files of an organisation with a fabric-ca-server into the folder out of the one that it returns.
func byFabricCA(t *testing.T) string {
	t.Helper()
	text := strings.Replace(sample(t), "certificates: openssl\n    users", "certificates: fabric-ca\n    ca: https://ca.port.example:7054\n    users", 1)
	p, err := parse([]byte(strings.Replace(text, "mode: dual", "mode: gm", 1)))
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = p.Write("Port", filepath.Join(dir, "out"))
	require.NoError(t, err)
	return dir
}

// standIn puts a script in the place of a program.
func standIn(t *testing.T, dir, name, script string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// relocate has a script of a host use another folder than /etc/fabric.
func relocate(t *testing.T, script, root string) {
	t.Helper()
	text, err := os.ReadFile(script)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(script, []byte(strings.ReplaceAll(string(text), configRoot, root)), 0o600))
}

// TestRegisterAgain: a script that ended in the middle goes on where it was, and keeps the secrets that are with the CA.
func TestRegisterAgain(t *testing.T) {
	dir := byFabricCA(t)
	// In the place of fabric-ca-client: it refuses whom it knows, and the third once.
	client := `#!/bin/sh
while [ "$1" != --id.name ]; do shift; done
[ "$(wc -l <known)" != 2 ] || [ -e again ] || { : >again; echo "the CA has no power" >&2; exit 1; }
! grep -q "^$2 " known || { echo "$2 is registered" >&2; exit 1; }
echo "$2 $FABRIC_CA_CLIENT_ID_SECRET" >>known
`
	standIn(t, dir, "fabric-ca-client", client)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "known"), nil, 0o600))
	t.Chdir(dir)
	run := func() (string, error) { return shell(t, "out/ca/register.sh", "ca-cert.pem") }
	handed := func() (lines []string) {
		for _, host := range []string{"port1", "port2"} {
			text, err := os.ReadFile("secrets-" + host)
			require.NoError(t, err)
			lines = append(lines, strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")...)
		}
		return lines
	}
	out, err := run()
	require.Error(t, err)
	require.Contains(t, out, "the CA has no power")
	require.Contains(t, out, "was not registered, and those after it were not. Run register.sh again")
	out, err = run()
	require.NoError(t, err, out)
	known, err := os.ReadFile("known")
	require.NoError(t, err)
	require.ElementsMatch(t, strings.Fields(string(known)), strings.Fields(strings.Join(handed(), " ")))
	require.Greater(t, len(handed()), 3)

	// Whom the CA has already and the files have not is told by name.
	require.NoError(t, os.Remove("secrets-port2"))
	out, err = run()
	require.Error(t, err)
	require.Regexp(t, `If the CA has (\S+) already: .* identity modify \S+ --secret SECRET, and add the line "\S+ SECRET" to secrets-port2`, out)
}
