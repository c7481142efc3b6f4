// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// TestLifeOfAnIdentity registers, enrols, renews and revokes at an SM2 CA that listens for TLCP alone.
func TestLifeOfAnIdentity(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm"})
	ca := readCertificate(t, filepath.Join(s.home, "ca-cert.pem"))
	require.True(t, x509.IsSM2(ca.PublicKey))
	admin, user := newClient(t, s, "gm"), newClient(t, s, "gm")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client", "--id.attrs", "role=trader:ecert")
	user.enroll(ctx, t, "user", "pw", sm2Key...)

	first := readCertificate(t, user.path("msp", "signcerts", "cert.pem"))
	require.Contains(t, string(first.Raw), `"role":"trader"`)
	require.NoError(t, x509.CheckSignatureFrom(first, ca))
	requireOpenSSL(ctx, t, filepath.Join(s.home, "ca-cert.pem"), user.path("msp", "signcerts", "cert.pem"))
	keys, err := filepath.Glob(user.path("msp", "keystore", "*_sk"))
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.NoError(t, x509.CheckKeyPair(first, readKey(t, keys[0])))

	user.run(ctx, t, append([]string{"reenroll", "-u", s.url}, sm2Key...)...)
	second := readCertificate(t, user.path("msp", "signcerts", "cert.pem"))
	require.NotEqual(t, first.SerialNumber, second.SerialNumber)
	require.NotEqual(t, first.PublicKey, second.PublicKey)
	require.Contains(t, admin.run(ctx, t, "certificate", "list", "-u", s.url, "--id", "user"), "CN=user")

	admin.run(ctx, t, "revoke", "-u", s.url, "-e", "user", "--gencrl")
	list := readList(t, admin.path("msp", "crls", "crl.pem"))
	require.NoError(t, x509.CheckRevocationListFrom(list, ca))
	var serials []string
	for _, entry := range list.RevokedCertificateEntries {
		serials = append(serials, entry.SerialNumber.String())
	}
	require.ElementsMatch(t, []string{first.SerialNumber.String(), second.SerialNumber.String()}, serials)
	_, err = user.try(ctx, append([]string{"reenroll", "-u", s.url}, sm2Key...)...)
	require.Error(t, err)
	require.Contains(t, s.log.String(), "revoked")

	// Each change is a security event, with who made it.
	for _, event := range []string{
		`path=/enroll id=admin caller=admin`, `path=/register id=user caller=admin`, `path=/enroll id=user caller=user`,
		`path=/reenroll id= caller=user`, `path=/revoke id=user caller=admin`,
	} {
		require.Regexp(t, `security event n=\d+ event=ca-request method=POST `+event+` address="?127.0.0.1:\d+"? status=20[01]`, s.log.String())
	}
	require.Regexp(t, `event=ca-request method=POST path=/reenroll id= caller= address="?127.0.0.1:\d+"? status=401`, s.log.String(), "the revoked user")
}

// TestCommands: the remaining commands of the client, at an SM2 CA that listens for TLCP alone.
func TestCommands(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm", more: "cfg: {identities: {allowremove: true}, affiliations: {allowremove: true}}\n"})
	admin, user := newClient(t, s, "gm"), newClient(t, s, "gm")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	at := func(args ...string) string { return admin.run(ctx, t, append(args, "-u", s.url)...) }
	at("affiliation", "add", "org9")
	at("identity", "add", "added", "--secret", "pw", "--type", "client", "--affiliation", "org9")
	at("identity", "modify", "added", "--attrs", "role=trader:ecert")
	user.enroll(ctx, t, "added", "pw", sm2Key...)
	require.Contains(t, string(readCertificate(t, user.path("msp", "signcerts", "cert.pem")).Raw), `"role":"trader"`)
	at("affiliation", "modify", "org9", "--name", "org8", "--force")
	require.Contains(t, at("identity", "list", "--id", "added"), "Affiliation: org8")
	at("identity", "remove", "added")
	_, err := user.try(ctx, append([]string{"enroll", "-u", user.with("added", "pw")}, sm2Key...)...)
	require.Error(t, err, "an identity that was removed")
	at("affiliation", "remove", "org8")
	require.NotContains(t, at("affiliation", "list"), "org8")

	user.run(ctx, t, append([]string{"gencsr", "--csr.cn", "user", "--csr.hosts", "user.org1"}, sm2Key...)...)
	out, err := exec.CommandContext(ctx, "openssl", "req", "-verify", "-vfyopt", "distid:1234567812345678", "-noout", "-text",
		"-in", user.path("msp", "signcerts", "user.csr")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "ASN1 OID: SM2")
	require.Contains(t, string(out), "DNS:user.org1")

	other := newClient(t, s, "gm")
	other.run(ctx, t, "getcainfo", "-u", s.url)
	files, err := filepath.Glob(other.path("msp", "cacerts", "*.pem"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.Equal(t, readCertificate(t, filepath.Join(s.home, "ca-cert.pem")).Raw, readCertificate(t, files[0]).Raw)
}

// pairFiles are those of a TLCP pair.
type pairFiles struct{ sign, enc *x509.Certificate }

func requirePair(ctx context.Context, t *testing.T, s *server, dir string) pairFiles {
	t.Helper()
	p := pairFiles{readCertificate(t, filepath.Join(dir, "server-sign.crt")), readCertificate(t, filepath.Join(dir, "server-enc.crt"))}
	require.NoError(t, x509.CheckPairUsage(p.sign, p.enc))
	require.NoError(t, x509.CheckPairNames(p.sign, p.enc))
	require.NoError(t, x509.CheckKeyPair(p.sign, readKey(t, filepath.Join(dir, "server-sign.key"))))
	require.NoError(t, x509.CheckKeyPair(p.enc, readKey(t, filepath.Join(dir, "server-enc.key"))))
	require.Equal(t, []string{"peer0.org1"}, p.enc.DNSNames)
	for _, name := range []string{"server-sign.crt", "server-enc.crt"} {
		requireOpenSSL(ctx, t, filepath.Join(dir, "gm-ca.crt"), filepath.Join(dir, name))
	}
	require.Equal(t, readCertificate(t, filepath.Join(s.home, "ca-cert.pem")).Raw, readCertificate(t, filepath.Join(dir, "gm-ca.crt")).Raw)
	return p
}

// TestPairs enrols and renews TLCP pairs, with encryption keys made by either side, and serves TLCP with one.
func TestPairs(t *testing.T) {
	for _, by := range []string{"client", "ca"} {
		t.Run(by, func(t *testing.T) {
			ctx := limited(t)
			s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm", encKey: by, recovery: map[string]string{"ca": "none"}[by]})
			admin, peer := newClient(t, s, "gm"), newClient(t, s, "gm")
			admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
			admin.register(ctx, t, "peer0", "pw", "peer")
			peer.enroll(ctx, t, "peer0", "pw", sm2Key...)
			pair := []string{"--enrollment.profile", "tlcp", "--csr.hosts", "peer0.org1", "--tlcp.encryptionkey", by}
			peer.enroll(ctx, t, "peer0", "pw", pair...)
			first := requirePair(ctx, t, s, peer.path("tls"))
			peer.run(ctx, t, append([]string{"reenroll", "-u", s.url}, pair...)...)
			second := requirePair(ctx, t, s, peer.path("tls"))
			require.NotEqual(t, first.sign.PublicKey, second.sign.PublicKey)
			require.NotEqual(t, first.enc.PublicKey, second.enc.PublicKey)

			other := map[string]string{"client": "ca", "ca": "client"}[by]
			out, err := peer.try(ctx, append([]string{"enroll", "-u", peer.with("peer0", "pw"), "--tlcp.encryptionkey", other}, pair[:4]...)...)
			require.Error(t, err, "a CA of the other way")
			require.Contains(t, out, map[string]string{"client": "encryption_request", "ca": "tlcp.encryptionkey"}[by])
			require.Equal(t, second, requirePair(ctx, t, s, peer.path("tls")), "files stay as they were")
		})
	}
}

// TestPairAlone renews a pair where nothing but the pair was enrolled, by its signing certificate, with the keys that it has. A pair
// that was revoked is not renewed.
func TestPairAlone(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm"})
	admin, peer := newClient(t, s, "gm"), newClient(t, s, "gm")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "peer0", "pw", "peer")
	pair := []string{"--enrollment.profile", "tlcp", "--csr.hosts", "peer0.org1"}
	peer.enroll(ctx, t, "peer0", "pw", pair...)
	first := requirePair(ctx, t, s, peer.path("tls"))
	again := append([]string{"reenroll", "-u", s.url}, pair...)
	peer.run(ctx, t, append(again, "--csr.keyrequest.reusekey")...)
	second := requirePair(ctx, t, s, peer.path("tls"))
	require.NotEqual(t, first.sign.SerialNumber, second.sign.SerialNumber)
	require.Equal(t, first.sign.PublicKey, second.sign.PublicKey)
	require.Equal(t, first.enc.PublicKey, second.enc.PublicKey)

	admin.run(ctx, t, "revoke", "-u", s.url, "-e", "peer0")
	_, err := peer.try(ctx, again...)
	require.Error(t, err)
	require.Contains(t, s.log.String(), "revoked")
	require.Equal(t, second, requirePair(ctx, t, s, peer.path("tls")))
	_, err = newClient(t, s, "gm").try(ctx, again...)
	require.Error(t, err, "nobody is enrolled")
}

// TestTLS: the listener speaks TLS with a certificate that the CA has made for it, its key in the key store, as stock servers do.
func TestTLS(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "ecdsa", mode: "tls"})
	admin := newClient(t, s, "tls")
	admin.enroll(ctx, t, "admin", "adminpw")
	_, err := newClient(t, s, "gm").try(ctx, "enroll", "-u", admin.with("admin", "adminpw"))
	require.Error(t, err, "a client of the other protocol")
}

// enrolment is the body of a request.
type enrolment struct {
	Request           string `json:"certificate_request"`
	Profile           string `json:"profile,omitempty"`
	EncryptionRequest string `json:"encryption_request,omitempty"`
}

func request(t *testing.T, key any, name string) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func sm2Request(t *testing.T, name string) string {
	t.Helper()
	_, text := newRequest(t, name)
	return text
}

func newRequest(t *testing.T, name string) (*sm2.PrivateKey, string) {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key, request(t, key, name)
}

func post(ctx context.Context, t *testing.T, s *server, path string, body []byte, auth func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/"+path, bytes.NewReader(body))
	require.NoError(t, err)
	auth(req)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// issued counts the certificates that the CA has on record.
func issued(ctx context.Context, t *testing.T, admin *client, id string) int {
	t.Helper()
	return strings.Count(admin.run(ctx, t, "certificate", "list", "-u", admin.server.url, "--id", id), "Serial Number:")
}

// TestRefusals: nothing is issued for a request that is wrong.
func TestRefusals(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	one := request(t, key, "user")
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ecdsaRequest := request(t, p256, "user")
	forged := func(text string) string {
		block, _ := pem.Decode([]byte(text))
		block.Bytes[len(block.Bytes)-1] ^= 1
		return string(pem.EncodeToMemory(block))
	}
	for name, test := range map[string]struct {
		body enrolment
		want string
	}{
		"another's name":                  {enrolment{Request: sm2Request(t, "admin")}, "common name"},
		"an ECDSA key at an SM2 CA":       {enrolment{Request: ecdsaRequest}, "one family"},
		"a signature that is wrong":       {enrolment{Request: forged(one)}, ""},
		"a request and more":              {enrolment{Request: one + one, Profile: "tlcp", EncryptionRequest: sm2Request(t, "user")}, "no single certificate request"},
		"two encryption requests":         {enrolment{Request: one, Profile: "tlcp", EncryptionRequest: sm2Request(t, "user") + one}, "no single certificate request"},
		"a subject that is no text":       {enrolment{Request: requestBy(t, x509.CertificateRequest{RawSubject: numberedSubject(t, "user")})}, "no text"},
		"a pair of one request":           {enrolment{Request: one, Profile: "tlcp"}, "encryption_request"},
		"a pair of one key":               {enrolment{Request: one, Profile: "tlcp", EncryptionRequest: one}, "one key"},
		"a pair of two subjects":          {enrolment{Request: one, Profile: "tlcp", EncryptionRequest: sm2Request(t, "other")}, "subject"},
		"a pair with an ECDSA key":        {enrolment{Request: one, Profile: "tlcp", EncryptionRequest: ecdsaRequest}, "SM2"},
		"a pair with a forged request":    {enrolment{Request: one, Profile: "tlcp", EncryptionRequest: forged(sm2Request(t, "user"))}, "encryption_request"},
		"an encryption certificate alone": {enrolment{Request: one, Profile: "tlcp-encryption"}, "with a signing certificate"},
		"a second request, other profile": {enrolment{Request: one, EncryptionRequest: sm2Request(t, "user")}, "with a signing certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := json.Marshal(test.body)
			require.NoError(t, err)
			status, text := post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth("user", "pw") })
			require.GreaterOrEqual(t, status, 400, text)
			require.Contains(t, text, test.want)
		})
	}
	status, _ := post(ctx, t, s, "enroll", []byte("{}"), func(r *http.Request) { r.SetBasicAuth("user", "wrong") })
	require.Equal(t, http.StatusUnauthorized, status)
	require.Zero(t, issued(ctx, t, admin, "user"), "%s", s.log)
}

// tokenOf is the token by which the holder of a key and of its certificate, PEM, authenticates a request.
func tokenOf(t *testing.T, key *sm2.PrivateKey, cert []byte, method, uri string, body []byte) string {
	t.Helper()
	b64 := base64.StdEncoding.EncodeToString
	payload := method + "." + b64([]byte(uri)) + "." + b64(body) + "." + b64(cert)
	signature, err := key.Sign(rand.Reader, []byte(payload), sm2.DefaultSM2SignerOpts)
	require.NoError(t, err)
	return b64(cert) + "." + b64(signature)
}

func certificateText(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// TestTokens: a token is good for the one request that its key has signed.
func TestTokens(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	user := newClient(t, s, "")
	user.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	cert, err := os.ReadFile(user.path("msp", "signcerts", "cert.pem"))
	require.NoError(t, err)
	key := signingKey(t, user)
	token := func(key *sm2.PrivateKey, method, uri string, body []byte) string {
		return tokenOf(t, key, cert, method, uri, body)
	}
	body := []byte(`{"id":"made","type":"client","affiliation":"org1.department1"}`)
	status := func(token string, body []byte) int {
		code, _ := post(ctx, t, s, "register", body, func(r *http.Request) { r.Header.Set("Authorization", token) })
		return code
	}
	stranger, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	good := token(key, "POST", "/api/v1/register", body)
	require.Equal(t, http.StatusUnauthorized, status(token(stranger, "POST", "/api/v1/register", body), body), "another's key")
	require.Equal(t, http.StatusUnauthorized, status(token(key, "GET", "/api/v1/register", body), body), "another method")
	require.Equal(t, http.StatusUnauthorized, status(token(key, "POST", "/api/v1/revoke", body), body), "another path")
	require.Equal(t, http.StatusUnauthorized, status(token(key, "POST", "/api/v1/register?ca=ca", body), body), "another query")
	require.Equal(t, http.StatusUnauthorized, status(good, append(body, ' ')), "another body")
	require.Equal(t, http.StatusCreated, status(good, body))
	require.GreaterOrEqual(t, status(good, body), 400, "the same again")
}

// stock builds a program of unmodified Fabric CA.
func stock(t *testing.T, name string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", "github.com/hyperledger/fabric-ca@v1.5.21").Output()
	require.NoError(t, err)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))
	file := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", file, "./cmd/"+name)
	build.Dir = module.Dir
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)
	return file
}

// TestStockClient: unmodified clients enrol, register and revoke at our server with an ECDSA CA, over TLS.
func TestStockClient(t *testing.T) {
	program := stock(t, "fabric-ca-client")
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "ecdsa", mode: "tls"})
	admin, user := newClient(t, s, ""), newClient(t, s, "")
	for _, c := range []*client{admin, user} {
		c.program, c.flags = program, []string{"--tls.certfiles", filepath.Join(s.home, "ca-cert.pem")}
	}
	admin.enroll(ctx, t, "admin", "adminpw")
	admin.register(ctx, t, "user", "pw", "client")
	user.enroll(ctx, t, "user", "pw")
	user.run(ctx, t, "reenroll", "-u", s.url)
	admin.run(ctx, t, "revoke", "-u", s.url, "-e", "user", "--gencrl")
	require.Len(t, readList(t, admin.path("msp", "crls", "crl.pem")).RevokedCertificateEntries, 2)
}

// TestStockServer: our client works with an unmodified server, whose database our server opens afterwards.
func TestStockServer(t *testing.T) {
	program, home := stock(t, "fabric-ca-server"), t.TempDir()
	ctx := limited(t)
	s := startServer(ctx, t, home, settings{algo: "ecdsa", program: program})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw")
	admin.register(ctx, t, "user", "pw", "client")
	s.stop()

	s = startServer(ctx, t, home, settings{algo: "ecdsa"})
	admin.server = s
	require.Contains(t, admin.run(ctx, t, "identity", "list", "-u", s.url), "Name: user")
	user := newClient(t, s, "")
	user.enroll(ctx, t, "user", "pw")
	admin.run(ctx, t, "revoke", "-u", s.url, "-e", "user", "--gencrl")
	require.Len(t, readList(t, admin.path("msp", "crls", "crl.pem")).RevokedCertificateEntries, 1)
}
