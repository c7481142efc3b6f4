// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestIdemixClients: a client that has an Idemix credential alone is known by it, whichever provider it and the server have. What it
// may do is what its registration says, and a token of another CA's credential counts for nothing.
func TestIdemixClients(t *testing.T) {
	const providerGM = "bccsp: {default: GM, gm: {filekeystore: {keystore: msp/keystore}}}\n"
	for _, at := range []struct{ name, algo, server, client string }{
		{"server GM", "ecdsa", providerGM, ""},
		{"server GM, SM2 CA", "sm2", providerGM, ""},
		{"client GM", "ecdsa", "", providerGM},
		{"both GM", "sm2", providerGM, providerGM},
		{"both SW", "sm2", "", ""},
	} {
		t.Run(at.name, func(t *testing.T) {
			ctx := limited(t)
			s := startServer(ctx, t, t.TempDir(), settings{algo: at.algo, more: at.server})
			of := func(s *server, id, secret string) *client {
				c := newClient(t, s, "")
				require.NoError(t, os.WriteFile(c.path("fabric-ca-client-config.yaml"), []byte("url: "+s.url+"\n"+at.client), 0o600))
				c.enroll(ctx, t, id, secret, "--enrollment.type", "idemix")
				require.NoFileExists(t, c.path("msp", "signcerts", "cert.pem"))
				info, err := os.Stat(c.path("msp", "user", "SignerConfig"))
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it has the secret key")
				return c
			}
			admin := of(s, "admin", "adminpw")
			admin.register(ctx, t, "user", "pw", "client")
			require.Contains(t, admin.run(ctx, t, "identity", "list", "-u", s.url), "Name: user")
			user := of(s, "user", "pw")
			out, err := user.try(ctx, "register", "-u", s.url, "--id.name", "made", "--id.type", "client", "--id.affiliation", "org1")
			require.Error(t, err, "registering without the attribute: %s", out)

			foreign := startServer(ctx, t, t.TempDir(), settings{algo: at.algo, more: at.server})
			stranger := of(foreign, "admin", "adminpw")
			stranger.server = s
			out, err = stranger.try(ctx, "register", "-u", s.url, "--id.name", "made", "--id.type", "client", "--id.affiliation", "org1")
			require.Error(t, err, "the administrator of another CA: %s", out)
			require.NotContains(t, admin.run(ctx, t, "identity", "list", "-u", s.url), "Name: made")
			require.NotContains(t, s.log.String(), "panic")
		})
	}
}

// TestBadIdemixTokens: all are refused in the same words, so that nobody learns who has Idemix credentials; the log has the cause.
func TestBadIdemixTokens(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	c := newClient(t, s, "")
	require.NoError(t, os.WriteFile(c.path("fabric-ca-client-config.yaml"), []byte("url: "+s.url+"\n"), 0o600))
	c.enroll(ctx, t, "admin", "adminpw", "--enrollment.type", "idemix")
	answers := map[string]bool{}
	for token, cause := range map[string]string{
		"idemix.1.nobody.AAAA": "does not have any Idemix credentials",
		"idemix.1.admin.":      "nil pointer", // a signature without any part
		"idemix.1.admin.AAAA":  "Failed to unmarshal signature bytes",
		"idemix.1.admin.%":     "Failed to base64 decode signature",
		"idemix.2.admin.AAAA":  "Invalid version found",
	} {
		status, answer := post(ctx, t, s, "register", []byte("{}"), func(r *http.Request) { r.Header.Set("authorization", token) })
		require.Equal(t, http.StatusUnauthorized, status, "%s: %s", token, answer)
		require.Eventually(t, func() bool { return strings.Contains(s.log.String(), cause) }, 10*time.Second, 10*time.Millisecond, cause)
		answers[strings.TrimSpace(answer)] = true
	}
	require.Len(t, answers, 1)
	require.NotContains(t, s.log.String(), "panic:")
}
