// SPDX-License-Identifier: Apache-2.0

//go:build integration

// Package ca tests the certificate authority as its operators use it: by its programs. "make ca" must have gone before.
package ca

import (
	"bytes"
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

const (
	bin   = "../../build/bin-ca-1.5.21"
	limit = 3 * time.Minute
)

// server is a running fabric-ca-server.
type server struct {
	home, url string
	cmd       *exec.Cmd
	log       *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// settings of a CA in a test.
type settings struct {
	program string // of the server
	algo    string // of the CA's key: sm2 or ecdsa
	mode    string // of the listener; empty without TLS
	encKey  string // who makes encryption keys
	// recovery is tlcp.recovery; needed where the CA makes encryption keys.
	recovery string
	keyFile  string // ca.keyfile
	caExpiry string // validity of a new CA; empty: 15 years
	db       string // section db; empty: SQLite
	profiles string // signing.profiles
	parent   string // section intermediate; the CA's name comes from the parent then
	more     string // lines of the configuration file
	// identities are lines for the identities that the server registers when it starts.
	identities string
	// operations is the port of the operations server, a free one if 0; operationsMore is added to its section.
	operations     int
	operationsMore string
	noOperations   bool     // the configuration has no such section
	environment    []string // of the server
}

// pause is between two looks at something that is awaited.
const pause = 50 * time.Millisecond

func dials(ctx context.Context, port int) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s settings) operationsPort(t *testing.T) int {
	t.Helper()
	if s.operations != 0 {
		return s.operations
	}
	return freePort(t)
}

func (s settings) config(port, operations int) string {
	encKey := ""
	if s.encKey != "" {
		encKey = fmt.Sprintf("tlcp: {encryptionkey: %s, recovery: %q}\n", s.encKey, s.recovery)
	}
	db := s.db
	if db == "" {
		db = "db: {type: sqlite3, datasource: fabric-ca-server.db}\n"
	}
	keyFile := ""
	if s.keyFile != "" {
		keyFile = ", keyfile: " + s.keyFile
	}
	name, below := "cn: ca, ", 1 // CAs that may stand below
	if s.parent != "" {
		name, below = "", 0
	}
	section := fmt.Sprintf("operations: {listenAddress: \"127.0.0.1:%d\"%s}\n", operations, s.operationsMore)
	if s.noOperations {
		section = ""
	}
	return fmt.Sprintf(`address: 127.0.0.1
port: %d
%sca: {name: ca%s}
csr: {%shosts: [localhost, 127.0.0.1], keyrequest: {algo: %s, size: 256}, names: [{C: CN, O: Org1}], ca: {expiry: %s, pathlength: %d}}
%sregistry:
  maxenrollments: -1
  identities:
    - {name: admin, pass: adminpw, type: client, affiliation: "", attrs: {hf.Registrar.Roles: "*", hf.Registrar.DelegateRoles: "*", hf.Revoker: true, hf.GenCRL: true, hf.Registrar.Attributes: "*", hf.AffiliationMgr: true, hf.IntermediateCA: true}}
%saffiliations: {org1: [department1]}
signing:
  default: {usage: [digital signature], expiry: 8760h}
  profiles: {%s}
%s`, port, section, keyFile, name, s.algo, cmp.Or(s.caExpiry, "131400h"), below, db, s.identities, s.profiles, encKey+s.parent+s.more)
}

// startServer runs a CA in a folder, with what the folder holds, until the end of the test.
func startServer(ctx context.Context, t *testing.T, home string, s settings) *server {
	t.Helper()
	if s.program == "" {
		s.program = filepath.Join(bin, "fabric-ca-server")
	}
	port := freePort(t)
	require.NoError(t, os.WriteFile(filepath.Join(home, "fabric-ca-server-config.yaml"), []byte(s.config(port, s.operationsPort(t))), 0o600))
	args, scheme := []string{"start", "-H", home}, "http"
	if s.mode != "" {
		args, scheme = append(args, "--tls.enabled", "--tls.mode", s.mode), "https"
	}
	running := &server{home: home, url: fmt.Sprintf("%s://localhost:%d", scheme, port), log: &lockedBuffer{}}
	running.cmd = exec.CommandContext(ctx, s.program, args...)
	running.cmd.Stdout, running.cmd.Stderr, running.cmd.Env = running.log, running.log, append(os.Environ(), s.environment...)
	require.NoError(t, running.cmd.Start())
	t.Cleanup(func() { running.stop() })
	require.Eventually(t, func() bool { return strings.Contains(running.log.String(), "Listening on http") }, 30*time.Second, 50*time.Millisecond, "%s", running.log)
	return running
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// client is a home folder of fabric-ca-client.
type client struct {
	program, home string
	server        *server
	flags         []string
}

func newClient(t *testing.T, s *server, mode string) *client {
	t.Helper()
	c := &client{program: filepath.Join(bin, "fabric-ca-client"), home: t.TempDir(), server: s}
	if mode != "" {
		c.flags = []string{"--tls.mode", mode, "--tls.certfiles", filepath.Join(s.home, "ca-cert.pem")}
	}
	return c
}

// with returns the URL with an enrollment ID and a secret.
func (c *client) with(id, secret string) string {
	return strings.Replace(c.server.url, "://", "://"+id+":"+secret+"@", 1)
}

func (c *client) try(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.program, append(append([]string{}, args...), c.flags...)...)
	cmd.Env = append(os.Environ(), "FABRIC_CA_CLIENT_HOME="+c.home)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *client) run(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.try(ctx, args...)
	require.NoError(t, err, "%s: %s\nserver: %s", strings.Join(args, " "), out, c.server.log)
	return out
}

var sm2Key = []string{"--csr.keyrequest.algo", "sm2", "--csr.keyrequest.size", "256"}

func (c *client) enroll(ctx context.Context, t *testing.T, id, secret string, more ...string) {
	t.Helper()
	c.run(ctx, t, append([]string{"enroll", "-u", c.with(id, secret)}, more...)...)
}

func (c *client) register(ctx context.Context, t *testing.T, id, secret, role string, more ...string) {
	t.Helper()
	c.run(ctx, t, append([]string{"register", "-u", c.server.url, "--id.name", id, "--id.secret", secret, "--id.type", role,
		"--id.affiliation", "org1.department1"}, more...)...)
}

func (c *client) path(elem ...string) string {
	return filepath.Join(append([]string{c.home}, elem...)...)
}

func readCertificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	cert, err := x509.ParseCertificatePEM(text)
	require.NoError(t, err)
	return cert
}

func readKey(t *testing.T, name string) any {
	t.Helper()
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	key, err := x509.ParsePrivateKeyPEM(text, nil)
	require.NoError(t, err)
	return key
}

// signingKey returns the SM2 key of a client's certificate. A refused enrolment leaves its key in the keystore too.
func signingKey(t *testing.T, c *client) *sm2.PrivateKey {
	t.Helper()
	cert := readCertificate(t, c.path("msp", "signcerts", "cert.pem"))
	names, err := filepath.Glob(c.path("msp", "keystore", "*_sk"))
	require.NoError(t, err)
	for _, name := range names {
		if key := readKey(t, name); x509.CheckKeyPair(cert, key) == nil {
			signer, ok := x509.AsSM2(key)
			require.True(t, ok)
			return signer
		}
	}
	require.Fail(t, "no key of the certificate", names)
	return nil
}

func readList(t *testing.T, name string) *x509.RevocationList {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.NotNil(t, block, "%s", text)
	list, err := x509.ParseRevocationList(block.Bytes)
	require.NoError(t, err)
	return list
}

// requireOpenSSL has the openssl command verify a certificate.
func requireOpenSSL(ctx context.Context, t *testing.T, ca, cert string) {
	t.Helper()
	out, err := exec.CommandContext(ctx, "openssl", "verify", "-vfyopt", "distid:1234567812345678", "-CAfile", ca, cert).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
