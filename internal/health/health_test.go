// SPDX-License-Identifier: Apache-2.0

package health

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
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
	return Service{Address: server.Listener.Addr().String(), TLS: true, Load: loads(server.TLS.Certificates[0], nil)}, server
}

// loads is the Load of a service that has these.
func loads(standard tls.Certificate, pair *gmtls.Certificate) func() (*tls.Certificate, *gmtls.Certificate, error) {
	return func() (*tls.Certificate, *gmtls.Certificate, error) { return &standard, pair, nil }
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
	service, server := serve(t, http.StatusOK, true)
	// All test servers share one certificate: the node has some other one.
	der := slices.Clone(server.Certificate().Raw)
	der[len(der)-1] ^= 1
	service.Load = loads(tls.Certificate{Certificate: [][]byte{der}}, nil)
	require.ErrorIs(t, service.Check(t.Context()), errStranger)
}

func TestDemandedClientCertificateIsTheNodesOwn(t *testing.T) {
	service, server := serve(t, http.StatusOK, true)
	server.TLS.ClientAuth = tls.RequireAnyClientCert
	require.NoError(t, service.Check(t.Context()))
	service.Load = loads(tls.Certificate{Certificate: server.TLS.Certificates[0].Certificate}, nil)
	require.Error(t, service.Check(t.Context()), "there is no key to answer with")
}

// TestTLCP: a service that speaks TLCP alone, and demands the client's pair, gets the node's own.
func TestTLCP(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	own, other := loadPair(t, ca), loadPair(t, ca)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := gmtls.NewListener(inner, &gmtls.Config{Certificates: []gmtls.Certificate{own}, ClientAuth: gmtls.RequireAnyClientCert})
	t.Cleanup(func() { listener.Close() })
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) }))
	}()
	service := Service{Address: inner.Addr().String(), TLS: true, Mode: "gm", Load: loads(tls.Certificate{}, &own)}
	require.NoError(t, service.Check(t.Context()))
	service.Load = loads(tls.Certificate{}, &other)
	require.ErrorIs(t, service.Check(t.Context()), errStranger)
}

func loadPair(t *testing.T, ca *gmtlstest.CA) gmtls.Certificate {
	t.Helper()
	p := ca.NewPair(t, "127.0.0.1")
	pair, err := gmtls.X509KeyPair(p.SignCert, p.SignKey, p.EncCert, p.EncKey)
	require.NoError(t, err)
	return pair
}

// TestNothingToPresent: what the configuration lacks, or what cannot be read, is said.
func TestNothingToPresent(t *testing.T) {
	service := Service{Address: "127.0.0.1:1", TLS: true, Load: func() (*tls.Certificate, *gmtls.Certificate, error) { return nil, nil, nil }}
	require.ErrorContains(t, service.Check(t.Context()), "no certificate for TLS is configured")
	service.Mode = "gm"
	require.ErrorContains(t, service.Check(t.Context()), "no TLCP pair is configured")
	service.Load = func() (*tls.Certificate, *gmtls.Certificate, error) { return nil, nil, os.ErrNotExist }
	require.ErrorIs(t, service.Check(t.Context()), os.ErrNotExist)
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
