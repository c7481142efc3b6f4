// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// askOverTLCP asks the operations server over TLCP, with or without a pair of the client's.
func askOverTLCP(ctx context.Context, t *testing.T, port int, root []byte, method, page string, as *gmtls.Certificate) (int, string) {
	t.Helper()
	config := &gmtls.Config{RootCAs: smx509.NewCertPool(), ServerName: "localhost"}
	require.True(t, config.RootCAs.AppendCertsFromPEM(root))
	if as != nil {
		config.Certificates = []gmtls.Certificate{*as}
	}
	return askBy(ctx, t, &http.Transport{DialTLSContext: (&gmtls.Dialer{Config: config}).DialContext}, port, method, page)
}

// TestOperationsOverTLCP: the operations server speaks only TLCP, with a separate pair, and its operator is known by the SM2
// certificate; one without a pair takes the pair of the CA's listener.
func TestOperationsOverTLCP(t *testing.T) {
	ctx := limited(t)
	authority, dir := gmtlstest.NewCA(t), t.TempDir()
	pair := authority.NewPair(t, "localhost").Write(t, dir, "operations")
	root := gmtlstest.WriteFile(t, dir, "root.crt", authority.CertPEM)
	files := authority.NewPair(t, "operator").Write(t, dir, "operator")
	operator, err := gmtls.LoadX509KeyPair(files.SignCert, files.SignKey, files.EncCert, files.EncKey)
	require.NoError(t, err)
	port := freePort(t)
	startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm", operations: port, more: "metrics: {provider: prometheus}\n", operationsMore: fmt.Sprintf(
		", tls: {enabled: true, mode: gm, gm: {signcert: %s, signkey: %s, enccert: %s, enckey: %s}, clientcacertfiles: [%s]}, operators: ['%x']",
		pair.SignCert, pair.SignKey, pair.EncCert, pair.EncKey, root, sha256.Sum256(readCertificate(t, files.SignCert).Raw))})
	status, text := askOverTLCP(ctx, t, port, authority.CertPEM, http.MethodGet, "/healthz", nil)
	require.Equal(t, http.StatusOK, status, text)
	status, text = askOverTLCP(ctx, t, port, authority.CertPEM, http.MethodGet, "/tls", nil)
	require.Equal(t, http.StatusUnauthorized, status, text)
	status, text = askOverTLCP(ctx, t, port, authority.CertPEM, http.MethodGet, "/tls", &operator)
	require.Equal(t, http.StatusOK, status, text)
	require.Contains(t, text, `"ca.operations"`)
	status, text = askOverTLCP(ctx, t, port, authority.CertPEM, http.MethodPost, "/tls", &operator)
	require.Equal(t, http.StatusOK, status, text)
	status, text = askOverTLCP(ctx, t, port, authority.CertPEM, http.MethodPost, "/selftest", nil)
	require.Equal(t, http.StatusUnauthorized, status, text)
	status, text = askOverTLCP(ctx, t, port, authority.CertPEM, http.MethodPost, "/selftest", &operator)
	require.Equal(t, http.StatusOK, status, text)
	require.Contains(t, text, `{"time":`)
	_, text = askOverTLCP(ctx, t, port, authority.CertPEM, http.MethodGet, "/metrics", &operator)
	require.Contains(t, text, `protocol="TLCP",result="ok",role="ca.operations"`)
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port)) // #nosec G402 -- it must fail before
	if err == nil {
		conn.Close()
	}
	require.Error(t, err, "TLS where TLCP alone is served")

	home, port := t.TempDir(), freePort(t)
	startServer(ctx, t, home, settings{algo: "sm2", mode: "gm", operations: port, operationsMore: ", tls: {enabled: true, mode: gm}"})
	own, err := os.ReadFile(filepath.Join(home, "ca-cert.pem"))
	require.NoError(t, err)
	status, text = askOverTLCP(ctx, t, port, own, http.MethodGet, "/healthz", nil)
	require.Equal(t, http.StatusOK, status, text)
	status, text = askOverTLCP(ctx, t, port, own, http.MethodGet, "/healthz?"+strings.Repeat("x", 32<<10), nil)
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, status, text)
}

// TestOperationsAddress: without an address in the configuration the operations server listens on loopback alone, or where the
// environment says.
func TestOperationsAddress(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", noOperations: true})
	require.Regexp(t, `Operation Server Listening on 127\.0\.0\.1:\d`, s.log.String())
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s = startServer(ctx, t, t.TempDir(), settings{algo: "sm2", noOperations: true, environment: []string{"FABRIC_CA_SERVER_OPERATIONS_LISTENADDRESS=" + address}})
	require.Contains(t, s.log.String(), "Operation Server Listening on "+address+"\n")
}

// TestOperationsClients: the settings that the configuration written by upstream's server has for certificates of clients count.
func TestOperationsClients(t *testing.T) {
	ctx := limited(t)
	authority, stranger, dir := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "operations"), gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "stranger"), t.TempDir()
	own := leafFiles(t, dir, "own", authority.Issue(t, pkixName("operations")))
	client := leafFiles(t, dir, "client", authority.Issue(t, pkixName("client")))
	foreign := leafFiles(t, dir, "foreign", stranger.Issue(t, pkixName("client")))
	for _, required := range []bool{true, false} {
		home, port := t.TempDir(), freePort(t)
		gmtlstest.WriteFile(t, home, "roots.crt", authority.CertPEM)
		startServer(ctx, t, home, settings{algo: "sm2", operations: port, operationsMore: fmt.Sprintf(
			", tls: {enabled: true, cert: {file: %s}, key: {file: %s}, clientAuthRequired: %t, clientRootCAs: {files: [roots.crt]}}", own.cert, own.key, required)})
		reach := func(as *files) error {
			config := &tls.Config{InsecureSkipVerify: true} // #nosec G402 -- what the server demands is tested
			if as != nil {
				cert, err := tls.LoadX509KeyPair(as.cert, as.key)
				require.NoError(t, err)
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil } // wanted or not
			}
			transport := &http.Transport{TLSClientConfig: config}
			defer transport.CloseIdleConnections()
			answer, err := (&http.Client{Transport: transport}).Get(fmt.Sprintf("https://127.0.0.1:%d/healthz", port))
			if err == nil {
				answer.Body.Close()
			}
			return err
		}
		require.NoError(t, reach(&client))
		require.Error(t, reach(&foreign), "of a stranger's authority")
		require.Equal(t, required, reach(nil) != nil, "without a certificate")
		status, text := askOperations(ctx, t, port, authority.CertPEM, http.MethodGet, "/tls", &client)
		require.Equal(t, http.StatusOK, status, text)
	}
}

// TestOperationsRefused: what the operations server cannot do stops the CA, by the name of the setting.
func TestOperationsRefused(t *testing.T) {
	ctx := limited(t)
	for more, want := range map[string]string{
		", tls: {enabled: false, mode: gm}": "operations.tls.enabled is false",
		", tls: {enabled: true, mode: GM}":  "operations.tls.mode",
	} {
		require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", operationsMore: more}), want)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", operations: taken.Addr().(*net.TCPAddr).Port}), "operations.listenAddress: another program has this port")
}
