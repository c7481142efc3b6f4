// SPDX-License-Identifier: Apache-2.0

package health

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
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
	server.TLS.ClientAuth, service.ClientAuth = tls.RequireAnyClientCert, true
	require.NoError(t, service.Check(t.Context()))
	service.Load = loads(tls.Certificate{Certificate: server.TLS.Certificates[0].Certificate}, nil)
	require.Error(t, service.Check(t.Context()), "there is no key to answer with")
}

// TestNoCertificateUnasked: a service that demands no certificate still refuses one that it cannot verify.
func TestNoCertificateUnasked(t *testing.T) {
	own := loadPair(t, gmtlstest.NewCA(t))
	service, server := serve(t, http.StatusOK, true)
	server.TLS.ClientAuth = tls.VerifyClientCertIfGiven
	require.NoError(t, service.Check(t.Context()))
	service.ClientAuth = true
	require.ErrorContains(t, service.Check(t.Context()), "certificate")

	service, _ = serveOver(t, func(l net.Listener) net.Listener {
		return gmtls.NewListener(l, &gmtls.Config{Certificates: []gmtls.Certificate{own}, ClientAuth: gmtls.VerifyClientCertIfGiven})
	})
	service.Mode, service.ClientAuth, service.Load = "gm", false, loads(tls.Certificate{}, &own)
	require.NoError(t, service.Check(t.Context()))
}

// counted counts the connections that clients make.
type counted struct {
	net.Listener
	made atomic.Int32
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.made.Add(1)
	}
	return conn, err
}

// serveOver starts an operations service that is well, over the protocol that secure adds.
func serveOver(t *testing.T, secure func(net.Listener) net.Listener) (Service, *counted) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	count := &counted{Listener: inner}
	listener := secure(count)
	t.Cleanup(func() { listener.Close() })
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) }))
	}()
	return Service{Address: inner.Addr().String(), TLS: true, ClientAuth: true}, count
}

// overGM is one version of gmtls, for which the client must have a pair too.
func overGM(own gmtls.Certificate, version uint16) func(net.Listener) net.Listener {
	return func(l net.Listener) net.Listener {
		return gmtls.NewListener(l, &gmtls.Config{
			Versions: []uint16{version}, Certificates: []gmtls.Certificate{own}, ClientAuth: gmtls.RequireAnyClientCert,
		})
	}
}

// TestGM: whatever the configuration says, the service is asked by the protocol that it speaks now, and only with the node's own pair.
func TestGM(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	own, other := loadPair(t, ca), loadPair(t, ca)
	_, server := serve(t, http.StatusOK, true)
	standard := &server.TLS.Certificates[0]
	for _, version := range []uint16{gmtls.VersionTLCP, gmtls.VersionTLS13} {
		service, _ := serveOver(t, overGM(own, version))
		for _, protocols := range [][]string{nil, {"TLCP"}, {"TLS13"}, {"TLS13", "TLCP"}} {
			for _, mode := range []string{"", "tls", "dual", "gm"} {
				name := fmt.Sprintf("%s, configured as %q %v", gmtls.VersionName(version), mode, protocols)
				service.Mode, service.Protocols = mode, protocols
				service.Load = func() (*tls.Certificate, *gmtls.Certificate, error) { return standard, &own, nil }
				require.NoError(t, service.Check(t.Context()), name)
				service.Load = func() (*tls.Certificate, *gmtls.Certificate, error) { return standard, &other, nil }
				require.ErrorIs(t, service.Check(t.Context()), errStranger, name)
			}
		}
		service.Load = func() (*tls.Certificate, *gmtls.Certificate, error) { return nil, &own, nil }
		require.NoError(t, service.Check(t.Context()), "a node without a certificate for TLS")
	}
}

// TestSwitchedToTLS: the configuration says gm, and the service was switched to TLS.
func TestSwitchedToTLS(t *testing.T) {
	own := loadPair(t, gmtlstest.NewCA(t))
	service, server := serve(t, http.StatusOK, true)
	service.Mode, service.Load = "gm", loads(server.TLS.Certificates[0], &own)
	require.NoError(t, service.Check(t.Context()))
	der := slices.Clone(server.Certificate().Raw)
	der[len(der)-1] ^= 1
	service.Load = loads(tls.Certificate{Certificate: [][]byte{der}}, &own)
	require.ErrorIs(t, service.Check(t.Context()), errStranger)
}

// TestConfiguredProtocolFirst: an ordinary check causes no failed handshake, which the node would log, count and report.
func TestConfiguredProtocolFirst(t *testing.T) {
	own := loadPair(t, gmtlstest.NewCA(t))
	_, server := serve(t, http.StatusOK, true)
	overTLS := func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: server.TLS.Certificates})
	}
	overTLCP, overTLS13 := overGM(own, gmtls.VersionTLCP), overGM(own, gmtls.VersionTLS13)
	for _, test := range []struct {
		mode      string
		protocols []string
		speaks    func(net.Listener) net.Listener
	}{
		{"", nil, overTLS}, {"tls", nil, overTLS}, {"dual", []string{"TLS13"}, overTLS},
		{"gm", nil, overTLCP}, {"gm", []string{"TLCP"}, overTLCP}, {"gm", []string{"TLCP", "TLS13"}, overTLCP}, {"gm", []string{"TLS13"}, overTLS13},
	} {
		service, count := serveOver(t, test.speaks)
		service.Mode, service.Protocols, service.Load = test.mode, test.protocols, loads(server.TLS.Certificates[0], &own)
		require.NoError(t, service.Check(t.Context()))
		require.EqualValues(t, 1, count.made.Load(), "connections in mode %q %v", test.mode, test.protocols)
	}
}

// TestNothingToTry: where another program answers, or nothing, no other protocol is tried.
func TestNothingToTry(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	own, other := loadPair(t, ca), loadPair(t, ca)
	service, count := serveOver(t, overGM(other, gmtls.VersionTLCP))
	service.Mode, service.Load = "gm", loads(tls.Certificate{}, &own)
	require.ErrorIs(t, service.Check(t.Context()), errStranger)
	require.EqualValues(t, 1, count.made.Load())
	require.NoError(t, count.Close())
	require.Equal(t, 1, strings.Count(service.Check(t.Context()).Error(), "refused"))
}

func loadPair(t *testing.T, ca *gmtlstest.CA) gmtls.Certificate {
	t.Helper()
	p := ca.NewPair(t, "127.0.0.1")
	pair, err := gmtls.X509KeyPair(p.SignCert, p.SignKey, p.EncCert, p.EncKey)
	require.NoError(t, err)
	return pair
}

// TestReloadIsOutstanding: an operator whose files were renewed under a running node reads what to do.
func TestReloadIsOutstanding(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	old, renewed := loadPair(t, ca), loadPair(t, ca)
	service, _ := serveOver(t, overGM(old, gmtls.VersionTLCP))
	service.Mode, service.Load = "gm", loads(tls.Certificate{}, &renewed)
	require.ErrorContains(t, service.Check(t.Context()), "not reloaded")
	service.Load = loads(tls.Certificate{}, &old)
	require.NoError(t, service.Check(t.Context()))
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
