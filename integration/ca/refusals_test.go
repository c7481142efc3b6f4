// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// TestWrongRegistrations: registrars act within their affiliation and roles; others register nobody.
func TestWrongRegistrations(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm"})
	admin, small, user := newClient(t, s, "gm"), newClient(t, s, "gm"), newClient(t, s, "gm")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "small", "pw", "client", "--id.attrs", "hf.Registrar.Roles=peer")
	small.enroll(ctx, t, "small", "pw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	user.enroll(ctx, t, "user", "pw", sm2Key...)
	for name, test := range map[string]struct {
		who  *client
		args []string
		want string
	}{
		"an affiliation that is none":       {admin, []string{"--id.type", "peer", "--id.affiliation", "org7"}, "Authorization failure"},
		"the affiliation above its own":     {small, []string{"--id.type", "peer", "--id.affiliation", "org1"}, "Authorization failure"},
		"a role that it may not give":       {small, []string{"--id.type", "orderer", "--id.affiliation", "org1.department1"}, "Authorization failure"},
		"an attribute that it may not give": {small, []string{"--id.type", "peer", "--id.affiliation", "org1.department1", "--id.attrs", "hf.Revoker=true"}, "Authorization failure"},
		"no registrar":                      {user, []string{"--id.type", "peer", "--id.affiliation", "org1.department1"}, "Authorization failure"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := test.who.try(ctx, append([]string{"register", "-u", s.url, "--id.name", "made", "--id.secret", "pw"}, test.args...)...)
			require.Error(t, err)
			require.Contains(t, out, test.want)
			require.NotContains(t, admin.run(ctx, t, "identity", "list", "-u", s.url), "Name: made")
		})
	}
	small.register(ctx, t, "made", "pw", "peer")
}

// TestAnothersPublicKey: a request for the key of somebody else, which the sender cannot sign, gets no certificate.
func TestAnothersPublicKey(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin, user := newClient(t, s, ""), newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	theirs, err := x509.MarshalPKIXPublicKey(readCertificate(t, admin.path("msp", "signcerts", "cert.pem")).PublicKey)
	require.NoError(t, err)
	// The keys have one length: that of the request gives way to the other in place.
	block, _ := pem.Decode([]byte(sm2Request(t, "user")))
	req, err := x509.ParseCertificateRequest(block.Bytes)
	require.NoError(t, err)
	der := []byte(string(block.Bytes))
	at := indexOf(der, req.RawSubjectPublicKeyInfo)
	require.GreaterOrEqual(t, at, 0)
	require.Equal(t, len(theirs), len(req.RawSubjectPublicKeyInfo))
	copy(der[at:], theirs)
	stolen := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	for _, body := range []enrolment{{Request: stolen}, {Request: stolen, Profile: "tlcp", EncryptionRequest: sm2Request(t, "user")},
		{Request: sm2Request(t, "user"), Profile: "tlcp", EncryptionRequest: stolen}} {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		status, answer := post(ctx, t, s, "enroll", text, func(r *http.Request) { r.SetBasicAuth("user", "pw") })
		require.GreaterOrEqual(t, status, 400, answer)
	}
	require.Zero(t, issued(ctx, t, admin, "user"))
	user.enroll(ctx, t, "user", "pw", sm2Key...)
}

func indexOf(in, part []byte) int {
	for i := range len(in) - len(part) + 1 {
		if string(in[i:i+len(part)]) == string(part) {
			return i
		}
	}
	return -1
}

// TestReplayedAndForgedTokens: a token of another CA's identity, and one whose certificate was changed, are refused.
func TestReplayedAndForgedTokens(t *testing.T) {
	ctx := limited(t)
	s, foreign := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"}), startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin, stranger := newClient(t, s, ""), newClient(t, foreign, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	stranger.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	stranger.server = s
	out, err := stranger.try(ctx, "register", "-u", s.url, "--id.name", "made", "--id.type", "client", "--id.affiliation", "org1")
	require.Error(t, err, "the administrator of another CA: %s", out)
	for name, token := range map[string]string{
		"no parts":           "x",
		"no certificate":     base64.StdEncoding.EncodeToString([]byte("x")) + ".eA==",
		"a certificate only": base64.StdEncoding.EncodeToString(mustRead(t, admin.path("msp", "signcerts", "cert.pem"))) + ".",
	} {
		t.Run(name, func(t *testing.T) {
			status, text := post(ctx, t, s, "register", []byte(`{"id":"made","type":"client","affiliation":"org1"}`), func(r *http.Request) { r.Header.Set("Authorization", token) })
			require.Equal(t, http.StatusUnauthorized, status, text)
		})
	}
	require.NotContains(t, admin.run(ctx, t, "identity", "list", "-u", s.url), "Name: made")
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

// TestExpiredCA: a CA whose certificate has ended issues nothing, and one that ends soon issues nothing that outlives it.
func TestExpiredCA(t *testing.T) {
	ctx := limited(t)
	home := t.TempDir()
	soon := settings{algo: "sm2", caExpiry: "2h"}
	s := startServer(ctx, t, home, soon)
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	ca := readCertificate(t, filepath.Join(home, "ca-cert.pem"))
	require.False(t, readCertificate(t, admin.path("msp", "signcerts", "cert.pem")).NotAfter.After(ca.NotAfter))

	// cfssl dates certificates back by five minutes.
	ended := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", caExpiry: "1m"})
	for _, body := range []enrolment{{Request: sm2Request(t, "admin")}, {Request: sm2Request(t, "admin"), Profile: "tlcp", EncryptionRequest: sm2Request(t, "admin")}} {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		status, answer := post(ctx, t, ended, "enroll", text, func(r *http.Request) { r.SetBasicAuth("admin", "adminpw") })
		require.GreaterOrEqual(t, status, 400, answer)
		require.Contains(t, answer, "the certificate of the CA ca ended at")
	}
}
