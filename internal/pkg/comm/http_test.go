// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/core/middleware"
	"github.com/stretchr/testify/require"
)

// startHTTP serves, behind upstream's demand for a verified certificate, the
// subject of the client.
func startHTTP(t testing.TB, so SecureOptions) (address string, e *endpoint) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener, err := NewHTTPListener(inner, so)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/open", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "version %#x", r.TLS.Version)
	}))
	mux.Handle("/secure", middleware.NewChain(middleware.RequireCert()).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%x", digest(r.TLS.VerifiedChains[0][0].Raw))
	})))
	server := &http.Server{Handler: HTTPHandler(mux), ConnContext: HTTPConnContext}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return inner.Addr().String(), listener.(*httpListener).endpoint
}

func get(t testing.TB, so SecureOptions, url string) (status int, body string, err error) {
	t.Helper()
	transport, err := so.HTTPTransport()
	require.NoError(t, err)
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(content), nil
}

// TestHTTPModes: handlers see the client's verified chain under TLCP as under
// TLS, and the modes hold as for gRPC.
func TestHTTPModes(t *testing.T) {
	org, stranger := newPKI(t), newPKI(t)
	client := org.node(t)
	for _, serverMode := range []ServerMode{ModeTLS, ModeDual, ModeGM} {
		for _, clientMode := range []ClientMode{ClientTLS, ClientGM} {
			for _, required := range []bool{false, true} {
				t.Run(fmt.Sprintf("server=%s,client=%s,required=%t", serverMode, clientMode, required), func(t *testing.T) {
					so := org.node(t).options()
					so.ServerMode, so.RequireClientCert = serverMode, required
					address, _ := startHTTP(t, so)
					co := client.options()
					co.ClientMode, co.RequireClientCert = clientMode, true

					status, body, err := get(t, co, "https://"+address+"/secure")
					if !speaks(serverMode, dialedBy(clientMode)) {
						require.ErrorContains(t, err, "no common protocol")
						return
					}
					require.NoError(t, err)
					require.Equal(t, http.StatusOK, status)
					require.Equal(t, fmt.Sprintf("%x", client.leafDigest(t, dialedBy(clientMode))), body)

					co.RequireClientCert = false
					status, body, err = get(t, co, "https://"+address+"/open")
					if required {
						require.Error(t, err)
					} else {
						require.NoError(t, err)
						require.Equal(t, http.StatusOK, status)
						require.Equal(t, map[ClientMode]string{ClientTLS: "version 0x304", ClientGM: "version 0x101"}[clientMode], body)
						status, _, err = get(t, co, "https://"+address+"/secure")
						require.NoError(t, err)
						require.Equal(t, http.StatusUnauthorized, status)
					}

					require.Error(t, presentTo(t, address, clientMode, org, stranger.node(t)), "a certificate that is given is verified, required or not")
					require.NoError(t, presentTo(t, address, clientMode, org, client))
				})
			}
		}
	}
}

// presentTo connects with a certificate whatever authorities the server names,
// and reads until the server answers a request.
func presentTo(t testing.TB, address string, mode ClientMode, org *pki, client bundles) error {
	t.Helper()
	pairs, err := splitBundle(client.Certificate, client.Key)
	require.NoError(t, err)
	raw, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer raw.Close()
	roots, _ := parseRootBlobs(org.roots())
	var conn net.Conn
	if mode == ClientGM {
		conn = gmtls.Client(raw, &gmtls.Config{RootCAs: roots.gmPool(), ServerName: "127.0.0.1", GetClientCertificate: func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) {
			return pairs.GM, nil
		}})
	} else {
		conn = tls.Client(raw, &tls.Config{RootCAs: roots.stdPool(), ServerName: "127.0.0.1", GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return pairs.Std, nil
		}})
	}
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET /open HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	_, err = io.ReadAll(conn)
	return err
}

// TestHTTPSwitch switches the mode of an HTTP listener and drains its
// keep-alive connections.
func TestHTTPSwitch(t *testing.T) {
	org := newPKI(t)
	source := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(org.node(t)), ServerMode: ModeDual, DrainGrace: time.Millisecond})
	address, e := startHTTP(t, SecureOptions{UseTLS: true, Source: source})
	co := SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: ClientTLS}
	transport, err := co.HTTPTransport()
	require.NoError(t, err)
	response, err := (&http.Client{Transport: transport}).Get("https://" + address + "/open")
	require.NoError(t, err)
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	require.Equal(t, 1, countOf(e.conns.count(), protocolTLS))

	require.NoError(t, source.SetMode(ModeGM, ""))
	eventually(t, "the idle TLS connection is closed", func() bool { return countOf(e.conns.count(), protocolTLS) == 0 })
	_, _, err = get(t, co, "https://"+address+"/open")
	require.ErrorContains(t, err, "no common protocol")
	co.ClientMode = ClientGM
	status, _, err := get(t, co, "https://"+address+"/open")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
}

// TestHTTPPlain: a client that forgot the s of https is told so.
func TestHTTPPlain(t *testing.T) {
	org := newPKI(t)
	for _, mode := range []ServerMode{ModeTLS, ModeGM} {
		so := org.node(t).options()
		so.ServerMode = mode
		address, _ := startHTTP(t, so)
		response, err := http.Get("http://" + address + "/open")
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusBadRequest, response.StatusCode)
		require.True(t, strings.Contains(string(body), "HTTP request to an HTTPS server"))
	}
}

// passing is an error that passes.
type passing struct{ error }

func (passing) Temporary() bool { return true }

// exhausted is a listener that fails once, as where a process has too many open files.
type exhausted struct {
	net.Listener
	failed bool // used by the accepting goroutine only
}

func (l *exhausted) Accept() (net.Conn, error) {
	if !l.failed {
		l.failed = true
		return nil, passing{errors.New("too many open files")}
	}
	return l.Listener.Accept()
}

// TestPassingFailureOfListener: the operations server accepts again after it.
func TestPassingFailureOfListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener, err := NewHTTPListener(&exhausted{Listener: inner}, newPKI(t).node(t).options())
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	_, err = listener.Accept()
	require.ErrorContains(t, err, "too many open files")
	go tls.Client(from(t, "127.0.0.1", inner.Addr().String()), &tls.Config{InsecureSkipVerify: true}).Handshake()
	accepted := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			conn.Close()
		}
		accepted <- err
	}()
	select {
	case err := <-accepted:
		require.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("it accepts no more")
	}
}

// TestClosedListenerLeavesNothingOpen: a connection that nobody has accepted ends with its listener.
func TestClosedListenerLeavesNothingOpen(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener, err := NewHTTPListener(inner, newPKI(t).node(t).options())
	require.NoError(t, err)
	e := listener.(*httpListener).endpoint
	conn := tls.Client(from(t, "127.0.0.1", inner.Addr().String()), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, conn.Handshake())
	eventually(t, "it waits", func() bool { return countOf(e.conns.count(), protocolTLS) == 1 })
	require.NoError(t, listener.Close())
	requireEnded(t, conn)
}
