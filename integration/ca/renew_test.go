// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"crypto/sha256"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestRenew: gmtls renew has one CA enroll a new pair for a running listener, the one of another CA, which takes it up without a
// restart and with the keys that it had.
func TestRenew(t *testing.T) {
	ctx := limited(t)
	gmtls := tool(t, "gmtls")
	issuer := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm"})
	admin, node := newClient(t, issuer, "gm"), newClient(t, issuer, "gm")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "node", "pw", "peer")
	node.enroll(ctx, t, "node", "pw", "--enrollment.profile", "tlcp", "--csr.hosts", "localhost", "--csr.names", "C=CN,O=Org1")

	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "operations")
	dir := t.TempDir()
	operations := leafFiles(t, dir, "operations", standard.Issue(t, pkixName("operations")))
	operator := leafFiles(t, dir, "operator", standard.Issue(t, pkixName("operator")))
	root := gmtlstest.WriteFile(t, dir, "root.crt", standard.CertPEM)
	fingerprint := sha256.Sum256(readCertificate(t, operator.cert).Raw)
	port, file := freePort(t), func(name string) string { return node.path("tls", name) }
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm", operations: port,
		more: fmt.Sprintf("tls: {gm: {signcert: %s, signkey: %s, enccert: %s, enckey: %s}}\n",
			file("server-sign.crt"), file("server-sign.key"), file("server-enc.crt"), file("server-enc.key")),
		operationsMore: fmt.Sprintf(", tls: {enabled: true, certfile: %s, keyfile: %s, clientcacertfiles: [%s]}, operators: ['%x']",
			operations.cert, operations.key, root, fingerprint)})
	issuerRoot := mustRead(t, filepath.Join(issuer.home, "ca-cert.pem"))
	before := readCertificate(t, file("server-sign.crt"))
	now, err := served(ctx, t, s, issuerRoot)
	require.NoError(t, err)
	require.Equal(t, before.SerialNumber.Text(16), now)

	program, err := filepath.Abs(node.program)
	require.NoError(t, err)
	renew := func(within string, args ...string) (string, error) {
		plan, err := yaml.Marshal(map[string]any{"client": program, "within": within, "nodes": []any{map[string]any{
			"name": "node", "operations": fmt.Sprintf("localhost:%d", port),
			"client": map[string]any{"protocol": "tls", "ca": []string{root}, "cert": operator.cert, "key": operator.key},
			"pair":   map[string]any{"home": node.home, "keepKeys": true, "flags": append([]string{"-u", issuer.url}, node.flags...)},
		}}})
		require.NoError(t, err)
		out, err := exec.CommandContext(ctx, gmtls, append([]string{"renew", "--plan", gmtlstest.WriteFile(t, dir, "renew.yaml", plan)}, args...)...).CombinedOutput()
		return string(out), err
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
