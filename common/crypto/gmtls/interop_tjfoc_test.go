// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	tjtls "github.com/tjfoc/gmsm/gmtls"
	tjsm2 "github.com/tjfoc/gmsm/sm2"
	tjx509 "github.com/tjfoc/gmsm/x509"
)

// tjfoc/gmsm v1.4.1 is an independent implementation. Of the suites of the
// standard it has ECC_SM4_CBC_SM3; its ECDHE suite is not the standard's, and
// it has no GCM.

func tjfocKeyPair(t testing.TB, der []byte, key any) tjtls.Certificate {
	t.Helper()
	cert, err := tjtls.GMX509KeyPairsSingle(certPEM(der), keyPEM(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func tjfocPool(t testing.TB, ca *testCA) *tjx509.CertPool {
	t.Helper()
	pool := tjx509.NewCertPool()
	if !pool.AppendCertsFromPEM(certPEM(ca.cert.Raw)) {
		t.Fatal("tjfoc refuses the authority's certificate")
	}
	return pool
}

// tjfocFixture is an authority with a pair for each end, in both forms.
type tjfocFixture struct {
	clientConfig, serverConfig *Config
	pool                       *tjx509.CertPool
	serverPair                 []tjtls.Certificate
	clientPair                 tjtls.Certificate
}

func newTjfocFixture(t testing.TB) *tjfocFixture {
	ca := newCA(t, "test root", nil)
	pool := poolOf(ca)
	server, client := ca.pair(t, testName, nil), ca.pair(t, "client.test", nil)
	f := &tjfocFixture{
		clientConfig: &Config{RootCAs: pool, ServerName: testName, Certificates: []Certificate{client}, ChainCache: NewChainCache(4)},
		serverConfig: &Config{ClientCAs: pool, Certificates: []Certificate{server}, ChainCache: NewChainCache(4)},
	}
	f.pool = tjfocPool(t, ca)
	f.serverPair = []tjtls.Certificate{
		tjfocKeyPair(t, server.Certificate[0], server.PrivateKey),
		tjfocKeyPair(t, server.Certificate[1], server.EncPrivateKey),
	}
	f.clientPair = tjfocKeyPair(t, client.Certificate[0], client.PrivateKey)
	f.clientPair.Certificate = append(f.clientPair.Certificate, client.Certificate[1])
	return f
}

func tjfocAuth(auth ClientAuthType) tjtls.ClientAuthType { return tjtls.ClientAuthType(auth) }

func TestTjfocServer(t *testing.T) {
	f := newTjfocFixture(t)
	for _, auth := range []ClientAuthType{NoClientCert, RequestClientCert, RequireAndVerifyClientCert} {
		for _, single := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/single=%v", auth, single), func(t *testing.T) {
				c, s := tcpPair(t)
				server := tjtls.Server(s, &tjtls.Config{
					GMSupport: tjtls.NewGMSupport(), Certificates: f.serverPair,
					ClientAuth: tjfocAuth(auth), ClientCAs: f.pool,
				})
				done := make(chan error, 1)
				go func() { done <- server.Handshake() }()
				config := f.clientConfig.Clone()
				config.SingleClientCertificate = single
				client := Client(c, config)
				if err := client.Handshake(); err != nil {
					t.Fatalf("client: %v", err)
				}
				if err := <-done; err != nil {
					t.Fatalf("server: %v", err)
				}
				exchange(t, client, server)
				if id := client.ConnectionState().CipherSuite; id != ECC_SM4_CBC_SM3 {
					t.Errorf("suite %s", CipherSuiteName(id))
				}
				want := 0
				if auth != NoClientCert {
					want = 2
					if single {
						want = 1
					}
				}
				if got := len(server.ConnectionState().PeerCertificates); got != want {
					t.Errorf("the server got %d certificates, want %d", got, want)
				}
			})
		}
	}
}

func TestTjfocClient(t *testing.T) {
	f := newTjfocFixture(t)
	for _, auth := range []ClientAuthType{NoClientCert, RequestClientCert, RequireAndVerifyClientCert} {
		for _, certs := range []int{0, 1, 2} {
			if certs == 0 && auth.demanded() {
				continue
			}
			t.Run(fmt.Sprintf("%v/certificates=%d", auth, certs), func(t *testing.T) {
				c, s := tcpPair(t)
				config := f.serverConfig.Clone()
				config.ClientAuth = auth
				server := Server(s, config)
				done := make(chan error, 1)
				go func() { done <- server.Handshake() }()
				tjConfig := &tjtls.Config{GMSupport: tjtls.NewGMSupport(), RootCAs: f.pool, ServerName: testName}
				if certs > 0 {
					pair := f.clientPair
					pair.Certificate = pair.Certificate[:certs]
					tjConfig.Certificates = []tjtls.Certificate{pair}
				}
				client := tjtls.Client(c, tjConfig)
				if err := client.Handshake(); err != nil {
					c.Close()
					t.Fatalf("client: %v; server: %v", err, <-done)
				}
				if err := <-done; err != nil {
					t.Fatalf("server: %v", err)
				}
				exchange(t, client, server)
				state := server.ConnectionState()
				if state.CipherSuite != ECC_SM4_CBC_SM3 {
					t.Errorf("suite %s", CipherSuiteName(state.CipherSuite))
				}
				want := certs
				if auth == NoClientCert {
					want = 0
				}
				if got := len(state.PeerCertificates); got != want {
					t.Errorf("the server got %d certificates, want %d", got, want)
				}
			})
		}
	}
}

// Both sides must refuse what the other one is not.
func TestTjfocUnknownRoot(t *testing.T) {
	f := newTjfocFixture(t)
	f.clientConfig.RootCAs = poolOf(newCA(t, "another root", nil))
	c, s := tcpPair(t)
	server := tjtls.Server(s, &tjtls.Config{GMSupport: tjtls.NewGMSupport(), Certificates: f.serverPair})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	wantAlert(t, Client(c, f.clientConfig).Handshake(), "local error", AlertUnknownCA)
	if err := <-done; err == nil {
		t.Error("the server thinks that all is well")
	}
}

// Key and certificate files that tjfoc/gmsm wrote are loaded by this package.
func TestTjfocFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newTjKey := func() *tjsm2.PrivateKey {
		key, err := tjsm2.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	template := func(serial int64, usage tjx509.KeyUsage) *tjx509.Certificate {
		return &tjx509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: testName},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: usage, DNSNames: []string{testName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			SignatureAlgorithm: tjx509.SM2WithSM3,
		}
	}
	caKey := newTjKey()
	caTemplate := template(1, tjx509.KeyUsageCertSign)
	caTemplate.IsCA, caTemplate.BasicConstraintsValid = true, true
	caPEM, err := tjx509.CreateCertificateToPem(caTemplate, caTemplate, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for i, usage := range []tjx509.KeyUsage{tjx509.KeyUsageDigitalSignature, tjx509.KeyUsageKeyEncipherment} {
		key := newTjKey()
		cert, err := tjx509.CreateCertificateToPem(template(int64(i)+2, usage), caTemplate, &key.PublicKey, caKey)
		files = append(files, write(fmt.Sprint(i, ".crt"), cert, err))
		keyData, err := tjx509.WritePrivateKeyToPem(key, nil)
		files = append(files, write(fmt.Sprint(i, ".key"), keyData, err))
	}
	pair, err := LoadX509KeyPair(files[0], files[1], files[2], files[3])
	if err != nil {
		t.Fatal(err)
	}
	if pair.Leaf == nil || !bytes.Equal(pair.EncLeaf.Raw, pair.Certificate[1]) {
		t.Error("the leaves are not filled in")
	}
	client, server := testConfigs(t)
	server.Certificates = []Certificate{pair}
	client.RootCAs = client.RootCAs.Clone()
	if !client.RootCAs.AppendCertsFromPEM(caPEM) {
		t.Fatal("the authority's certificate does not load")
	}
	mustShake(t, client, server)
}

// Where there is no suite in common both ends say so. Once tjfoc/gmsm has a
// GCM suite this fails, and the tables above want it.
func TestTjfocHasNoGCM(t *testing.T) {
	f := newTjfocFixture(t)
	c, s := tcpPair(t)
	server := tjtls.Server(s, &tjtls.Config{GMSupport: tjtls.NewGMSupport(), Certificates: f.serverPair})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	f.clientConfig.CipherSuites = []uint16{ECC_SM4_GCM_SM3}
	wantAlert(t, Client(c, f.clientConfig).Handshake(), "remote error", AlertHandshakeFailure)
	if err := <-done; err == nil {
		t.Error("the server thinks that all is well")
	}

	c, s = tcpPair(t)
	config := f.serverConfig.Clone()
	config.CipherSuites = []uint16{ECC_SM4_GCM_SM3}
	go func() { done <- Server(s, config).Handshake() }()
	client := tjtls.Client(c, &tjtls.Config{GMSupport: tjtls.NewGMSupport(), RootCAs: f.pool, ServerName: testName})
	if err := client.Handshake(); err == nil {
		t.Error("the client thinks that all is well")
	}
	wantAlert(t, <-done, "local error", AlertHandshakeFailure)
}
