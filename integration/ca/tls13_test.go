// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTLS13: the CA's listener speaks TLS 1.3 with GM suites alone, and clients enrol by it; its operations server speaks both GM
// protocols. Neither end goes over to another protocol.
func TestTLS13(t *testing.T) {
	ctx := limited(t)
	home, port := t.TempDir(), freePort(t)
	s := startServer(ctx, t, home, settings{algo: "sm2", mode: "gm", operations: port, more: "tls: {gmprotocols: [TLS13]}\nmetrics: {provider: prometheus}\n",
		operationsMore: ", tls: {enabled: true, mode: gm, gmprotocols: [TLCP, TLS13]}"})
	enroll := func(flags ...string) (string, error) {
		c := newClient(t, s, "gm")
		c.flags = append(c.flags, flags...)
		return c.try(ctx, append([]string{"enroll", "-u", c.with("admin", "adminpw")}, sm2Key...)...)
	}
	text, err := enroll("--tls.gmprotocol", "TLS13")
	require.NoError(t, err, text)
	for _, flags := range [][]string{nil, {"--tls.gmprotocol", "TLCP"}} {
		text, err = enroll(flags...)
		require.Error(t, err, text)
	}
	text, err = enroll("--tls.gmprotocol", "TLS1.3")
	require.Error(t, err)
	require.Contains(t, text, `tls.gmprotocol: "TLS1.3" is not a GM protocol: use TLCP or TLS13`)
	text, err = enroll("--tls.gmprotocol", "TLS13", "--tls.mode", "tls")
	require.Error(t, err)
	require.Contains(t, text, `tls.gmprotocol is TLS13, but tls.mode is "tls"`)

	own, err := os.ReadFile(filepath.Join(home, "ca-cert.pem"))
	require.NoError(t, err)
	status, page := askOverTLCP(ctx, t, port, own, http.MethodGet, "/metrics", nil)
	require.Equal(t, http.StatusOK, status, page)
	require.Regexp(t, `comm_tls_handshakes\{[^}]*protocol="TLS13-GM",result="ok",role="ca.server"`, page)
	require.NotRegexp(t, `comm_tls_handshakes\{[^}]*protocol="TLCP",result="ok",role="ca.server"`, page)

	require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", more: "tls: {enabled: true, mode: gm, gmprotocols: [TLS1.3]}\n"}), "tls.gmprotocols: ")
	require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", operationsMore: ", tls: {enabled: true, mode: gm, gmprotocols: [TLCP, TLCP]}"}),
		"operations.tls.gmprotocols: ")
}
