// SPDX-License-Identifier: Apache-2.0

package keydtest

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// SoftHSM is where Debian has the PKCS #11 module of softhsm2.
const SoftHSM = "/usr/lib/softhsm/libsofthsm2.so"

// StartSoftHSM makes a token labelled soft, which holds the keys, the first of them labelled key, others key2 and so on, and starts a
// daemon that calls the device soft. It skips the test where SoftHSM is not installed.
func StartSoftHSM(t testing.TB, keys ...crypto.Signer) *Daemon {
	t.Helper()
	tool, err := exec.LookPath("softhsm2-util")
	if err != nil {
		t.Skip("softhsm2 is not installed")
	}
	dir := ShortDir(t)
	tokens := filepath.Join(dir, "tokens")
	Must(0, os.Mkdir(tokens, 0o700))(t)
	conf := filepath.Join(dir, "softhsm2.conf")
	Must(0, os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\n"), 0o600))(t)
	env := "SOFTHSM2_CONF=" + conf
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Env = append(os.Environ(), env)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("softhsm2-util: %v: %s", err, out)
		}
	}
	run("--init-token", "--free", "--label", "soft", "--so-pin", "12345678", "--pin", PIN)
	for i, key := range keys {
		name, id := "key", "01"
		if i > 0 {
			name, id = "key"+string(rune('1'+i)), "0"+string(rune('1'+i))
		}
		file := filepath.Join(dir, name)
		der := Must(x509.MarshalPKCS8PrivateKey(key))(t)
		Must(0, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))(t)
		run("--import", file, "--token", "soft", "--label", name, "--id", id, "--pin", PIN)
	}
	d := Must(NewDaemon(Program(t, dir), dir, `
socket: SOCKET
devices:
- name: soft
  random: true
  pkcs11: {library: `+SoftHSM+`, token: soft, pin: {environment: DEVICE_PIN}}
`, env, "DEVICE_PIN="+PIN))(t)
	Must(0, d.Start())(t)
	t.Cleanup(d.Kill)
	return d
}
