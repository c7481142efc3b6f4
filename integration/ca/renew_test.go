// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// operated is what a server's operations server has and an operator knows of it.
type operated struct {
	port           int
	settings       string
	root           string
	operator       files
	gmtls, planDir string
}

func newOperated(t *testing.T) operated {
	t.Helper()
	authority, dir := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "operations"), t.TempDir()
	own := leafFiles(t, dir, "operations", authority.Issue(t, pkixName("operations")))
	o := operated{
		port: freePort(t), root: gmtlstest.WriteFile(t, dir, "root.crt", authority.CertPEM),
		operator: leafFiles(t, dir, "operator", authority.Issue(t, pkixName("operator"))), gmtls: tool(t, "gmtls"), planDir: dir,
	}
	o.settings = fmt.Sprintf(", tls: {enabled: true, certfile: %s, keyfile: %s, clientcacertfiles: [%s]}, operators: ['%x']",
		own.cert, own.key, o.root, sha256.Sum256(readCertificate(t, o.operator.cert).Raw))
	return o
}

// renew runs gmtls renew with one section for the server.
func (o operated) renew(ctx context.Context, t *testing.T, node *client, within, section string, settings map[string]any, args ...string) (string, error) {
	t.Helper()
	program, err := filepath.Abs(node.program)
	require.NoError(t, err)
	plan, err := yaml.Marshal(map[string]any{"client": program, "within": within, "nodes": []any{map[string]any{
		"name": "node", "operations": fmt.Sprintf("localhost:%d", o.port),
		"client": map[string]any{"protocol": "tls", "ca": []string{o.root}, "cert": o.operator.cert, "key": o.operator.key},
		section:  settings,
	}}})
	require.NoError(t, err)
	out, err := exec.CommandContext(ctx, o.gmtls, append([]string{"renew", "--plan", gmtlstest.WriteFile(t, o.planDir, "renew.yaml", plan)}, args...)...).CombinedOutput()
	return string(out), err
}

// TestRenewTLS: gmtls renew has a CA of ECDSA enroll a new certificate of TLS, with a new key and then with the same, for a running
// listener in mode dual, which takes each up without a restart and keeps its pair.
func TestRenewTLS(t *testing.T) {
	ctx := limited(t)
	issuer := startServer(ctx, t, t.TempDir(), settings{algo: "ecdsa", mode: "tls"})
	admin, node := newClient(t, issuer, "tls"), newClient(t, issuer, "tls")
	admin.enroll(ctx, t, "admin", "adminpw")
	admin.register(ctx, t, "node", "pw", "peer")
	node.enroll(ctx, t, "node", "pw", "--enrollment.profile", "tls", "--mspdir", "tls-msp", "--csr.hosts", "localhost", "--csr.names", "C=CN,O=Org1")
	keys, err := filepath.Glob(node.path("tls-msp", "keystore", "*_sk"))
	require.NoError(t, err)
	require.Len(t, keys, 1)
	cert := gmtlstest.WriteFile(t, node.home, "server.crt", mustRead(t, node.path("tls-msp", "signcerts", "cert.pem")))
	key := gmtlstest.WriteFile(t, node.home, "server.key", mustRead(t, keys[0]))
	o := newOperated(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "dual", operations: o.port, operationsMore: o.settings,
		more: fmt.Sprintf("tls: {certfile: %s, keyfile: %s}\n", cert, key)})
	pair, err := served(ctx, t, s, mustRead(t, filepath.Join(s.home, "ca-cert.pem")))
	require.NoError(t, err)

	before := readCertificate(t, cert)
	for _, keep := range []bool{false, true} {
		out, err := o.renew(ctx, t, node, "20000h", "tls", map[string]any{
			"home": node.home, "cert": cert, "key": key, "keepKeys": keep, "flags": append([]string{"-u", issuer.url}, node.flags...),
		})
		require.NoError(t, err, "%s\n%s", out, issuer.log)
		after := readCertificate(t, cert)
		require.NotEqual(t, before.SerialNumber, after.SerialNumber)
		require.Equal(t, keep, reflect.DeepEqual(before.PublicKey, after.PublicKey))
		require.Equal(t, before.RawSubject, after.RawSubject)
		require.Equal(t, before.DNSNames, after.DNSNames)
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(mustRead(t, filepath.Join(issuer.home, "ca-cert.pem"))))
		conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost"}}).DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "https://"))
		require.NoError(t, err)
		require.Equal(t, after.Raw, conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
		require.NoError(t, conn.Close())
		before = after
	}
	now, err := served(ctx, t, s, mustRead(t, filepath.Join(s.home, "ca-cert.pem")))
	require.NoError(t, err)
	require.Equal(t, pair, now)
}

// TestRenew: gmtls renew has one CA enroll a new pair for a running listener, the one of another CA, which takes it up without a
// restart and with the keys that it had.
func TestRenew(t *testing.T) {
	ctx := limited(t)
	issuer := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm"})
	admin, node := newClient(t, issuer, "gm"), newClient(t, issuer, "gm")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "node", "pw", "peer")
	node.enroll(ctx, t, "node", "pw", "--enrollment.profile", "tlcp", "--csr.hosts", "localhost", "--csr.names", "C=CN,O=Org1")

	o, file := newOperated(t), func(name string) string { return node.path("tls", name) }
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm", operations: o.port,
		more: fmt.Sprintf("tls: {gm: {signcert: %s, signkey: %s, enccert: %s, enckey: %s}}\n",
			file("server-sign.crt"), file("server-sign.key"), file("server-enc.crt"), file("server-enc.key")),
		operationsMore: o.settings})
	issuerRoot := mustRead(t, filepath.Join(issuer.home, "ca-cert.pem"))
	before := readCertificate(t, file("server-sign.crt"))
	now, err := served(ctx, t, s, issuerRoot)
	require.NoError(t, err)
	require.Equal(t, before.SerialNumber.Text(16), now)

	renew := func(within string, args ...string) (string, error) {
		return o.renew(ctx, t, node, within, "pair", map[string]any{
			"home": node.home, "keepKeys": true, "flags": append([]string{"-u", issuer.url}, node.flags...),
		}, args...)
	}
	out, err := renew("20000h", "--check")
	require.Error(t, err)
	require.Contains(t, out, "due")
	out, err = renew("1h")
	require.NoError(t, err, out)
	require.Equal(t, before.Raw, readCertificate(t, file("server-sign.crt")).Raw, "nothing is due")
	out, err = renew("20000h")
	require.NoError(t, err, "%s\n%s", out, issuer.log)
	after := readCertificate(t, file("server-sign.crt"))
	require.NotEqual(t, before.SerialNumber, after.SerialNumber)
	require.Equal(t, before.PublicKey, after.PublicKey)
	require.Equal(t, before.RawSubject, after.RawSubject)
	require.Equal(t, before.DNSNames, after.DNSNames)
	now, err = served(ctx, t, s, issuerRoot)
	require.NoError(t, err)
	require.Equal(t, after.SerialNumber.Text(16), now)
}
