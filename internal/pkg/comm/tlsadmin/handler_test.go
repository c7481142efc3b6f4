// SPDX-License-Identifier: Apache-2.0

package tlsadmin

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/stretchr/testify/require"
)

// role is a source whose loading a test can break.
type role struct {
	name  string
	mu    sync.Mutex
	m     comm.Material // protected by mu
	err   error         // protected by mu
	loads int           // protected by mu
}

func newRole(t *testing.T, withGM bool) *role {
	t.Helper()
	ca, err := tlsgen.NewCA()
	require.NoError(t, err)
	pair, err := ca.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	certs, keys := pair.Cert, pair.Key
	var clientRoots [][]byte
	if withGM {
		gm := gmtlstest.NewCA(t)
		certs, keys = gm.NewPair(t, "127.0.0.1").Bundle(pair.Cert, pair.Key)
		clientRoots = [][]byte{gm.CertPEM}
	}
	r := &role{name: t.Name()}
	r.m, err = comm.ParseMaterial(certs, keys, [][]byte{ca.CertBytes()}, clientRoots)
	require.NoError(t, err)
	_, err = comm.NewSource(comm.SourceConfig{Role: r.name, Load: r.load, ServerMode: comm.ModeTLS, ClientMode: comm.ClientTLS})
	require.NoError(t, err)
	return r
}

func (r *role) load() (comm.Material, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loads++
	return r.m, r.err
}

func (r *role) loadCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loads
}

func (r *role) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// verified is the state of a connection whose client certificate was verified.
var verified = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}

// itself is the fingerprint of that certificate, which has no content.
var itself = hex.EncodeToString(sha256.New().Sum(nil))

// request asks a handler with these operators; without any, verified is one.
func request(t *testing.T, method, body string, state *tls.ConnectionState, operators ...string) (int, []byte) {
	t.Helper()
	if len(operators) == 0 {
		operators = []string{itself}
	}
	allowed, err := ParseOperators(operators)
	require.NoError(t, err)
	r := httptest.NewRequest(method, tlsstatus.Path, strings.NewReader(body))
	r.TLS = state
	w := httptest.NewRecorder()
	NewHandler("operations", allowed).ServeHTTP(w, r)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	return w.Code, w.Body.Bytes()
}

// TestOtherSites: a page that an operator's browser shows cannot post with the operator's certificate.
func TestOtherSites(t *testing.T) {
	r := newRole(t, false)
	allowed, err := ParseOperators([]string{itself})
	require.NoError(t, err)
	post := func(header, value string) int {
		request := httptest.NewRequest(http.MethodPost, "https://node:9443"+tlsstatus.Path, nil)
		request.TLS = verified
		request.Header.Set(header, value)
		w := httptest.NewRecorder()
		NewHandler("operations", allowed).ServeHTTP(w, request)
		return w.Code
	}
	before := r.loadCount()
	require.Equal(t, http.StatusForbidden, post("Sec-Fetch-Site", "cross-site"))
	require.Equal(t, http.StatusForbidden, post("Origin", "https://elsewhere"))
	require.Equal(t, before, r.loadCount())
	require.Equal(t, http.StatusOK, post("Sec-Fetch-Site", "same-origin"))
	require.Greater(t, r.loadCount(), before)
}

func statusOf(t *testing.T, body []byte, name string) tlsstatus.Role {
	t.Helper()
	var all []tlsstatus.Role
	require.NoError(t, json.NewDecoder(bytes.NewReader(body)).Decode(&all))
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no role %q in %s", name, body)
	return tlsstatus.Role{}
}

func TestGet(t *testing.T) {
	r := newRole(t, true)
	code, body := request(t, http.MethodGet, "", nil)
	require.Equal(t, http.StatusOK, code)
	s := statusOf(t, body, r.name)
	require.Equal(t, comm.ModeTLS, s.ServerMode)
	require.Equal(t, comm.ClientTLS, s.ClientMode)
	require.Len(t, s.Certificates, 3)
	require.Len(t, s.ServerRoots, 1)
	require.Equal(t, "tls", s.ServerRoots[0].Family)
	require.Len(t, s.ClientRoots, 1)
	require.Equal(t, "gm", s.ClientRoots[0].Family)
	require.True(t, s.ClientRoots[0].NotAfter.After(time.Now()))
	require.NotContains(t, string(body), "PRIVATE")
}

func TestPut(t *testing.T) {
	r := newRole(t, true)
	code, body := request(t, http.MethodPut, `{"role":"`+r.name+`","serverMode":"gm","clientMode":"gm"}`, verified)
	require.Equal(t, http.StatusOK, code)
	s := statusOf(t, body, r.name)
	require.Equal(t, comm.ModeGM, s.ServerMode)
	require.Equal(t, comm.ClientGM, s.ClientMode)
	require.Equal(t, comm.ModeTLS, s.ConfiguredServerMode, "what a restart brings back")
	require.Equal(t, comm.ClientTLS, s.ConfiguredClientMode)
	require.Equal(t, "mode", s.Last.Action)
	require.Empty(t, s.Last.Error)
}

// TestNoOperators: where no operator is named, everybody may look and nobody makes
// changes, however well verified.
func TestNoOperators(t *testing.T) {
	r := newRole(t, true)
	before := r.loadCount()
	for _, none := range []Operators{nil, {}} {
		for method, want := range map[string]int{
			http.MethodGet: http.StatusOK, http.MethodPut: http.StatusForbidden, http.MethodPost: http.StatusForbidden,
		} {
			req := httptest.NewRequest(method, tlsstatus.Path, strings.NewReader(`{"role":"`+r.name+`","serverMode":"dual"}`))
			req.TLS = verified
			w := httptest.NewRecorder()
			NewHandler("operations", none).ServeHTTP(w, req)
			require.Equal(t, want, w.Code, method)
			if want == http.StatusForbidden {
				require.Contains(t, w.Body.String(), itself, "the fingerprint to add is told")
				require.Contains(t, w.Body.String(), "operations.operators")
			}
		}
	}
	server, _ := comm.LookupSource(r.name).Modes()
	require.Equal(t, comm.ModeTLS, server)
	require.Equal(t, before, r.loadCount())
}

// TestOperators: where operators are named, nobody else makes changes, however
// well verified; everybody verified may still look.
func TestOperators(t *testing.T) {
	r := newRole(t, true)
	ca, err := tlsgen.NewCA()
	require.NoError(t, err)
	client := func() (*tls.ConnectionState, string) {
		pair, err := ca.NewClientCertKeyPair()
		require.NoError(t, err)
		sum := sha256.Sum256(pair.TLSCert.Raw)
		return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{pair.TLSCert}}}, hex.EncodeToString(sum[:])
	}
	operator, fingerprint := client()
	monitor, other := client()
	var colons []string
	for i := 0; i < len(fingerprint); i += 2 {
		colons = append(colons, strings.ToUpper(fingerprint[i:i+2]))
	}
	body := `{"role":"` + r.name + `","serverMode":"dual"}`
	for _, form := range []string{fingerprint, strings.Join(colons, ":")} {
		list := []string{strings.Repeat("0", 64), form}
		for method, body := range map[string]string{http.MethodPut: body, http.MethodPost: `{"role":"` + r.name + `"}`} {
			code, answer := request(t, method, body, monitor, list...)
			require.Equal(t, http.StatusForbidden, code)
			require.Contains(t, string(answer), other, "the fingerprint to add is told")
			require.Contains(t, string(answer), "operations.operators")
			server, _ := comm.LookupSource(r.name).Modes()
			require.Equal(t, comm.ModeTLS, server)
			// The name of an unverified operator is not enough.
			code, _ = request(t, method, body, &tls.ConnectionState{PeerCertificates: operator.VerifiedChains[0]}, list...)
			require.Equal(t, http.StatusForbidden, code)
		}
		code, _ := request(t, http.MethodGet, "", monitor, list...)
		require.Equal(t, http.StatusOK, code)
		code, _ = request(t, http.MethodPut, body, operator, list...)
		require.Equal(t, http.StatusOK, code)
		require.NoError(t, comm.SetMode(r.name, comm.ModeTLS, ""))
	}
	for _, bad := range []string{"", "ops", fingerprint[:62], fingerprint + "00", "sha256 Fingerprint=" + fingerprint} {
		_, err := ParseOperators([]string{bad})
		require.ErrorContains(t, err, "64 hexadecimal digits", bad)
	}
}

// TestOnlyOperator: the only operator does not switch the listener of the page to where its certificate cannot follow, in either
// direction, by name or with all roles. With others, of which only the fingerprints are known, it does.
func TestOnlyOperator(t *testing.T) {
	ca, err := tlsgen.NewCA()
	require.NoError(t, err)
	pair, err := ca.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	gm, err := gmx509.ParseCertificatePEM(gmtlstest.NewCA(t).NewPair(t, "127.0.0.1").SignCert)
	require.NoError(t, err)
	for _, c := range []struct {
		operator *x509.Certificate
		kept     comm.ServerMode
		lost     comm.ServerMode
		needs    string
	}{{pair.TLSCert, comm.ModeTLS, comm.ModeGM, "one that is SM2"}, {gm, comm.ModeGM, comm.ModeTLS, "one that is for TLS"}} {
		sum := sha256.Sum256(c.operator.Raw)
		only, other := Operators{sum: {}}, [sha256.Size]byte{1}
		switched := func(o Operators, role string, mode comm.ServerMode) error {
			return o.checkSwitch("operations", tlsstatus.Change{Role: role, ServerMode: mode}, c.operator)
		}
		for _, role := range []string{"operations", ""} {
			require.ErrorContains(t, switched(only, role, c.lost), c.needs)
			require.NoError(t, switched(only, role, c.kept))
			require.NoError(t, switched(only, role, comm.ModeDual))
			require.NoError(t, switched(only, role, ""))
			require.NoError(t, switched(Operators{sum: {}, other: {}}, role, c.lost))
		}
		require.NoError(t, switched(only, "peer.server", c.lost))
	}

	r := newRole(t, true)
	allowed := Operators{[sha256.Size]byte(sha256.New().Sum(nil)): {}}
	req := httptest.NewRequest(http.MethodPut, tlsstatus.Path, strings.NewReader(`{"role":"`+r.name+`","serverMode":"gm"}`))
	req.TLS = verified
	w := httptest.NewRecorder()
	NewHandler(r.name, allowed).ServeHTTP(w, req)
	require.Equal(t, http.StatusConflict, w.Code)
	require.Contains(t, w.Body.String(), "without an operator")
	server, _ := comm.LookupSource(r.name).Modes()
	require.Equal(t, comm.ModeTLS, server)
}

// What the GM modes mean is switched by the same page, apart from the modes.
func TestPutProtocols(t *testing.T) {
	r := newRole(t, true)
	code, _ := request(t, http.MethodPut, `{"role":"`+r.name+`","serverMode":"gm","clientMode":"gm"}`, verified)
	require.Equal(t, http.StatusOK, code)
	code, body := request(t, http.MethodPut, `{"role":"`+r.name+`","gmProtocols":["TLCP","TLS13"],"gmClientProtocol":"TLS13"}`, verified)
	require.Equal(t, http.StatusOK, code, string(body))
	var all []tlsstatus.Role
	require.NoError(t, json.Unmarshal(body, &all))
	found := false
	for _, s := range all {
		if s.Name == r.name {
			found = true
			require.Equal(t, []string{"TLCP", "TLS13"}, s.GMProtocols)
			require.Equal(t, "TLS13", s.GMClientProtocol)
		}
	}
	require.True(t, found)
	for _, refused := range []string{
		`{"role":"` + r.name + `","gmProtocols":["TLS1.3"]}`, `{"role":"` + r.name + `","gmClientProtocol":"SSL"}`,
		`{"role":"` + r.name + `","gmProtocols":["TLS13"],"clientMode":"gm"}`,
	} {
		code, _ := request(t, http.MethodPut, refused, verified)
		require.Equal(t, http.StatusConflict, code, refused)
	}
	_, err := comm.NewSource(comm.SourceConfig{Role: r.name + ".dials", Load: r.load, ClientMode: comm.ClientGM})
	require.NoError(t, err)
	code, body = request(t, http.MethodPut, `{"role":"`+r.name+`.dials","gmProtocols":["TLS13"]}`, verified)
	require.Equal(t, http.StatusConflict, code)
	require.Contains(t, string(body), "does not listen")
	code, _ = request(t, http.MethodPost, `{"gmProtocols":["TLS13"]}`, verified)
	require.Equal(t, http.StatusConflict, code)
}

// TestChangesAreRecorded: what was asked for, by whom, and whether it was done.
func TestChangesAreRecorded(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	defer audit.Use(audit.Use(audit.NewLog(logger.Infow)))
	r := newRole(t, true)
	last := func(method, body string) string {
		t.Helper()
		request(t, method, body, verified)
		entries := lines.Entries()
		return entries[len(entries)-1]
	}
	require.Contains(t, last(http.MethodPut, `{"role":"`+r.name+`","serverMode":"gm","clientMode":"gm"}`),
		"event=change-done method=PUT role="+r.name+" server-mode=gm client-mode=gm gm-protocols= gm-client-protocol= operator=")
	require.Contains(t, last(http.MethodPut, `{"role":"`+r.name+`","gmProtocols":["TLCP","TLS13"],"gmClientProtocol":"TLS13"}`),
		"event=change-done method=PUT role="+r.name+" server-mode= client-mode= gm-protocols=\"TLCP TLS13\" gm-client-protocol=TLS13 operator=")
	require.Contains(t, last(http.MethodPost, `{"role":"`+r.name+`"}`), "event=change-done method=POST role="+r.name)
	r.fail(errors.New("no such file"))
	require.Regexp(t, "event=change-failed method=POST role="+r.name+" operator= reason=.*no such file", last(http.MethodPost, `{"role":"`+r.name+`"}`))
}

func TestPutRefused(t *testing.T) {
	r := newRole(t, false)
	for body, want := range map[string]int{
		`{"role":"` + r.name + `","serverMode":"gm"}`:     http.StatusConflict, // no SM2 pair
		`{"role":"` + r.name + `"}`:                       http.StatusConflict, // no mode
		`{"role":"` + r.name + `","serverMode":"both"}`:   http.StatusConflict,
		`{"role":"nobody","serverMode":"gm"}`:             http.StatusConflict,
		`{"mode":"gm"}`:                                   http.StatusBadRequest,
		`{"role":`:                                        http.StatusBadRequest,
		`{} {}`:                                           http.StatusBadRequest,
		`{"role":"` + strings.Repeat("x", maxBody) + `"}`: http.StatusBadRequest,
	} {
		code, answer := request(t, http.MethodPut, body, verified)
		require.Equal(t, want, code, "%.80s", body)
		var f tlsstatus.Failure
		require.NoError(t, json.Unmarshal(answer, &f))
		require.NotEmpty(t, f.Error)
		server, client := comm.LookupSource(r.name).Modes()
		require.Equal(t, comm.ModeTLS, server)
		require.Equal(t, comm.ClientTLS, client)
	}
}

func TestPost(t *testing.T) {
	r := newRole(t, true)
	body := `{"role":"` + r.name + `"}`
	before := r.loadCount()
	code, answer := request(t, http.MethodPost, body, verified)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, before+1, r.loadCount())
	require.Equal(t, "reload", statusOf(t, answer, r.name).Last.Action)

	r.fail(errors.New("server.crt is gone"))
	code, answer = request(t, http.MethodPost, body, verified)
	require.Equal(t, http.StatusConflict, code)
	require.Contains(t, string(answer), "server.crt is gone")
	_, answer = request(t, http.MethodGet, "", nil)
	require.Contains(t, statusOf(t, answer, r.name).Last.Error, "server.crt is gone")
	r.fail(nil)

	code, _ = request(t, http.MethodPost, `{"serverMode":"gm"}`, verified)
	require.Equal(t, http.StatusConflict, code)
	require.Equal(t, before+2, r.loadCount())
}

// TestUnauthenticated: without a verified client certificate nothing changes,
// even where the operations server runs without TLS.
func TestUnauthenticated(t *testing.T) {
	r := newRole(t, true)
	before := r.loadCount()
	for _, state := range []*tls.ConnectionState{nil, {}, {PeerCertificates: []*x509.Certificate{{}}}} {
		for _, method := range []string{http.MethodPut, http.MethodPost} {
			code, _ := request(t, method, `{"role":"`+r.name+`","serverMode":"gm"}`, state)
			require.Equal(t, http.StatusForbidden, code)
		}
	}
	code, _ := request(t, http.MethodDelete, "", verified)
	require.Equal(t, http.StatusMethodNotAllowed, code)
	require.Equal(t, before, r.loadCount())
	mode, _ := comm.LookupSource(r.name).Modes()
	require.Equal(t, comm.ModeTLS, mode)
}

func TestHangup(t *testing.T) {
	r := newRole(t, true)
	stop := ReloadOnHangup()
	defer stop()
	before := r.loadCount()
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Signal(syscall.SIGHUP))
	deadline := time.Now().Add(20 * time.Second)
	for r.loadCount() == before {
		require.True(t, time.Now().Before(deadline), "SIGHUP did not reload")
		time.Sleep(time.Millisecond)
	}
}

// logged collects lines. Goroutines of other tests, which reload at SIGHUP, may write too.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer // protected by mu
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// refused counts the lines of refused requests.
func (l *logged) refused() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), "refused")
}

// TestRefusedRequestsAreBounded: who is no operator fills no log.
func TestRefusedRequestsAreBounded(t *testing.T) {
	var out logged
	refusedLimit = loglimit.Limit{}
	defer flogging.Reset()
	require.NoError(t, flogging.Global.Apply(flogging.Config{Writer: &out}))
	var events atomic.Int64
	defer audit.Use(audit.Use(audit.NewLog(func(string, ...any) { events.Add(1) })))
	for range 4 * loglimit.Burst {
		code, _ := request(t, http.MethodPost, "", nil)
		require.Equal(t, http.StatusForbidden, code)
	}
	require.Positive(t, out.refused())
	require.Less(t, out.refused(), 2*loglimit.Burst)
	require.Positive(t, events.Load())
	require.Less(t, events.Load(), int64(2*loglimit.Burst)) // of 200; the audit has a bound of its own
}
