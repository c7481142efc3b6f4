// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// address is where the server listens.
func (s *server) address() string { return s.url[strings.Index(s.url, "//")+2:] }

// served is the serial number of the signing certificate that the server presents over TLCP.
func served(ctx context.Context, t *testing.T, s *server, root []byte) (string, error) {
	t.Helper()
	pool := smx509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(root))
	conn, err := (&gmtls.Dialer{Config: &gmtls.Config{RootCAs: pool}}).DialContext(ctx, "tcp", s.address())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.(*gmtls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Text(16), nil
}

func serialOf(t *testing.T, file string) string {
	t.Helper()
	return readCertificate(t, file).SerialNumber.Text(16)
}

// TestReload replaces the pair of a running server: by a signal, and by an operator at /tls. A pair that does not belong together is
// refused, and so are others than the operator.
func TestReload(t *testing.T) {
	ctx := limited(t)
	authority, standard := gmtlstest.NewCA(t), gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "operations")
	dir := t.TempDir()
	pair := authority.NewPair(t, "localhost").Write(t, dir, "server")
	operations := leafFiles(t, dir, "operations", standard.Issue(t, pkixName("operations")))
	operator := leafFiles(t, dir, "operator", standard.Issue(t, pkixName("operator")))
	other := leafFiles(t, dir, "other", standard.Issue(t, pkixName("other")))
	root := gmtlstest.WriteFile(t, dir, "root.crt", standard.CertPEM)
	port := freePort(t)
	fingerprint := sha256.Sum256(readCertificate(t, operator.cert).Raw)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm", operations: port, more: fmt.Sprintf(
		"tls: {gm: {signcert: %s, signkey: %s, enccert: %s, enckey: %s}}\nmetrics: {provider: prometheus}\n", pair.SignCert, pair.SignKey, pair.EncCert, pair.EncKey),
		operationsMore: fmt.Sprintf(", tls: {enabled: true, certfile: %s, keyfile: %s, clientcacertfiles: [%s]}, operators: ['%x']",
			operations.cert, operations.key, root, fingerprint)})
	now := func() string {
		serial, err := served(ctx, t, s, authority.CertPEM)
		require.NoError(t, err)
		return serial
	}
	require.Equal(t, serialOf(t, pair.SignCert), now())

	authority.NewPair(t, "localhost").Write(t, dir, "server")
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	want := serialOf(t, pair.SignCert)
	require.Eventually(t, func() bool { return now() == want }, 20*time.Second, 50*time.Millisecond, "%s", s.log)

	ask := func(method string, as *files) (int, string) {
		return askOperations(ctx, t, port, standard.CertPEM, method, "/tls", as)
	}
	status, text := ask(http.MethodGet, nil)
	require.Equal(t, http.StatusUnauthorized, status, text)
	status, text = ask(http.MethodGet, &other)
	require.Equal(t, http.StatusOK, status, text)
	require.Contains(t, text, want)
	require.Contains(t, text, `"ca.server"`)

	authority.NewPair(t, "localhost").Write(t, dir, "server")
	status, text = ask(http.MethodPost, &other)
	require.Equal(t, http.StatusForbidden, status, text)
	require.Equal(t, want, now())
	status, text = ask(http.MethodPost, &operator)
	require.Equal(t, http.StatusOK, status, text)
	want = serialOf(t, pair.SignCert)
	require.Equal(t, want, now())

	foreign := authority.NewPair(t, "localhost").Write(t, t.TempDir(), "server")
	require.NoError(t, os.Rename(foreign.EncCert, pair.EncCert))
	status, text = ask(http.MethodPost, &operator)
	require.Equal(t, http.StatusConflict, status, text)
	require.Equal(t, want, now(), "the pair in use stays in use")

	_, page := askOperations(ctx, t, port, standard.CertPEM, http.MethodGet, "/metrics", &other)
	require.Regexp(t, `comm_tls_handshakes\{[^}]*protocol="TLCP",result="ok",role="ca.server"`, page)
	require.Contains(t, page, `comm_tls_certificate_expiry{role="ca.server",use="gm-encryption"}`)
}

func pkixName(name string) pkix.Name { return pkix.Name{CommonName: name} }

type files struct{ cert, key string }

func leafFiles(t *testing.T, dir, name string, leaf *gmtlstest.Leaf) files {
	t.Helper()
	return files{gmtlstest.WriteFile(t, dir, name+".crt", leaf.CertPEM), gmtlstest.WriteFile(t, dir, name+".key", leaf.KeyPEM)}
}

func askOperations(ctx context.Context, t *testing.T, port int, root []byte, method, page string, as *files) (int, string) {
	t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool().Std(), ServerName: "localhost"}
	require.True(t, config.RootCAs.AppendCertsFromPEM(root))
	if as != nil {
		cert, err := tls.LoadX509KeyPair(as.cert, as.key)
		require.NoError(t, err)
		config.Certificates = []tls.Certificate{cert}
	}
	return askBy(ctx, t, &http.Transport{TLSClientConfig: config}, port, method, page)
}

// askBy asks the operations server over the transport's connections, and ends them.
func askBy(ctx context.Context, t *testing.T, transport *http.Transport, port int, method, page string) (int, string) {
	t.Helper()
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("https://127.0.0.1:%d%s", port, page), nil)
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// TestDual serves clients of both protocols on one port.
func TestDual(t *testing.T) {
	ctx := limited(t)
	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "standard")
	dir := t.TempDir()
	own := leafFiles(t, dir, "tls", standard.Issue(t, pkixName("localhost")))
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "dual", more: fmt.Sprintf("tls: {certfile: %s, keyfile: %s}\n", own.cert, own.key)})
	overTLCP, overTLS := newClient(t, s, "gm"), newClient(t, s, "")
	overTLS.flags = []string{"--tls.certfiles", gmtlstest.WriteFile(t, dir, "root.crt", standard.CertPEM)}
	overTLCP.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	overTLS.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", more: "tls: {enabled: true, mode: dual}\n"}), "tls.certfile and tls.keyfile")
}

// TestClientCertificates: a listener that verifies certificates of clients turns away who has none, and one that would take any does
// not start.
func TestClientCertificates(t *testing.T) {
	ctx := limited(t)
	authority := gmtlstest.NewCA(t)
	dir := t.TempDir()
	root := gmtlstest.WriteFile(t, dir, "clients.crt", authority.CertPEM)
	pair := authority.NewPair(t, "client").Write(t, dir, "client")
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm", more: fmt.Sprintf("tls: {clientauth: {type: RequireAndVerifyClientCert, certfiles: [%s]}}\n", root)})
	admin := newClient(t, s, "gm")
	_, err := admin.try(ctx, append([]string{"enroll", "-u", admin.with("admin", "adminpw")}, sm2Key...)...)
	require.Error(t, err, "a client without a certificate")
	admin.flags = append(admin.flags, "--tls.gm.signcert", pair.SignCert, "--tls.gm.signkey", pair.SignKey, "--tls.gm.enccert", pair.EncCert, "--tls.gm.enckey", pair.EncKey)
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	for kind, want := range map[string]string{"RequireAnyClientCert": "takes any certificate", "RequireAndVerifyClientCert": "names no roots", "none": "which is none"} {
		require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", more: "tls: {enabled: true, mode: gm, clientauth: {type: " + kind + "}}\n"}), want)
	}
}

// TestLimits: what a stranger sends and keeps open is bounded.
func TestLimits(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	status, text := post(ctx, t, s, "enroll", bytes.Repeat([]byte(" "), 1<<20+1), func(r *http.Request) { r.SetBasicAuth("admin", "adminpw") })
	require.Equal(t, http.StatusRequestEntityTooLarge, status, text)
	// Of a body of unknown length no more than the limit is read, and what the sockets hold.
	sent := &endless{}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/enroll", io.MultiReader(strings.NewReader("{"), io.LimitReader(sent, 64<<20)))
	require.NoError(t, err)
	req.SetBasicAuth("admin", "adminpw")
	resp, err := http.DefaultClient.Do(req)
	if err == nil { // the server may also close the connection before the client has read its answer
		resp.Body.Close()
		require.GreaterOrEqual(t, resp.StatusCode, 400)
	}
	require.Less(t, sent.bytes.Load(), int64(32<<20))
	// The same of a header.
	req, err = http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/cainfo", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", strings.Repeat("A", 80<<10))
	resp, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
	body, err := json.Marshal(enrolment{Request: sm2Request(t, "admin")})
	require.NoError(t, err)
	status, text = post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth("admin", "adminpw") })
	require.Equal(t, http.StatusCreated, status, text)

	unread := leaveUnread(ctx, t, s)
	defer unread.Close()

	// A header and a body that do not end.
	var all sync.WaitGroup
	for text, limit := range map[string]time.Duration{
		"GET /cainfo HTTP/1.1\r\nHost: x\r\nX: ":                                  10 * time.Second,
		"POST /api/v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{": time.Minute,
	} {
		all.Go(func() {
			conn, err := net.Dial("tcp", s.address())
			if !assert.NoError(t, err) {
				return
			}
			defer conn.Close()
			began := time.Now()
			_, err = io.WriteString(conn, text)
			assert.NoError(t, err)
			assert.NoError(t, conn.SetReadDeadline(began.Add(limit+20*time.Second)))
			_, err = io.ReadAll(conn)
			assert.NoError(t, err, "the server ends the connection")
			assert.InDelta(t, limit.Seconds(), time.Since(began).Seconds(), 15)
		})
	}
	all.Wait()
	// The list held the one connection to the database meanwhile.
	require.Eventually(t, func() bool {
		status, _ := post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth("admin", "adminpw") })
		return status == http.StatusCreated
	}, 30*time.Second, time.Second)
}

// leaveUnread asks for a list of certificates that is larger than the buffers of sockets, and reads nothing of it.
func leaveUnread(ctx context.Context, t *testing.T, s *server) net.Conn {
	t.Helper()
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	names := make([]string, 2000)
	for i := range names {
		names[i] = fmt.Sprintf("%0200d", i)
	}
	body, err := json.Marshal(enrolment{Request: requestBy(t, x509.CertificateRequest{Subject: pkixName("admin"), DNSNames: names})})
	require.NoError(t, err)
	for range 20 {
		status, text := post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth("admin", "adminpw") })
		require.Equal(t, http.StatusCreated, status, text)
	}
	const path = "/api/v1/certificates"
	token := tokenOf(t, signingKey(t, admin), mustRead(t, admin.path("msp", "signcerts", "cert.pem")), http.MethodGet, path, nil)
	conn, err := net.Dial("tcp", s.address())
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n", path, token)
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 16)) // it has begun
	require.NoError(t, err)
	return conn
}

// endless counts the bytes that are taken from it.
type endless struct{ bytes atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.bytes.Add(int64(len(p)))
	return len(p), nil
}

// TestOwnPair: the pair that the CA makes for its listener stays over starts, until it is in its last month.
func TestOwnPair(t *testing.T) {
	ctx := limited(t)
	for profiles, kept := range map[string]bool{
		"": true,
		"tlcp: {usage: [digital signature, server auth], expiry: 719h}":                                             false,
		"tlcp: {usage: [digital signature, server auth], expiry: 721h}":                                             true,
		"tlcp-encryption: {usage: [key encipherment, data encipherment, key agreement, server auth], expiry: 719h}": false,
	} {
		home := t.TempDir()
		s := startServer(ctx, t, home, settings{algo: "sm2", mode: "gm", profiles: profiles})
		root := mustRead(t, filepath.Join(home, "ca-cert.pem"))
		first, err := served(ctx, t, s, root)
		require.NoError(t, err)
		s.stop()
		for _, name := range []string{"tlcp-sign.key", "tlcp-enc.key"} {
			readKey(t, filepath.Join(home, name)) // for its owner alone
		}
		second, err := served(ctx, t, startServer(ctx, t, home, settings{algo: "sm2", mode: "gm", profiles: profiles}), root)
		require.NoError(t, err)
		require.Equal(t, kept, first == second, profiles)
	}
}

// TestTornPair: a server that ended while it replaced its own pair makes a new one at the next start, and says so. Files that do not fit for
// another reason are refused by name.
func TestTornPair(t *testing.T) {
	ctx := limited(t)
	home, own := t.TempDir(), settings{algo: "sm2", mode: "gm"}
	start := func() *server { return startServer(ctx, t, home, own) }
	start().stop()
	sign, enc, aside := filepath.Join(home, "tlcp-sign.crt"), filepath.Join(home, "tlcp-enc.crt"), filepath.Join(home, "aside")
	old := serialOf(t, enc)

	// A folder in the place of the last file ends the server where a crash would have.
	require.NoError(t, os.Remove(sign))
	require.NoError(t, os.Rename(enc, aside))
	require.NoError(t, os.Mkdir(enc, 0o700))
	refused := settings{algo: "sm2", more: "tls: {enabled: true, mode: gm}\n"}
	require.Contains(t, refusedIn(ctx, t, home, refused), "making a TLCP pair for the listener")
	require.NoError(t, os.Remove(enc))
	require.NoError(t, os.Rename(aside, enc))
	s := start()
	root := mustRead(t, filepath.Join(home, "ca-cert.pem"))
	first, err := served(ctx, t, s, root)
	require.NoError(t, err)
	require.Contains(t, s.log.String(), "makes a new pair")
	require.NotEqual(t, old, serialOf(t, enc))
	s.stop()
	s = start()
	second, err := served(ctx, t, s, root)
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.NotContains(t, s.log.String(), "makes a new pair")
	s.stop()

	before := mustRead(t, filepath.Join(home, "tlcp-enc.key"))
	foreign := gmtlstest.NewCA(t).NewPairUntil(t, time.Now().AddDate(1, 0, 0), "localhost").Write(t, t.TempDir(), "server")
	require.NoError(t, os.Rename(foreign.EncCert, enc))
	require.Contains(t, refusedIn(ctx, t, home, refused), enc)
	require.Equal(t, before, mustRead(t, filepath.Join(home, "tlcp-enc.key")))
}

// TestPairIsDueWithoutDatabase: a server whose database is away starts with the pair of its listener, although that is due. Where there is no
// pair that is good, the server says why it makes none.
func TestPairIsDueWithoutDatabase(t *testing.T) {
	ctx := limited(t)
	home := t.TempDir()
	due := settings{algo: "sm2", mode: "gm", profiles: "tlcp: {expiry: 480h}, tlcp-encryption: {expiry: 480h}"}
	startServer(ctx, t, home, due).stop()
	before := mustRead(t, filepath.Join(home, "tlcp-sign.crt"))
	due.db = fmt.Sprintf("db: {type: postgres, datasource: host=127.0.0.1 port=%d user=ca password=of-a-test dbname=fabric_ca sslmode=disable}\n", freePort(t))
	s := startServer(ctx, t, home, due)
	require.Contains(t, s.log.String(), "is kept, as the database is away")
	s.stop()
	require.Equal(t, before, mustRead(t, filepath.Join(home, "tlcp-sign.crt")))

	due.more = "tls: {enabled: true, mode: gm}\n"
	refused := func(home string) {
		out := refusedIn(ctx, t, home, due)
		require.Contains(t, out, "the database is away: no certificate can be recorded")
		require.NotContains(t, out, "panic")
	}
	refused(t.TempDir())
	gmtlstest.WriteFile(t, home, "tlcp-pair.unfinished", nil)
	refused(home)
	due.more = "tls: {enabled: true}\n"
	refused(t.TempDir())

	home = t.TempDir()
	due = settings{algo: "sm2", mode: "gm", db: due.db, profiles: "tlcp: {expiry: -1m}, tlcp-encryption: {expiry: 480h}"}
	ended := due
	ended.db, ended.more, ended.mode = "", "tls: {enabled: true, mode: gm}\n", ""
	refusedIn(ctx, t, home, ended) // it makes a pair that has ended, and then refuses it
	require.FileExists(t, filepath.Join(home, "tlcp-sign.crt"))
	due.more, due.mode = ended.more, ""
	refused(home)
}
