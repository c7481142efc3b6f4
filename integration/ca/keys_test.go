// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
)

// tool builds one of the root's programs.
func tool(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, "../../cmd/"+name).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return file
}

// TestRecovery loses the encryption key of a pair and gets it back from the CA's folder by the operator's key, which the CA never had.
func TestRecovery(t *testing.T) {
	ctx := limited(t)
	gmtls := tool(t, "gmtls")
	operator := gmtlstest.NewCA(t).NewPair(t, "recovery").Write(t, t.TempDir(), "recovery")
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", encKey: "ca", recovery: operator.EncCert})
	admin, peer := newClient(t, s, ""), newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "peer0", "pw", "peer")
	peer.enroll(ctx, t, "peer0", "pw", "--enrollment.profile", "tlcp", "--csr.hosts", "peer0.org1", "--tlcp.encryptionkey", "ca")
	cert := readCertificate(t, peer.path("tls", "server-enc.crt"))
	lost := readKey(t, peer.path("tls", "server-enc.key"))
	require.NoError(t, os.Remove(peer.path("tls", "server-enc.key")))

	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	kept := filepath.Join(s.home, "recovery", hex.EncodeToString(sum[:]))
	require.Equal(t, cert.Raw, readCertificate(t, kept+".crt").Raw)
	info, err := os.Stat(kept + ".der")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	info, err = os.Stat(filepath.Dir(kept))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	recover := func(with string) ([]byte, error) {
		return exec.CommandContext(ctx, gmtls, "key", kept+".der", "--decrypt-with", with, "--cert", peer.path("tls", "server-enc.crt"),
			"--out", peer.path("tls", "server-enc.key")).CombinedOutput()
	}
	out, err := recover(peer.path("tls", "server-sign.key"))
	require.Error(t, err, "another key opens it: %s", out)
	out, err = recover(operator.EncKey)
	require.NoError(t, err, "%s", out)
	require.Equal(t, lost, readKey(t, peer.path("tls", "server-enc.key")))

	// A key for which nothing is issued is not kept.
	body, err := json.Marshal(enrolment{Request: sm2Request(t, "admin"), Profile: "tlcp"})
	require.NoError(t, err)
	status, text := post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth("peer0", "pw") })
	require.Equal(t, http.StatusForbidden, status, text)
	entries, err := os.ReadDir(filepath.Dir(kept))
	require.NoError(t, err)
	require.Len(t, entries, 2)

	// Who recovers it cannot act as the node: at the CA it authenticates nobody.
	body, err = json.Marshal(enrolment{Request: sm2Request(t, "peer0")})
	require.NoError(t, err)
	for name, want := range map[string]int{"server-enc": http.StatusUnauthorized, "server-sign": http.StatusCreated} {
		key, ok := x509.AsSM2(readKey(t, peer.path("tls", name+".key")))
		require.True(t, ok)
		token := tokenOf(t, key, certificateText(readCertificate(t, peer.path("tls", name+".crt"))), http.MethodPost, "/api/v1/reenroll", body)
		status, answer := post(ctx, t, s, "reenroll", body, func(r *http.Request) { r.Header.Set("Authorization", token) })
		require.Equal(t, want, status, answer)
	}
}

// TestRecoveryOrNothing: a CA that cannot keep an encryption key issues nothing, and one that does not say whether it keeps any does
// not start.
func TestRecoveryOrNothing(t *testing.T) {
	ctx := limited(t)
	operator := gmtlstest.NewCA(t).NewPair(t, "recovery").Write(t, t.TempDir(), "recovery")
	home := t.TempDir()
	s := startServer(ctx, t, home, settings{algo: "sm2", encKey: "ca", recovery: operator.EncCert})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "peer0", "pw", "peer")
	require.NoError(t, os.WriteFile(filepath.Join(home, "recovery"), nil, 0o600), "a file where the folder would be")
	body, err := json.Marshal(enrolment{Request: sm2Request(t, "peer0"), Profile: "tlcp"})
	require.NoError(t, err)
	status, text := post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth("peer0", "pw") })
	require.Equal(t, http.StatusInternalServerError, status)
	require.Contains(t, text, "could not keep")
	require.NotContains(t, text, home)
	require.Zero(t, issued(ctx, t, admin, "peer0"))

	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "standard")
	for name, test := range map[string]struct{ encKey, recovery, want string }{
		"says nothing":            {"ca", "", "tlcp.recovery is missing"},
		"a file that is missing":  {"ca", "/nowhere.crt", "/nowhere.crt"},
		"no SM2 key":              {"ca", gmtlstest.WriteFile(t, t.TempDir(), "c.crt", standard.CertPEM), "not an SM2 key"},
		"a signing certificate":   {"ca", operator.SignCert, "allows no encryption"},
		"a private key":           {"ca", operator.EncKey, "private key"},
		"two certificates":        {"ca", gmtlstest.WriteFile(t, t.TempDir(), "c.crt", append(mustRead(t, operator.EncCert), mustRead(t, operator.EncCert)...)), "must hold one"},
		"who makes keys is wrong": {"CA", operator.EncCert, `tlcp.encryptionkey is "CA"`},
		"it sees no keys to keep": {"client", operator.EncCert, "sees no encryption keys"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", encKey: test.encKey, recovery: test.recovery}), test.want)
		})
	}
}

// refusedStart starts a CA that must end by itself, and returns what it said.
func refusedStart(ctx context.Context, t *testing.T, s settings) string {
	t.Helper()
	return refusedIn(ctx, t, t.TempDir(), s)
}

// refusedIn does this with the files of a folder.
func refusedIn(ctx context.Context, t *testing.T, home string, s settings) string {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(home, "fabric-ca-server-config.yaml"), []byte(s.config(freePort(t), s.operationsPort(t))), 0o600))
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "fabric-ca-server"), "start", "-H", home)
	cmd.Env = append(os.Environ(), s.environment...)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.NoError(t, ctx.Err(), "it runs: %s", out)
	return string(out)
}

// TestEncryptedKeys: a CA whose provider has a password keeps its key encrypted, and does not start without the password.
func TestEncryptedKeys(t *testing.T) {
	for _, algo := range []string{"sm2", "ecdsa"} {
		t.Run(algo, func(t *testing.T) { testEncryptedKeys(t, algo) })
	}
}

func testEncryptedKeys(t *testing.T, algo string) {
	ctx := limited(t)
	home := t.TempDir()
	password := gmtlstest.WriteFile(t, t.TempDir(), "password", []byte("of a test\n"))
	kind := []string{"--csr.keyrequest.algo", algo, "--csr.keyrequest.size", "256"}
	encrypted := settings{algo: algo, more: "bccsp: {default: GM, gm: {filekeystore: {passwordfile: " + password + "}}}\n"}
	s := startServer(ctx, t, home, encrypted)
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", kind...)
	s.stop()

	stored, err := filepath.Glob(filepath.Join(home, "msp", "keystore", "*_sk"))
	require.NoError(t, err)
	require.NotEmpty(t, stored)
	ca := readCertificate(t, filepath.Join(home, "ca-cert.pem"))
	found := false
	for _, file := range stored {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, err = x509.ParsePrivateKeyPEM(text, nil)
		if err == nil && strings.Contains(file, "IssuerRevocation") {
			continue // Idemix writes its key by itself
		}
		require.ErrorIs(t, err, x509.ErrNoPassword, file)
		require.Contains(t, string(text), "BEGIN ENCRYPTED PRIVATE KEY", file)
		key, err := x509.ParsePrivateKeyPEM(text, []byte("of a test"))
		require.NoError(t, err)
		found = found || x509.CheckKeyPair(ca, key) == nil
	}
	require.True(t, found, "the CA's key is encrypted")
	for name, more := range map[string]string{"none": "", "wrong": gmtlstest.WriteFile(t, t.TempDir(), "password", []byte("another\n"))} {
		t.Run(name, func(t *testing.T) {
			config := "bccsp: {default: GM, gm: {filekeystore: {passwordfile: '" + more + "'}}}\n"
			other := filepath.Join(t.TempDir(), "home")
			require.NoError(t, os.CopyFS(other, os.DirFS(home)))
			require.NoError(t, os.WriteFile(filepath.Join(other, "fabric-ca-server-config.yaml"),
				[]byte(settings{algo: algo, more: config}.config(freePort(t), freePort(t))), 0o600))
			limited, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			out, err := exec.CommandContext(limited, filepath.Join(bin, "fabric-ca-server"), "start", "-H", other).CombinedOutput()
			require.Error(t, err)
			require.NoError(t, limited.Err(), "it runs: %s", out)
			require.Contains(t, string(out), "ca-cert.pem")
		})
	}
	s = startServer(ctx, t, home, encrypted)
	admin.server = s
	admin.run(ctx, t, append([]string{"reenroll", "-u", s.url}, kind...)...)
}

// TestEncryptedByEnvironment: the provider and its password may be named in the environment, whether the configuration has a section for them or
// not. A password that would not be used stops the server.
func TestEncryptedByEnvironment(t *testing.T) {
	ctx := limited(t)
	password := "FABRIC_CA_SERVER_BCCSP_GM_FILEKEYSTORE_PASSWORDFILE=" + gmtlstest.WriteFile(t, t.TempDir(), "password", []byte("of a test\n"))
	for _, section := range []string{"", "bccsp: {default: SW, sw: {hash: SHA2, security: 256, filekeystore: {keystore: msp/keystore}}}\n"} {
		home := t.TempDir()
		startServer(ctx, t, home, settings{algo: "sm2", more: section, environment: []string{"FABRIC_CA_SERVER_BCCSP_DEFAULT=GM", password}}).stop()
		stored, err := filepath.Glob(filepath.Join(home, "msp", "keystore", "*_sk"))
		require.NoError(t, err)
		require.NotEmpty(t, stored)
		for _, file := range stored {
			require.Contains(t, string(mustRead(t, file)), "BEGIN ENCRYPTED PRIVATE KEY")
		}
	}
	require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", more: "bccsp: {default: SW, gm: {filekeystore: {passwordfile: /password}}}\n"}), "keys would not be encrypted")
}

// TestKeyInDevice: a CA whose key is in a device makes its certificate with it, issues, and signs lists, by the device alone.
func TestKeyInDevice(t *testing.T) {
	ctx := limited(t)
	dir := keydtest.ShortDir(t)
	library, err := keydtest.BuildDevice(dir, keydtest.SDF)
	if err != nil {
		t.Skip(err)
	}
	const pin = "12345678"
	private, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key := keydtest.Key{Index: 1, Usage: keyd.UsageSign, PIN: pin, Private: private}
	device, err := keydtest.NewFolder(filepath.Join(dir, "state"), pin, []keydtest.Key{key})
	require.NoError(t, err)
	defer device.Close()
	socket := filepath.Join(dir, "socket")
	config := fmt.Sprintf("socket: %s\ndevices:\n- name: hsm\n  sdf:\n    library: %s\n    decrypt: with-algorithm\n    keys:\n    - {index: 1, pin: {environment: DEVICE_PIN}}\n",
		socket, library)
	daemon := exec.CommandContext(ctx, tool(t, "gmkeyd"), "serve", "--config", gmtlstest.WriteFile(t, dir, "gmkeyd.yaml", []byte(config)))
	daemon.Env = append(os.Environ(), "SIMULATED_DEVICE="+filepath.Join(dir, "state"), "DEVICE_PIN="+pin)
	var log lockedBuffer
	daemon.Stdout, daemon.Stderr = &log, &log
	require.NoError(t, daemon.Start())
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	require.Eventually(t, func() bool {
		status, err := keyd.ClientFor(socket).Status(ctx)
		return err == nil && status.Healthy
	}, time.Minute, 50*time.Millisecond, "%s", &log)

	home := t.TempDir()
	reference, err := keyd.Reference{URI: keyd.URI{Scheme: "sdf", Device: "hsm", Index: 1, Usage: keyd.UsageSign}, Socket: socket, Public: &private.PublicKey}.Encode()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(home, "msp", "keystore"), 0o700))
	gmtlstest.WriteFile(t, filepath.Join(home, "msp", "keystore"), "ca.key", reference)
	s := startServer(ctx, t, home, settings{algo: "sm2", keyFile: "msp/keystore/ca.key"})
	ca := readCertificate(t, filepath.Join(home, "ca-cert.pem"))
	require.NoError(t, x509.CheckKeyPair(ca, private), "the CA's certificate is of the device's key")
	admin, user := newClient(t, s, ""), newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	before := device.Get(keydtest.Signatures)
	user.enroll(ctx, t, "user", "pw", sm2Key...)
	require.NoError(t, x509.CheckSignatureFrom(readCertificate(t, user.path("msp", "signcerts", "cert.pem")), ca))
	require.Greater(t, device.Get(keydtest.Signatures), before)
	admin.run(ctx, t, "revoke", "-u", s.url, "-e", "user", "--gencrl")
	require.NoError(t, x509.CheckRevocationListFrom(readList(t, admin.path("msp", "crls", "crl.pem")), ca))
	s.stop()

	// Started again, it has the key of before; with the certificate of another key it does not start.
	s = startServer(ctx, t, home, settings{algo: "sm2", keyFile: "msp/keystore/ca.key"})
	admin.server = s
	admin.run(ctx, t, append([]string{"reenroll", "-u", s.url}, sm2Key...)...)
	s.stop()
	other := gmtlstest.NewCA(t)
	gmtlstest.WriteFile(t, home, "ca-cert.pem", other.CertPEM)
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(limited, filepath.Join(bin, "fabric-ca-server"), "start", "-H", home).CombinedOutput()
	require.Error(t, err)
	require.True(t, strings.Contains(string(out), "is not that of the certificate"), "%s", out)
}

// TestSecondCAEncrypted: keys of a second CA are encrypted if those of the first are, or the server does not start.
func TestSecondCAEncrypted(t *testing.T) {
	ctx := limited(t)
	password := gmtlstest.WriteFile(t, t.TempDir(), "password", []byte("of a test\n"))
	both := settings{algo: "sm2", more: "cafiles: [second/fabric-ca-server-config.yaml]\n",
		environment: []string{"FABRIC_CA_SERVER_BCCSP_DEFAULT=GM", "FABRIC_CA_SERVER_BCCSP_GM_FILEKEYSTORE_PASSWORDFILE=" + password}}
	folder := func(bccsp string) string {
		home := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(home, "second"), 0o700))
		gmtlstest.WriteFile(t, filepath.Join(home, "second"), "fabric-ca-server-config.yaml", []byte(
			strings.NewReplacer("name: ca}", "name: second}", "cn: ca,", "cn: second,").Replace(settings{algo: "sm2", more: bccsp}.config(0, 0))))
		return home
	}
	for bccsp, want := range map[string]string{
		"bccsp: {default: SW}\n": "its keys would not be encrypted",
		"bccsp: {default: GM}\n": "its keys would not be encrypted",
		"bccsp: {default: GM, gm: {filekeystore: {keystore: msp/keystore}}}\n":           "its keys would not be encrypted",
		"bccsp: {default: SW, gm: {filekeystore: {passwordfile: '" + password + "'}}}\n": "keys would not be encrypted; set bccsp.default to GM",
	} {
		home := folder(bccsp)
		require.Contains(t, refusedIn(ctx, t, home, both), want)
		require.NoDirExists(t, filepath.Join(home, "second", "msp"))
	}
	for _, bccsp := range []string{"", "bccsp: {default: GM, gm: {filekeystore: {passwordfile: '" + password + "'}}}\n"} {
		home := folder(bccsp)
		startServer(ctx, t, home, both).stop()
		for _, ca := range []string{home, filepath.Join(home, "second")} {
			keys, err := filepath.Glob(filepath.Join(ca, "msp", "keystore", "*_sk"))
			require.NoError(t, err)
			require.NotEmpty(t, keys)
			for _, key := range keys {
				require.Contains(t, string(mustRead(t, key)), "ENCRYPTED PRIVATE KEY", key)
			}
		}
	}
}
