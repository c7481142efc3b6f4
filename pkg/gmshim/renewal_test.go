// SPDX-License-Identifier: Apache-2.0

package gmshim_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/pkg/gmshim"
	"github.com/stretchr/testify/require"
)

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// place writes the files of a server and sets the variables that name them.
func place(t *testing.T, files map[string][]byte) (write func(variable string, content []byte)) {
	t.Helper()
	dir := t.TempDir()
	write = func(variable string, content []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, variable), content, 0o600))
	}
	for variable, content := range files {
		write(variable, content)
		t.Setenv(variable, filepath.Join(dir, variable))
	}
	t.Setenv("CHAINCODE_SERVER_ADDRESS", "127.0.0.1:0")
	t.Setenv("CHAINCODE_ID", packageID)
	return write
}

func filesOf(pair gmtlstest.Pair, roots []byte) map[string][]byte {
	files := map[string][]byte{
		"CHAINCODE_TLCP_SIGN_CERT": pair.SignCert, "CHAINCODE_TLCP_SIGN_KEY": pair.SignKey,
		"CHAINCODE_TLCP_ENC_CERT": pair.EncCert, "CHAINCODE_TLCP_ENC_KEY": pair.EncKey,
	}
	if roots != nil {
		files["CHAINCODE_CLIENT_CA_CERT"] = roots
	}
	return files
}

// shownTo connects and returns the certificate that the server shows, in PEM's DER.
func shownTo(t *testing.T, address string, own *gmtlstest.Pair) ([]byte, error) {
	t.Helper()
	raw, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, raw.SetDeadline(time.Now().Add(10*time.Second)))
	config := &gmtls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	if own != nil {
		pair, err := gmtls.X509KeyPair(own.SignCert, own.SignKey, own.EncCert, own.EncKey)
		require.NoError(t, err)
		config.GetClientCertificate = func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) { return &pair, nil }
	}
	conn := gmtls.Client(raw, config)
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates[0].Raw, nil
}

func der(t *testing.T, pair gmtlstest.Pair) []byte {
	t.Helper()
	parsed, err := gmtls.X509KeyPair(pair.SignCert, pair.SignKey, pair.EncCert, pair.EncKey)
	require.NoError(t, err)
	return parsed.Certificate[0]
}

// TestRenewedFilesAreShown: new connections get a new pair as soon as all its files are there, and until then, or if they are bad, the
// old one.
func TestRenewedFilesAreShown(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	first, second := ca.NewPairUntil(t, time.Now().Add(60*24*time.Hour), "cc"), ca.NewPair(t, "cc") // which has one day
	write := place(t, filesOf(first, ca.CertPEM))
	t.Setenv("CHAINCODE_TLS_MODE", "gm")
	server, err := gmshim.FromEnv(notary{})
	require.NoError(t, err)
	log := &journal{}
	server.Log = slog.New(slog.NewTextHandler(log, nil))
	address := start(t, server)
	shown := func() []byte {
		t.Helper()
		time.Sleep(1100 * time.Millisecond) // the files are read once in a second
		got, err := shownTo(t, address, &first)
		require.NoError(t, err)
		return got
	}
	require.Equal(t, der(t, first), shown())

	write("CHAINCODE_TLCP_SIGN_CERT", second.SignCert) // the key is that of the first
	require.Equal(t, der(t, first), shown())
	require.Contains(t, log.String(), "the old ones stay in force")
	write("CHAINCODE_TLCP_SIGN_KEY", second.SignKey)
	write("CHAINCODE_TLCP_ENC_CERT", second.EncCert)
	write("CHAINCODE_TLCP_ENC_KEY", second.EncKey)
	require.NotContains(t, log.String(), "ends soon")
	require.Equal(t, der(t, second), shown())
	require.Contains(t, log.String(), "ends soon")

	write("CHAINCODE_CLIENT_CA_CERT", nil)
	require.Equal(t, der(t, second), shown())
	require.NoError(t, os.Unsetenv("CHAINCODE_CLIENT_CA_CERT"))
	require.Equal(t, der(t, second), shown())
	require.Contains(t, log.String(), "no roots of clients any more")
	_, err = dial(t, address, (&material{gmCA: ca}).gmClient(t, nil))
	require.Error(t, err, "a client without certificate")
}

// TestRenewedRoots: clients of the new root come in, those of the old one do not.
func TestRenewedRoots(t *testing.T) {
	m := newMaterial(t)
	write := place(t, filesOf(m.gmPair, m.gmCA.CertPEM))
	t.Setenv("CHAINCODE_TLS_MODE", "gm")
	server, err := gmshim.FromEnv(notary{})
	require.NoError(t, err)
	address := start(t, server)
	p, err := dial(t, address, m.gmClient(t, &m.gmPair))
	require.NoError(t, err)
	exercise(t, p, m.creator)
	other := gmtlstest.NewCA(t)
	theirs := other.NewPair(t, "peer0")
	write("CHAINCODE_CLIENT_CA_CERT", other.CertPEM)
	time.Sleep(1100 * time.Millisecond)
	_, err = dial(t, address, m.gmClient(t, &m.gmPair))
	require.Error(t, err)
	_, err = dial(t, address, m.gmClient(t, &theirs))
	require.NoError(t, err)
	exercise(t, p, m.creator) // a connection that is open stays
}

// TestRenewalOverTLS: the same for TLS.
func TestRenewalOverTLS(t *testing.T) {
	m := newMaterial(t)
	write := place(t, map[string][]byte{"CHAINCODE_TLS_CERT": m.tlsLeaf.CertPEM, "CHAINCODE_TLS_KEY": m.tlsLeaf.KeyPEM})
	t.Setenv("CHAINCODE_TLS_MODE", "tls")
	server, err := gmshim.FromEnv(notary{})
	require.NoError(t, err)
	address := start(t, server)
	renewed := m.tlsCA.Issue(t, pkix.Name{CommonName: "node"})
	write("CHAINCODE_TLS_CERT", renewed.CertPEM)
	write("CHAINCODE_TLS_KEY", renewed.KeyPEM)
	time.Sleep(1100 * time.Millisecond)
	var got *x509.Certificate
	conn, err := tls.Dial("tcp", address, &tls.Config{NextProtos: []string{"h2"}, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		got = s.PeerCertificates[0]
		return nil
	}})
	require.NoError(t, err)
	defer conn.Close()
	require.Equal(t, renewed.Cert.Raw, got.Raw)
}

// TestChangesOfAProgramStay: what the program adds to the properties, no file takes away.
func TestChangesOfAProgramStay(t *testing.T) {
	m := newMaterial(t)
	write := place(t, filesOf(m.gmPair, nil))
	t.Setenv("CHAINCODE_TLS_MODE", "gm")
	server, err := gmshim.FromEnv(notary{})
	require.NoError(t, err)
	server.TLCP.ClientCACerts = m.gmCA.CertPEM
	other, err := gmshim.FromEnv(notary{})
	require.NoError(t, err)
	other.TLCP.Versions = []uint16{gmtls.VersionTLS13}
	address, withoutTLCP := start(t, server), start(t, other)
	renewed := m.gmCA.NewPair(t, "localhost", "127.0.0.1")
	for variable, content := range filesOf(renewed, nil) {
		write(variable, content)
	}
	time.Sleep(1100 * time.Millisecond)
	got, err := shownTo(t, address, &m.gmPair)
	require.NoError(t, err)
	require.Equal(t, der(t, m.gmPair), got)
	_, err = dial(t, address, m.gmClient(t, nil))
	require.Error(t, err, "a client without certificate")
	_, err = shownTo(t, withoutTLCP, nil)
	require.Error(t, err)
}

// TestHangupDoesNotEndTheServer: a signal that reloads nodes and the proxy reloads chaincode, and ends nothing.
func TestHangupDoesNotEndTheServer(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	first, second := ca.NewPairUntil(t, time.Now().Add(-time.Hour), "cc"), ca.NewPair(t, "cc")
	write := place(t, filesOf(first, nil))
	t.Setenv("CHAINCODE_TLS_MODE", "gm")
	log := &journal{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	defer slog.SetDefault(before)
	ended := make(chan error, 1)
	go func() { ended <- gmshim.Start(notary{}) }()
	require.Eventually(t, func() bool { return bytes.Contains([]byte(log.String()), []byte("has ended")) }, 10*time.Second, 10*time.Millisecond)
	for variable, content := range filesOf(second, nil) {
		write(variable, content)
	}
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.Eventually(t, func() bool { return bytes.Contains([]byte(log.String()), []byte("new certificates are in force")) }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	require.NoError(t, <-ended)
}
