// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// sendTwice sends a request with one token twice, and returns both statuses and the second answer.
func sendTwice(ctx context.Context, t *testing.T, s *server, path, token string, body []byte) (first, second int, answer string) {
	t.Helper()
	send := func() (int, string) {
		return post(ctx, t, s, path, body, func(r *http.Request) { r.Header.Set("Authorization", token) })
	}
	first, answer = send()
	require.Less(t, first, 300, answer)
	second, answer = send()
	return first, second, answer
}

// requireSpentTokens: a token of an SM2 key that has changed something is refused when it comes again, a renewal among them, and nothing
// is issued. It returns such a token, of a renewal by the client with the body.
func requireSpentTokens(ctx context.Context, t *testing.T, admin *client) (token string, body []byte) {
	t.Helper()
	s, cert := admin.server, mustRead(t, admin.path("msp", "signcerts", "cert.pem"))
	key := signingKey(t, admin)
	for path, text := range map[string]string{"gencrl": `{"caname":"ca"}`, "affiliations": `{"name":"org-of-token"}`} {
		token := tokenOf(t, key, cert, http.MethodPost, "/api/v1/"+path, []byte(text))
		_, second, answer := sendTwice(ctx, t, s, path, token, []byte(text))
		require.Equal(t, http.StatusUnauthorized, second, answer)
		require.Contains(t, answer, "was used before")
	}
	body, err := json.Marshal(enrolment{Request: sm2Request(t, "admin")})
	require.NoError(t, err)
	before := issued(ctx, t, admin, "admin")
	token = tokenOf(t, key, cert, http.MethodPost, "/api/v1/reenroll", body)
	_, second, answer := sendTwice(ctx, t, s, "reenroll", token, body)
	require.Equal(t, http.StatusUnauthorized, second, answer)
	require.Equal(t, before+1, issued(ctx, t, admin, "admin"))
	return token, body
}

// TestSpentTokens: a token is good once, also after a restart. The same request with a new signature is another one. Tokens for reading, and
// those of ECDSA keys for other requests than a renewal, can be sent again, as some SDKs do.
func TestSpentTokens(t *testing.T) {
	ctx := limited(t)
	home := t.TempDir()
	s := startServer(ctx, t, home, settings{algo: "sm2"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	token, body := requireSpentTokens(ctx, t, admin)
	require.Regexp(t, `event=ca-request method=POST path=/api/v1/reenroll id= caller= address="?127.0.0.1:\d+"? status=401`, s.log.String(), "it authenticates nobody")
	key, cert := signingKey(t, admin), mustRead(t, admin.path("msp", "signcerts", "cert.pem"))
	for range 2 {
		list := []byte(`{"caname":"ca"}`)
		token := tokenOf(t, key, cert, http.MethodPost, "/api/v1/gencrl", list)
		status, answer := post(ctx, t, s, "gencrl", list, func(r *http.Request) { r.Header.Set("Authorization", token) })
		require.Equal(t, http.StatusOK, status, answer)
	}
	reading := tokenOf(t, key, cert, http.MethodGet, "/api/v1/identities", nil)
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/identities", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", reading)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	s.stop()
	s = startServer(ctx, t, home, settings{algo: "sm2"})
	status, answer := post(ctx, t, s, "reenroll", body, func(r *http.Request) { r.Header.Set("Authorization", token) })
	require.Equal(t, http.StatusUnauthorized, status, answer)
	require.Contains(t, answer, "was used before")

	s = startServer(ctx, t, t.TempDir(), settings{algo: "ecdsa"})
	standard := newClient(t, s, "")
	standard.enroll(ctx, t, "admin", "adminpw")
	for path, once := range map[string]bool{"reenroll": true, "gencrl": false} {
		text := []byte(`{"caname":"ca"}`)
		if once {
			signer, _ := ecdsaKey(t, standard)
			var err error
			text, err = json.Marshal(enrolment{Request: request(t, signer, "admin")})
			require.NoError(t, err)
		}
		_, second, answer := sendTwice(ctx, t, s, path, ecdsaToken(t, standard, "/api/v1/"+path, text), text)
		require.Equal(t, once, second == http.StatusUnauthorized, answer)
	}
}

// ecdsaKey is the key of a client's certificate, and the certificate.
func ecdsaKey(t *testing.T, c *client) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	names, err := filepath.Glob(c.path("msp", "keystore", "*_sk"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	key, ok := readKey(t, names[0]).(*ecdsa.PrivateKey)
	require.True(t, ok)
	return key, certificateText(readCertificate(t, c.path("msp", "signcerts", "cert.pem")))
}

// ecdsaToken is the token of a stock client, whose signatures have the lower of the two possible values s.
func ecdsaToken(t *testing.T, c *client, uri string, body []byte) string {
	t.Helper()
	key, cert := ecdsaKey(t, c)
	b64 := base64.StdEncoding.EncodeToString
	digest := sha256.Sum256([]byte("POST." + b64([]byte(uri)) + "." + b64(body) + "." + b64(cert)))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	require.NoError(t, err)
	if n := key.Params().N; s.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		s.Sub(n, s)
	}
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	require.NoError(t, err)
	return b64(cert) + "." + b64(signature)
}
