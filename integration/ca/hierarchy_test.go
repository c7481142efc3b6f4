// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// TestIntermediate: a CA below another gets its certificate over TLCP. What it issues, a pair and the listener's among it, leads to the
// root, by which alone clients verify; an identity that may not run a CA gets no such certificate.
func TestIntermediate(t *testing.T) {
	ctx := limited(t)
	parent := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm"})
	root := filepath.Join(parent.home, "ca-cert.pem")
	registrar := newClient(t, parent, "gm")
	registrar.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	registrar.register(ctx, t, "issuing", "pw", "client", "--id.attrs", "hf.IntermediateCA=true")
	registrar.register(ctx, t, "user", "pw", "client")
	section := func(id string) string {
		return fmt.Sprintf("intermediate: {parentserver: {url: %s}, tls: {mode: gm, certfiles: [%s]}}\n",
			strings.Replace(parent.url, "://", "://"+id+":pw@", 1), root)
	}
	require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", parent: section("user")}), "Authorization failure")

	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm", parent: section("issuing")})
	issuing := readCertificate(t, filepath.Join(s.home, "ca-cert.pem"))
	require.Equal(t, "issuing", issuing.Subject.CommonName)
	require.True(t, issuing.IsCA)
	require.NoError(t, x509.CheckSignatureFrom(issuing, readCertificate(t, root)))
	admin, peer := newClient(t, s, "gm"), newClient(t, s, "gm")
	for _, c := range []*client{admin, peer} {
		c.flags = []string{"--tls.mode", "gm", "--tls.certfiles", root}
	}
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "peer0", "pw", "peer")
	peer.enroll(ctx, t, "peer0", "pw", sm2Key...)
	peer.enroll(ctx, t, "peer0", "pw", "--enrollment.profile", "tlcp", "--csr.hosts", "peer0.org1")
	// The command takes the identifier of SM2 for the first certificate of a chain alone.
	requireOpenSSL(ctx, t, root, filepath.Join(s.home, "ca-cert.pem"))
	for _, cert := range []string{peer.path("msp", "signcerts", "cert.pem"), peer.path("tls", "server-sign.crt"), peer.path("tls", "server-enc.crt")} {
		out, err := exec.CommandContext(ctx, "openssl", "verify", "-vfyopt", "distid:1234567812345678", "-partial_chain",
			"-CAfile", filepath.Join(s.home, "ca-cert.pem"), cert).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	require.Equal(t, readCertificate(t, root).Raw, readCertificate(t, peer.path("tls", "gm-ca.crt")).Raw)
	require.Equal(t, 2, strings.Count(string(mustRead(t, peer.path("tls", "server-sign.crt"))), "BEGIN CERTIFICATE"), "the intermediate stands behind the certificate")
	admin.run(ctx, t, "revoke", "-u", s.url, "-e", "peer0", "--gencrl")
	require.NoError(t, x509.CheckRevocationListFrom(readList(t, admin.path("msp", "crls", "crl.pem")), issuing))

	s.stop()
	s = startServer(ctx, t, s.home, settings{algo: "sm2", mode: "gm", parent: section("issuing")})
	admin.server = s
	admin.run(ctx, t, append([]string{"reenroll", "-u", s.url}, sm2Key...)...)
	require.Equal(t, issuing.Raw, readCertificate(t, filepath.Join(s.home, "ca-cert.pem")).Raw)
}

func openssl(ctx context.Context, t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "openssl %v: %s", args, out)
}

// TestImported: a server goes on with the certificate and the key of a CA that openssl has made, in each form of the key, and does not
// start with another key.
func TestImported(t *testing.T) {
	ctx := limited(t)
	other := gmtlstest.NewCA(t)
	for algo, curve := range map[string]string{"sm2": "SM2", "ecdsa": "P-256"} {
		for _, form := range []string{"pkcs8", "sec1"} {
			t.Run(algo+" "+form, func(t *testing.T) {
				home := t.TempDir()
				openssl(ctx, t, home, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:"+curve, "-pkeyopt", "ec_param_enc:named_curve", "-out", "old.key")
				req := []string{"req", "-x509", "-new", "-key", "old.key", "-subj", "/C=CN/O=Org1/CN=old", "-days", "3650", "-out", "old.crt",
					"-addext", "keyUsage=critical,keyCertSign,cRLSign"}
				if algo == "sm2" {
					req = append(req, "-sm3", "-sigopt", "distid:1234567812345678")
				}
				openssl(ctx, t, home, req...)
				if form == "sec1" {
					openssl(ctx, t, home, "ec", "-in", "old.key", "-out", "sec1.key")
					require.Regexp(t, "BEGIN (EC|SM2) PRIVATE KEY", string(mustRead(t, filepath.Join(home, "sec1.key")))) // by the version of openssl
					require.NoError(t, os.Rename(filepath.Join(home, "sec1.key"), filepath.Join(home, "old.key")))
				}
				old := settings{algo: algo, keyFile: "old.key, certfile: old.crt"}
				s := startServer(ctx, t, home, old)
				admin := newClient(t, s, "")
				admin.enroll(ctx, t, "admin", "adminpw", "--csr.keyrequest.algo", algo, "--csr.keyrequest.size", "256")
				require.NoError(t, x509.CheckSignatureFrom(readCertificate(t, admin.path("msp", "signcerts", "cert.pem")), readCertificate(t, filepath.Join(home, "old.crt"))))
				admin.run(ctx, t, "gencrl", "-u", s.url)
				require.NoError(t, x509.CheckRevocationListFrom(readList(t, admin.path("msp", "crls", "crl.pem")), readCertificate(t, filepath.Join(home, "old.crt"))))
				s.stop()
				s = startServer(ctx, t, home, old)
				admin.server = s
				admin.run(ctx, t, "reenroll", "-u", s.url, "--csr.keyrequest.algo", algo, "--csr.keyrequest.size", "256")
				s.stop()

				wrong := t.TempDir()
				for _, name := range []string{"old.crt", "old.key"} {
					gmtlstest.WriteFile(t, wrong, name, mustRead(t, filepath.Join(home, name)))
				}
				certificate := other.CertPEM
				if algo == "ecdsa" {
					certificate = gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "other").CertPEM
				}
				gmtlstest.WriteFile(t, wrong, "old.crt", certificate)
				require.Contains(t, refusedIn(ctx, t, wrong, old), "Invalid certificate and/or key in files")
			})
		}
	}
}
