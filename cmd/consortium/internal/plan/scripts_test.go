// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"os/exec"
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
case "$*" in *" -u https://ca.port.example:7054 --tls.mode gm --tls.certfiles ca-cert.pem"*) ;; *) echo "no trusted root"; exit 1 ;; esac
if [ "$1 $2" = "identity modify" ]; then
    grep -v "^$3 " known >others
    { cat others; echo "$3 $5"; } >known
    exit
fi
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
	// An MSP takes nobody with such an OU, so the certificate for TLCP is no identity.
	script, err := os.ReadFile("out/ca/register.sh")
	require.NoError(t, err)
	require.Contains(t, string(script), `register "$1" ledger.port.example chaincode 1 port1`)
	require.NotContains(t, nodeOUs, "OrganizationalUnitIdentifier: "+Chaincode)

	// Whom the CA has already and the files have not is told by name, with a command that mends it.
	require.NoError(t, os.Remove("secrets-port2"))
	for range 2 {
		out, err = run()
		require.Error(t, err)
		require.Regexp(t, `If the CA has \S+ already: give it a new secret`, out)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		text, err := exec.Command("sh", "-c", lines[len(lines)-1]).CombinedOutput()
		require.NoError(t, err, "%s", text)
	}
	out, err = run()
	require.NoError(t, err, out)
	known, err = os.ReadFile("known")
	require.NoError(t, err)
	require.ElementsMatch(t, strings.Fields(string(known)), strings.Fields(strings.Join(handed(), " ")))
}

// TestEnrollAgain: a script that ended in the middle goes on where it was. A secret that has served is not used again, and nobody gets another key.
func TestEnrollAgain(t *testing.T) {
	dir := byFabricCA(t)
	root := filepath.Join(dir, "out/port1")
	relocate(t, root+"/enroll.sh", root)
	// The client writes what the real one does. The CA has no power at the fourth enrolment, once, and counts the others.
	standIn(t, dir, "fabric-ca-client", `#!/bin/sh
set -eu
calls=`+dir+`/calls
count=$(wc -l <"$calls")
[ "$count" != 3 ] || [ -e "$calls.again" ] || { : >"$calls.again"; echo "the CA has no power" >&2; exit 1; }
name=$(basename "$FABRIC_CA_CLIENT_HOME")
case " $* " in *" tlcp "*) kind=pair ;; *) kind=identity ;; esac
echo "$name $kind" >>"$calls"
[ "$(grep -cxF "$name $kind" "$calls")" = 1 ] || { echo "$name has already enrolled" >&2; exit 1; }
mkdir -p "$FABRIC_CA_CLIENT_HOME"
cd "$FABRIC_CA_CLIENT_HOME"
if [ $kind = pair ]; then
    mkdir -p tls
    for file in server-sign.key server-enc.key server-sign.crt server-enc.crt; do echo "$name" >tls/$file; done
else
    mkdir -p msp/keystore msp/signcerts msp/cacerts
    echo "$name" >"msp/keystore/${count}_sk"
    echo "$name" >msp/signcerts/cert.pem
fi
`)
	t.Chdir(dir)
	for file, text := range map[string]string{"calls": "", "ca.crt": "a root", "secrets-port1": "peer0.port.example secret\n"} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	run := func() (string, error) { return shell(t, root+"/enroll.sh", "ca.crt", "secrets-port1", "public") }
	out, err := run()
	require.Error(t, err)
	require.Contains(t, out, "peer0.port.example has not got all its certificates, and those after it have none. Run enroll.sh again")
	require.Contains(t, out, "identity modify peer0.port.example --maxenrollments 4 -u https://ca.port.example:7054 --tls.mode gm --tls.certfiles 'ca.crt'")
	out, err = run()
	require.NoError(t, err, out)
	out, err = run()
	require.NoError(t, err, "nothing is left to do: %s", out)
	for _, name := range []string{"orderer0", "peer0", "admin", "app"} {
		name += ".port.example"
		keys, err := os.ReadDir(filepath.Join(root, name, "msp/keystore"))
		require.NoError(t, err)
		require.Len(t, keys, 1, name)
		for _, file := range []string{root + "/" + name + "/msp/cacerts/ca.crt", "public/" + name + ".identity.crt", "public/" + name + ".sign.crt"} {
			require.FileExists(t, file)
		}
	}
	require.FileExists(t, "public/ledger.port.example.sign.crt")
	require.NoFileExists(t, "public/ledger.port.example.identity.crt")
}

// TestCreateAgain: a run that ended in the middle is gone on with. A key that is there stays, and so does all that is whole.
func TestCreateAgain(t *testing.T) {
	needOpenSSL(t)
	ca := filepath.Join(write(t, "Port"), "ca")
	real, err := exec.LookPath("openssl")
	require.NoError(t, err)
	dir := t.TempDir()
	standIn(t, dir, "openssl", `#!/bin/sh
echo "$1" >>`+dir+`/calls
[ "$(wc -l <`+dir+`/calls)" != 6 ] || { echo "no space left" >&2; exit 1; }
exec `+real+` "$@"
`)
	files := func() map[string]string {
		t.Helper()
		all := map[string]string{}
		for _, name := range []string{"ca.key", "ca.crt", "gm-ca.key", "gm-ca.crt", "tls-ca.key", "tls-ca.crt"} {
			if text, err := os.ReadFile(filepath.Join(ca, name)); err == nil {
				all[name] = string(text)
			}
		}
		return all
	}
	out, err := shell(t, ca+"/create.sh")
	require.Error(t, err, out)
	first := files()
	require.Len(t, first, 3, "the second CA has no certificate")
	out, err = shell(t, ca+"/create.sh")
	require.NoError(t, err, out)
	second := files()
	require.Len(t, second, 6)
	for name, text := range first {
		require.Equal(t, text, second[name], name)
	}
	require.FileExists(t, filepath.Join(ca, "msp/config.yaml"))
	out, err = shell(t, ca+"/create.sh")
	require.NoError(t, err, out)
	require.Equal(t, second, files())
	require.NoError(t, os.Remove(filepath.Join(ca, "ca.key")))
	out, err = shell(t, ca+"/create.sh")
	require.Error(t, err)
	require.Contains(t, out, "ca.crt is there without its key")
	require.Equal(t, second["ca.crt"], files()["ca.crt"])
}

// TestSecrets: the key of a Secret is that of its certificate, where an earlier key is beside it.
func TestSecrets(t *testing.T) {
	needOpenSSL(t)
	p, err := parse([]byte(strings.NewReplacer("run: compose", "run: kubernetes", "mode: dual", "mode: gm").Replace(sample(t))))
	require.NoError(t, err)
	dir := t.TempDir()
	root := filepath.Join(dir, "out/port2")
	_, err = p.Write("Port", filepath.Join(dir, "out"))
	require.NoError(t, err)
	relocate(t, root+"/secrets.sh", root)
	standIn(t, dir, "kubectl", `#!/bin/sh
[ "$1" = create ] || { cat >/dev/null; exit 0; }
for argument in "$@"; do echo "$argument"; done >>`+dir+`/arguments
`)
	msp := filepath.Join(root, "peer1.port.example/msp")
	for _, folder := range []string{"keystore", "signcerts"} {
		require.NoError(t, os.MkdirAll(filepath.Join(msp, folder), 0o700))
	}
	for _, name := range []string{"a", "b", "c"} { // the certificate of b is the last
		certificate := filepath.Join(dir, name+".crt")
		if name == "b" {
			certificate = filepath.Join(msp, "signcerts/cert.pem")
		}
		out, err := exec.Command("openssl", "req", "-x509", "-newkey", "sm2", "-nodes", "-subj", "/CN=peer1", "-keyout", filepath.Join(msp, "keystore", name+"_sk"), "-out", certificate).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	out, err := shell(t, root+"/secrets.sh")
	require.NoError(t, err, out)
	arguments, err := os.ReadFile(filepath.Join(dir, "arguments"))
	require.NoError(t, err)
	require.Contains(t, string(arguments), "\n--from-file=key.pem=peer1.port.example/msp/keystore/b_sk\n")
	require.Contains(t, string(arguments), "\n--from-file=cert.crt=peer1.port.example/msp/signcerts/cert.pem\n")

	require.NoError(t, os.Remove(filepath.Join(msp, "keystore/b_sk")))
	out, err = shell(t, root+"/secrets.sh")
	require.Error(t, err)
	require.Contains(t, out, "no key in "+msp+"/keystore is that of "+msp+"/signcerts/cert.pem")
}
