// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// TestOpenSSLCommands runs the commands of the deployment guide and has the pair that they make serve a TLCP connection in both
// families of suites, as server and as client, and the identity verified.
func TestOpenSSLCommands(t *testing.T) {
	version, err := exec.Command("openssl", "version").Output()
	if err != nil || !regexp.MustCompile(`^OpenSSL [3-9]`).Match(version) {
		t.Skipf("no OpenSSL 3 here: %s %v", version, err)
	}
	blocks := regexp.MustCompile("(?s)<!-- run: openssl -->\n```sh\n(.*?)```").FindAllStringSubmatch(read(t, "docs/deployment.md"), -1)
	if len(blocks) == 0 {
		t.Fatal("the guide has no commands to run")
	}
	var script strings.Builder
	for _, block := range blocks {
		script.WriteString(block[1])
	}
	dir := t.TempDir()
	cmd := exec.Command("sh", "-eu")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }

	pair, err := gmtls.LoadX509KeyPair(at("tls/server-sign.crt"), at("tls/server-sign.key"), at("tls/server-enc.crt"), at("tls/server-enc.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := smx509.NewCertPool()
	pem, err := os.ReadFile(at("tls/gm-ca.crt"))
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("gm-ca.crt: %v", err)
	}
	for _, suite := range []uint16{gmtls.ECC_SM4_GCM_SM3, gmtls.ECDHE_SM4_CBC_SM3} {
		connect(t, pair, roots, suite)
	}
	checkIdentity(t, at)
}

func connect(t *testing.T, pair gmtls.Certificate, roots *smx509.CertPool, suite uint16) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	deadline := time.Now().Add(30 * time.Second)
	near.SetDeadline(deadline)
	far.SetDeadline(deadline)
	served := make(chan error, 1)
	go func() {
		served <- gmtls.Server(far, &gmtls.Config{
			Certificates: []gmtls.Certificate{pair}, ClientCAs: roots, ClientAuth: gmtls.RequireAndVerifyClientCert,
		}).Handshake()
	}()
	client := gmtls.Client(near, &gmtls.Config{
		Certificates: []gmtls.Certificate{pair}, RootCAs: roots, ServerName: "peer0.org1.example.com", CipherSuites: []uint16{suite},
	})
	if err := client.Handshake(); err != nil {
		t.Fatalf("suite %x: %v", suite, err)
	}
	if err := <-served; err != nil {
		t.Fatalf("suite %x: server: %v", suite, err)
	}
}

func checkIdentity(t *testing.T, at func(string) string) {
	t.Helper()
	parse := func(name string) *gmx509.Certificate {
		text, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		cert, err := gmx509.ParseCertificatePEM(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return cert
	}
	pool := gmx509.NewCertPool()
	pool.AddCert(parse("msp/cacerts/ca.crt"))
	if _, err := gmx509.Verify(parse("msp/signcerts/peer.crt"), gmx509.VerifyOptions{Roots: pool, KeyUsages: []gmx509.ExtKeyUsage{gmx509.ExtKeyUsageAny}}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"msp/keystore/peer.key", "tls/server-sign.key", "tls/server-enc.key"} {
		if info, err := os.Stat(at(name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v %v", name, info.Mode(), err)
		}
	}
}
