// SPDX-License-Identifier: Apache-2.0

package fabhttp_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/fabhttp"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
)

// TestRequestsOfOperatorsAreRecorded: what changes a node is in the log before the handler runs, what reads does not.
func TestRequestsOfOperatorsAreRecorded(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	var before string
	handler := fabhttp.NewServer(fabhttp.Options{}).HandlerChain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { before = strings.Join(lines.Entries(), "\n") }), false)
	for method, recorded := range map[string]bool{"GET": false, "HEAD": false, "PUT": true, "POST": true, "DELETE": true} {
		lines.Reset()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/logspec", nil))
		if !recorded {
			require.Empty(t, before, method)
			continue
		}
		require.Contains(t, before, "event=operator-request method="+method+" path=/logspec operator= address=192.0.2.1:1234", method)
	}
}

// TestStrangersDisplaceNoOperators: however much strangers ask for pages without protection, what an operator does is in the log.
func TestStrangersDisplaceNoOperators(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	server := fabhttp.NewServer(fabhttp.Options{})
	ask := func(path string, secure bool, state *tls.ConnectionState) {
		request := httptest.NewRequest("POST", path, nil)
		request.TLS = state
		server.HandlerChain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), secure).ServeHTTP(httptest.NewRecorder(), request)
	}
	for range 1000 {
		ask("/healthz", false, nil)
	}
	require.Less(t, len(lines.Entries()), 500)
	ask("/participation", true, &tls.ConnectionState{
		PeerCertificates: []*x509.Certificate{{}}, VerifiedChains: [][]*x509.Certificate{{{}}},
	})
	require.Contains(t, lines.Entries()[len(lines.Entries())-1], "path=/participation")
}

// TestStrangersAreRecorded: a change that is asked for without a verified certificate is refused, and the log says so. Others are not.
func TestStrangersAreRecorded(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	verified := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
	presented := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	for _, c := range []struct {
		method  string
		secure  bool
		state   *tls.ConnectionState
		refused bool // by the answer
		event   bool
	}{
		{"PUT", true, nil, true, true},
		{"PUT", true, presented, true, true},
		{"PUT", true, verified, false, false},
		{"PUT", false, nil, false, false},
		{"GET", true, nil, true, false},
	} {
		lines.Reset()
		done := false
		handler := fabhttp.NewServer(fabhttp.Options{}).HandlerChain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { done = true }), c.secure)
		answer, request := httptest.NewRecorder(), httptest.NewRequest(c.method, "/logspec", nil)
		request.TLS = c.state
		handler.ServeHTTP(answer, request)
		require.Equal(t, c.refused, answer.Code == http.StatusUnauthorized, "%+v", c)
		require.NotEqual(t, c.refused, done, "%+v", c)
		found := strings.Contains(strings.Join(lines.Entries(), "\n"),
			"event=operator-refused method="+c.method+" address=192.0.2.1:1234 reason=\"no verified client certificate\"")
		require.Equal(t, c.event, found, "%+v: %q", c, lines.Entries())
	}
}

// TestPagesOfOtherSites: a browser that shows an operator's certificate for a page of another site changes nothing, and the log says so.
// Commands and pages of the node's own address do.
func TestPagesOfOtherSites(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	for _, c := range []struct {
		method, header, value string
		secure, refused       bool
	}{
		{"POST", "Sec-Fetch-Site", "cross-site", true, true},
		{"DELETE", "Sec-Fetch-Site", "cross-site", true, true},
		{"PUT", "Origin", "https://elsewhere.example", true, true},
		{"PUT", "Origin", "https://elsewhere.example", false, true},
		{"POST", "Sec-Fetch-Site", "same-origin", true, false},
		{"POST", "Origin", "https://node.example", true, false},
		{"POST", "User-Agent", "osnadmin", true, false},
		{"GET", "Sec-Fetch-Site", "cross-site", true, false},
	} {
		lines.Reset()
		done := false
		handler := fabhttp.NewServer(fabhttp.Options{}).HandlerChain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { done = true }), c.secure)
		answer, request := httptest.NewRecorder(), httptest.NewRequest(c.method, "https://node.example/participation/v1/channels", nil)
		request.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
		request.Header.Set(c.header, c.value)
		handler.ServeHTTP(answer, request)
		require.Equal(t, c.refused, answer.Code == http.StatusForbidden, "%+v", c)
		require.NotEqual(t, c.refused, done, "%+v", c)
		require.Equal(t, c.refused, strings.Contains(strings.Join(lines.Entries(), "\n"), "event=operator-refused method="+c.method), "%+v", c)
	}
}
