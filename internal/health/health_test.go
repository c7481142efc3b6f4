// SPDX-License-Identifier: Apache-2.0

package health

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/stretchr/testify/require"
)

// serve starts an operations service that answers with status, over TLS if asked, and writes its certificate.
func serve(t *testing.T, status int, secure bool) (Service, *httptest.Server) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("docker is missing"))
	}))
	if !secure {
		server.Start()
		t.Cleanup(server.Close)
		return Service{Address: server.Listener.Addr().String()}, server
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "server.crt")
	writeCert(t, file, server.Certificate().Raw)
	return Service{Address: server.Listener.Addr().String(), TLS: true, Certificate: file}, server
}

func writeCert(t *testing.T, file string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
}

func writeKey(t *testing.T, file string, key any) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
}

func TestHealthOverHTTPAndTLS(t *testing.T) {
	for _, secure := range []bool{false, true} {
		service, _ := serve(t, http.StatusOK, secure)
		require.NoError(t, service.Check(t.Context()))
		service, _ = serve(t, http.StatusServiceUnavailable, secure)
		require.ErrorContains(t, service.Check(t.Context()), "503 Service Unavailable: docker is missing")
	}
}

func TestUnspecifiedAddressIsLoopback(t *testing.T) {
	service, _ := serve(t, http.StatusOK, false)
	for _, host := range []string{"0.0.0.0", ""} {
		service.Address = host + service.Address[strings.LastIndex(service.Address, ":"):]
		require.NoError(t, service.Check(t.Context()))
	}
}

func TestAnotherServerOnThePortIsNotHealthy(t *testing.T) {
	service, _ := serve(t, http.StatusOK, true)
	_, other := serve(t, http.StatusOK, true)
	// All test servers share one certificate: name some other one as the node's own.
	der := append([]byte(nil), other.Certificate().Raw...)
	der[len(der)-1] ^= 1
	writeCert(t, service.Certificate, der)
	require.ErrorIs(t, service.Check(t.Context()), errStranger)
}

func TestDemandedClientCertificateIsTheNodesOwn(t *testing.T) {
	service, server := serve(t, http.StatusOK, true)
	server.TLS.ClientAuth = tls.RequireAnyClientCert
	require.Error(t, service.Check(t.Context()), "there is no key to answer with")
	key := filepath.Join(t.TempDir(), "server.key")
	pair := server.TLS.Certificates[0]
	writeKey(t, key, pair.PrivateKey)
	service.PrivateKey = key
	require.NoError(t, service.Check(t.Context()))
}

// TestFilesAsTheNodeReadsThem: the service's own files may have other forms than PEM, and hold the TLCP pair as well.
func TestFilesAsTheNodeReadsThem(t *testing.T) {
	service, server := serve(t, http.StatusOK, true)
	server.TLS.ClientAuth = tls.RequireAnyClientCert
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	service.Certificate = gmtlstest.WriteFile(t, dir, "server.crt", server.Certificate().Raw)
	service.PrivateKey = gmtlstest.WriteFile(t, dir, "server.key", der)
	require.NoError(t, service.Check(t.Context()))

	pair := gmtlstest.NewCA(t).NewPair(t, "127.0.0.1")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	service.Certificate = gmtlstest.WriteFile(t, dir, "both.crt", slices.Concat(pair.SignCert, pair.EncCert, certPEM))
	service.PrivateKey = gmtlstest.WriteFile(t, dir, "both.key", slices.Concat(pair.SignKey, pair.EncKey, keyPEM))
	require.NoError(t, service.Check(t.Context()))

	service.Certificate = gmtlstest.WriteFile(t, dir, "sm2.crt", pair.SignCert)
	require.ErrorContains(t, service.Check(t.Context()), "sm2.crt holds no standard certificate")
}

// TestEncryptedKeysOverTLCP: a service that demands the client's pair gets the node's own, from encrypted keys.
func TestEncryptedKeysOverTLCP(t *testing.T) {
	dir := t.TempDir()
	pair := gmtlstest.NewCA(t).NewPair(t, "127.0.0.1").Write(t, dir, "server")
	server, err := gmtls.LoadX509KeyPair(pair.SignCert, pair.SignKey, pair.EncCert, pair.EncKey)
	require.NoError(t, err)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := gmtls.NewListener(inner, &gmtls.Config{Certificates: []gmtls.Certificate{server}, ClientAuth: gmtls.RequireAnyClientCert})
	t.Cleanup(func() { listener.Close() })
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) }))
	}()
	service := Service{
		Address: inner.Addr().String(), TLS: true, Mode: "gm", SignCertificate: pair.SignCert, SignPrivateKey: pair.SignKey,
		EncCertificate: pair.EncCert, EncPrivateKey: pair.EncKey, GMKeyPasswordFile: pair.Encrypt(t, dir),
	}
	require.NoError(t, service.Check(t.Context()))
	service.GMKeyPasswordFile = ""
	require.ErrorContains(t, service.Check(t.Context()), "no password")
}

func TestNothingListens(t *testing.T) {
	service, server := serve(t, http.StatusOK, false)
	server.Close()
	require.ErrorContains(t, service.Check(t.Context()), "refused")
	require.Error(t, Service{Address: "nowhere"}.Check(t.Context()))
}

func TestRequested(t *testing.T) {
	require.True(t, Requested([]string{"peer", "--health"}))
	for _, args := range [][]string{{"peer"}, {"peer", "node", "start"}, {"peer", "--health", "x"}} {
		require.False(t, Requested(args), args)
	}
}
