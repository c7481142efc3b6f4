// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestGuessedPasswords: after the wrong passwords that are allowed, no password is looked at, also if they come at once.
func TestGuessedPasswords(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", more: "cfg: {identities: {passwordattempts: 3}}\n"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	compared := 0
	for _, id := range []string{"one-by-one", "at-once"} {
		admin.register(ctx, t, id, "pw", "client")
		body, err := json.Marshal(enrolment{Request: sm2Request(t, id)})
		require.NoError(t, err)
		try := func(password string) int {
			status, _ := post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth(id, password) })
			return status
		}
		var wrong atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			guess := func() {
				if try(fmt.Sprint("guess ", i)) == http.StatusUnauthorized {
					wrong.Add(1)
				}
			}
			if id == "at-once" {
				all.Go(guess)
			} else {
				guess()
			}
		}
		all.Wait()
		require.EqualValues(t, 20, wrong.Load())
		require.Equal(t, compared+3, strings.Count(s.log.String(), "Password mismatch"), id)
		compared += 3
		require.Equal(t, http.StatusUnauthorized, try("pw"), id)
	}
	require.Zero(t, issued(ctx, t, admin, "at-once"))
}

// TestBodiesAreNotLogged: what a body holds, a password perhaps, is not in the log if the body is no JSON.
func TestBodiesAreNotLogged(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	status, _ := post(ctx, t, s, "register", []byte(`{"id":"user","secret":"of-a-user",`), func(*http.Request) {})
	require.Equal(t, http.StatusBadRequest, status)
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "Invalid request body") }, 10*time.Second, pause)
	require.NotContains(t, s.log.String(), "of-a-user")
}

// TestNamesInTheLog: what a stranger names begins no line of the log, however it is sent, and a long name is not written whole.
func TestNamesInTheLog(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	forged := "2026-01-01 00:00:00.000 UTC audit record -> event=ca-request caller=admin"
	body, err := json.Marshal(map[string]string{"caname": "a\n" + forged + strings.Repeat("\x1b", 1000) + strings.Repeat("x", 100<<10)})
	require.NoError(t, err)
	before := len(s.log.String())
	for _, send := range []func(*http.Request){
		func(r *http.Request) { r.Header.Set("Authorization", "none") },
		func(r *http.Request) {
			r.Header.Set("Authorization", "none")
			r.URL.RawQuery = "ca=a%0A" + strings.ReplaceAll(forged, " ", "+")
		},
	} {
		status, answer := post(ctx, t, s, "register", body, send)
		require.Equal(t, http.StatusNotFound, status, answer)
	}
	require.Eventually(t, func() bool { return strings.Count(s.log.String(), forged) == 2 },
		10*time.Second, pause, "%.2000s", s.log)
	text := s.log.String()
	require.NotContains(t, text, "\n"+forged)
	require.NotContains(t, text, "\x1b\x1b")
	require.Less(t, len(text)-before, 32<<10)
}

// TestSubjectsOfEvents: who enrolls is the subject of the event, whatever the request names, and a long name is cut.
func TestSubjectsOfEvents(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	send := func(endpoint string, body map[string]any, authenticate func(*http.Request)) int {
		data, err := json.Marshal(body)
		require.NoError(t, err)
		status, _ := post(ctx, t, s, endpoint, data, authenticate)
		return status
	}
	named := map[string]any{"certificate_request": sm2Request(t, "user"), "id": "admin"}
	require.Equal(t, http.StatusCreated, send("enroll", named, func(r *http.Request) { r.SetBasicAuth("user", "pw") }))
	require.Equal(t, http.StatusUnauthorized, send("reenroll", named, func(*http.Request) {}))
	require.Equal(t, http.StatusUnauthorized, send("register", map[string]any{"id": strings.Repeat("x", 300)}, func(*http.Request) {}))
	for _, line := range []string{"/enroll id=user caller=user", "/reenroll id= caller=", "/register id=" + strings.Repeat("x", 255) + " caller="} {
		require.Eventually(t, func() bool { return strings.Contains(s.log.String(), line) }, 10*time.Second, pause, "%s: %.4000s", line, s.log)
	}
	require.NotContains(t, s.log.String(), "id=admin caller=user")
}

// TestSecretsAreNotLogged: the settings that the server writes into its log are without passwords, in whatever setting they are.
func TestSecretsAreNotLogged(t *testing.T) {
	ctx := limited(t)
	home := t.TempDir()
	start := exec.CommandContext(ctx, filepath.Join(bin, "fabric-ca-server"), "start", "-H", home, "-b", "admin:of-the-admin", "--cafiles", "none.yaml",
		"--intermediate.parentserver.url", "https://ca:of-the-parent@127.0.0.1:1", "--db.datasource", "postgres://ca:of-the-db@127.0.0.1:1/ca")
	out, err := start.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "maxenrollments: -1")
	for _, secret := range []string{"of-the-admin", "of-the-parent", "of-the-db"} {
		require.NotContains(t, string(out), secret)
	}
	config := filepath.Join(home, "fabric-ca-server-config.yaml")
	text := strings.Replace(string(mustRead(t, config)), "pass: of-the-admin", "pass: |-\n          first line\n          of-the-admin", 1)
	require.Contains(t, text, "first line")
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	out, err = exec.CommandContext(ctx, filepath.Join(bin, "fabric-ca-server"), "start", "-H", home, "--cafiles", "none.yaml").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "maxenrollments: -1")
	require.NotContains(t, string(out), "of-the-admin")
}

// TestFileModes: what the first start writes is for its owner alone, but for what is public.
func TestFileModes(t *testing.T) {
	ctx := limited(t)
	home := t.TempDir()
	start := exec.CommandContext(ctx, filepath.Join(bin, "fabric-ca-server"), "start", "-H", home, "-b", "admin:adminpw", "--cacount", "1", "--tls.enabled", "--tls.mode", "gm",
		"--csr.keyrequest.algo", "sm2", "--csr.keyrequest.size", "256", "--address", "127.0.0.1", "--port", fmt.Sprint(freePort(t)))
	start.Env = append(os.Environ(), fmt.Sprintf("FABRIC_CA_SERVER_OPERATIONS_LISTENADDRESS=127.0.0.1:%d", freePort(t)))
	log := &lockedBuffer{}
	start.Stdout, start.Stderr = log, log
	require.NoError(t, start.Start())
	s := &server{cmd: start, log: log}
	defer s.stop()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "Listening on http") }, 30*time.Second, pause, "%s", log)
	public := map[string]bool{"ca-cert.pem": true, "IssuerPublicKey": true, "IssuerRevocationPublicKey": true, "tlcp-sign.crt": true, "tlcp-enc.crt": true}
	private := 0
	require.NoError(t, filepath.WalkDir(home, func(name string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		if info, err := entry.Info(); !entry.IsDir() && !public[entry.Name()] {
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
			private++
		}
		return nil
	}))
	require.GreaterOrEqual(t, private, 10, "keys, configuration and database of two CAs")
}

// rsaRequest is a request for a certificate whose RSA key has the number of bits, with a signature that is wrong: it is verified first.
func rsaRequest(t *testing.T, name string, bits uint) string {
	t.Helper()
	null := asn1.RawValue{Tag: asn1.TagNull}
	modulus, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), bits))
	require.NoError(t, err)
	modulus.SetBit(modulus, int(bits)-1, 1).SetBit(modulus, 0, 1)
	key, err := asn1.Marshal(struct {
		N *big.Int
		E int
	}{modulus, 65537})
	require.NoError(t, err)
	type publicKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	info, err := asn1.Marshal(struct {
		Version    int
		Subject    pkix.RDNSequence
		Key        publicKey
		Attributes []asn1.RawValue `asn1:"tag:0"`
	}{0, pkix.Name{CommonName: name}.ToRDNSequence(), publicKey{
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: null}, asn1.BitString{Bytes: key, BitLength: 8 * len(key)},
	}, nil})
	require.NoError(t, err)
	signature := make([]byte, bits/8)
	signature[len(signature)-1] = 2
	der, err := asn1.Marshal(struct {
		Info      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: info}, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: null},
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// TestLongRSAKeys: the CA does not spend its time on a signature by an RSA key of any length.
func TestLongRSAKeys(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "ecdsa"})
	for bits, want := range map[uint]string{2048: "", 8192: "", 16384: "16384 bits", 1 << 20: "1048576 bits"} {
		body, err := json.Marshal(enrolment{Request: rsaRequest(t, "admin", bits)})
		require.NoError(t, err)
		began := time.Now()
		status, answer := post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth("admin", "adminpw") })
		require.GreaterOrEqual(t, status, 400, answer)
		require.Contains(t, answer, want)
		require.Less(t, time.Since(began), 5*time.Second)
	}
}
