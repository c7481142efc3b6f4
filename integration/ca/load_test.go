// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// enrollAs sends one enrolment and returns the certificates that were issued.
func enrollAs(ctx context.Context, s *server, id, secret string, request enrolment) ([]*x509.Certificate, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return certify(ctx, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth(id, secret) })
}

// certify sends the body of an enrolment or a reenrolment.
func certify(ctx context.Context, s *server, path string, body []byte, auth func(*http.Request)) ([]*x509.Certificate, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	auth(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Success bool
		Errors  []any
		Result  json.RawMessage // an empty text where there are errors
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusCreated || !answer.Success {
		return nil, fmt.Errorf("status %d: %v", resp.StatusCode, answer.Errors)
	}
	var result struct{ Cert, EncryptionCert []byte } // PEM in base64
	if err := json.Unmarshal(answer.Result, &result); err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, text := range [][]byte{result.Cert, result.EncryptionCert} {
		if len(text) == 0 {
			continue
		}
		cert, err := x509.ParseCertificatePEM(text)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// atOnce is how many enrolments a CA has to bear at the same moment.
const atOnce = 200

// errors are the lines of the server's log about errors, 10 at most.
func (s *server) errors() string {
	var lines []string
	for line := range strings.Lines(s.log.String()) {
		if len(lines) < 10 && (strings.Contains(line, "[ERROR]") || strings.Contains(line, " 401 ") || strings.Contains(line, " 500 ")) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// serials are the serial numbers that the CA has on record for an id; each must be there once.
func serials(ctx context.Context, t *testing.T, admin *client, id string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for line := range strings.Lines(admin.run(ctx, t, "certificate", "list", "-u", admin.server.url, "--id", id)) {
		if numbers, ok := strings.CutPrefix(strings.TrimSpace(line), "Serial Number:"); ok { // decimal, hexadecimal
			number, _, _ := strings.Cut(strings.TrimSpace(numbers), " ")
			require.False(t, found[number], "serial number %s twice", number)
			found[number] = true
		}
	}
	return found
}

// requireRecorded wants all certificates that an id was given on the CA's record, and returns how many the record has.
func requireRecorded(ctx context.Context, t *testing.T, admin *client, id string, given []*x509.Certificate) int {
	t.Helper()
	recorded := serials(ctx, t, admin, id)
	seen := map[string]bool{}
	for _, cert := range given {
		number := cert.SerialNumber.String()
		require.False(t, seen[number], "serial number %s was given twice", number)
		seen[number] = true
		require.True(t, recorded[number], "certificate %s of %s was given and is not on record", number, id)
	}
	return len(recorded)
}

// pairRequest asks for a TLCP pair, with the encryption key made by the client or, in a CA that makes it, without.
func pairRequest(t *testing.T, id string, byCA bool) enrolment {
	t.Helper()
	e := enrolment{Request: sm2Request(t, id), Profile: "tlcp"}
	if !byCA {
		e.EncryptionRequest = sm2Request(t, id)
	}
	return e
}

// enrollAtOnce enrols an id many times at the same moment, for an identity and for a pair in turns: every certificate that is given is
// another one, and on record.
func enrollAtOnce(ctx context.Context, t *testing.T, admin *client, many int) (issued int) {
	t.Helper()
	requests := make([]enrolment, many)
	for i := range requests {
		if i%2 == 0 {
			requests[i] = enrolment{Request: sm2Request(t, "user")}
		} else {
			requests[i] = pairRequest(t, "user", false)
		}
	}
	var given collected
	errs := make(chan error, many)
	var all sync.WaitGroup
	for _, request := range requests {
		all.Go(func() {
			certs, err := enrollAs(ctx, admin.server, "user", "pw", request)
			given.add(certs...)
			errs <- err
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err, "%s", admin.server.errors())
	}
	require.Len(t, given.certs, many+many/2)
	require.Equal(t, len(given.certs), requireRecorded(ctx, t, admin, "user", given.certs))
	return len(given.certs)
}

// collected are certificates that several clients were given.
type collected struct {
	mu    sync.Mutex
	certs []*x509.Certificate
}

func (c *collected) add(certs ...*x509.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.certs = append(c.certs, certs...)
}

func (c *collected) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.certs)
}

// TestEnrolAtOnce: see enrollAtOnce, with the embedded database.
func TestEnrolAtOnce(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	enrollAtOnce(ctx, t, admin, atOnce)
}

// TestEnrolmentsCounted: of many enrolments at once as many succeed as the identity may make, pairs or not.
func TestEnrolmentsCounted(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client", "--id.maxenrollments", "3")
	requests := make([]enrolment, 12)
	for i := range requests {
		requests[i] = pairRequest(t, "user", false)
	}
	var given collected
	var all sync.WaitGroup
	for _, request := range requests {
		all.Go(func() {
			certs, err := enrollAs(ctx, s, "user", "pw", request)
			if err == nil {
				given.add(certs...)
			}
		})
	}
	all.Wait()
	require.Len(t, given.certs, 2*3)
}

// TestKilled kills the server again and again while clients register and enrol, see killWhileUsed.
func TestKilled(t *testing.T) {
	killWhileUsed(limited(t), t, "")
}

// killWhileUsed kills a CA that makes and keeps encryption keys, while clients enrol for identities and for pairs and an administrator
// registers. What was answered is there afterwards: the certificates on record, both of a pair, the keys that are kept, the registrations.
func killWhileUsed(ctx context.Context, t *testing.T, db string) {
	t.Helper()
	home, operator := t.TempDir(), gmtlstest.NewCA(t).NewPair(t, "recovery").Write(t, t.TempDir(), "recovery")
	config := settings{algo: "sm2", db: db, encKey: "ca", recovery: operator.EncCert}
	s := startServer(ctx, t, home, config)
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	var given, pairs collected
	var registered []string
	for round := range 4 {
		var all sync.WaitGroup
		began := pairs.count()
		for i := range 4 {
			all.Go(func() {
				for {
					request := enrolment{Request: sm2Request(t, "user")}
					if i%2 == 0 {
						request = pairRequest(t, "user", true)
					}
					certs, err := enrollAs(ctx, s, "user", "pw", request)
					if err != nil {
						return // killed
					}
					given.add(certs...)
					if i%2 == 0 {
						pairs.add(certs[1])
					}
				}
			})
		}
		all.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("made-%d-%d", round, i)
				if _, err := admin.try(ctx, "register", "-u", s.url, "--id.name", name, "--id.secret", "pw", "--id.type", "client",
					"--id.affiliation", "org1"); err != nil {
					return // killed
				}
				registered = append(registered, name)
			}
		})
		for pairs.count() < began+4 && ctx.Err() == nil {
			time.Sleep(pause)
		}
		require.NoError(t, s.cmd.Process.Signal(syscall.SIGKILL))
		_ = s.cmd.Wait()
		all.Wait()
		s = startServer(ctx, t, home, config)
		admin.server = s
	}
	requireRecorded(ctx, t, admin, "user", given.certs)
	for _, cert := range pairs.certs {
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		kept := filepath.Join(home, "recovery", hex.EncodeToString(sum[:]))
		require.FileExists(t, kept+".der")
		require.Equal(t, cert.Raw, readCertificate(t, kept+".crt").Raw)
	}
	require.NotEmpty(t, registered)
	list := admin.run(ctx, t, "identity", "list", "-u", s.url)
	for _, name := range registered {
		require.Contains(t, list, "Name: "+name+",")
	}
	user := newClient(t, s, "")
	user.enroll(ctx, t, registered[len(registered)-1], "pw", sm2Key...)
}

// TestRevokedWhileEnrolling revokes an identity that enrols and renews as fast as it can: whatever it was given is on the list
// afterwards, and it is given nothing more.
func TestRevokedWhileEnrolling(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	for round := range 6 {
		id := fmt.Sprintf("user-%d", round)
		admin.register(ctx, t, id, "pw", "client")
		var given collected
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				key, request := newRequest(t, id)
				certs, err := enrollAs(ctx, s, id, "pw", enrolment{Request: request})
				for err == nil {
					given.add(certs...)
					next, request := newRequest(t, id)
					body, _ := json.Marshal(enrolment{Request: request})
					token := tokenOf(t, key, certificateText(certs[0]), http.MethodPost, "/api/v1/reenroll", body)
					certs, err = certify(ctx, s, "reenroll", body, func(r *http.Request) { r.Header.Set("Authorization", token) })
					key = next
				}
			})
		}
		for given.count() < 8 && ctx.Err() == nil {
			time.Sleep(pause)
		}
		admin.run(ctx, t, "revoke", "-u", s.url, "-e", id, "--gencrl")
		all.Wait()
		admin.run(ctx, t, "gencrl", "-u", s.url)
		revoked := map[string]bool{}
		for _, entry := range readList(t, admin.path("msp", "crls", "crl.pem")).RevokedCertificateEntries {
			revoked[entry.SerialNumber.String()] = true
		}
		for _, cert := range given.certs {
			require.True(t, revoked[cert.SerialNumber.String()], "certificate %s of %d outlives the revocation of %s", cert.SerialNumber, len(given.certs), id)
		}
		_, err := enrollAs(ctx, s, id, "pw", enrolment{Request: sm2Request(t, id)})
		require.ErrorContains(t, err, "status 401")
	}
}

// run runs a program of a database and ends the test if it fails.
func runProgram(ctx context.Context, t *testing.T, as *user.User, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, name, args...)
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, as)}
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

func credential(t *testing.T, u *user.User) *syscall.Credential {
	t.Helper()
	var uid, gid uint32
	_, err := fmt.Sscan(u.Uid, &uid)
	require.NoError(t, err)
	_, err = fmt.Sscan(u.Gid, &gid)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uid, Gid: gid}
}

// another is an unprivileged user to run a database as, which refuses to run as root; nil if the test is not root.
func another(t *testing.T, names ...string) *user.User {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range names {
		if u, err := user.Lookup(name); err == nil {
			return u
		}
	}
	t.Skipf("none of the users %v is there to run a database", names)
	return nil
}

// databaseFolder is a folder that the database's user owns.
func databaseFolder(t *testing.T, as *user.User) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ca-db") //nolint:usetesting // the database's user may not enter the folders above t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if as != nil {
		c := credential(t, as)
		require.NoError(t, os.Chown(dir, int(c.Uid), int(c.Gid)))
	}
	return dir
}

// newest is the newest installed version of a program of PostgreSQL; the test is skipped where there is none.
func newest(t *testing.T, name string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	require.NoError(t, err)
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed (Debian package postgresql)")
	}
	return found[len(found)-1]
}

// background runs a database until the end of the test.
func background(t *testing.T, as *user.User, name string, args ...string) *lockedBuffer {
	t.Helper()
	cmd := exec.Command(name, args...)
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, as)}
	}
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	return log
}

// startPostgreSQL runs a PostgreSQL of this machine until the end of the test, and returns the section db for it.
func startPostgreSQL(ctx context.Context, t *testing.T) string {
	t.Helper()
	initdb, postgres := newest(t, "initdb"), newest(t, "postgres")
	as := another(t, "postgres", "nobody")
	dir, port := databaseFolder(t, as), freePort(t)
	password := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte("of-a-test\n"), 0o644))
	runProgram(ctx, t, as, initdb, "-D", filepath.Join(dir, "data"), "-U", "ca", "--auth=scram-sha-256", "--pwfile="+password)
	log := background(t, as, postgres, "-D", filepath.Join(dir, "data"), "-p", fmt.Sprint(port), "-k", dir, "-h", "127.0.0.1", "-c", "max_connections=400")
	awaitPort(ctx, t, port, log)
	return fmt.Sprintf("db: {type: postgres, datasource: host=127.0.0.1 port=%d user=ca password=of-a-test dbname=fabric_ca sslmode=disable}\n", port)
}

// TestPostgreSQL runs the life of identities, and many at once, on a PostgreSQL of this machine.
func TestPostgreSQL(t *testing.T) {
	ctx := limited(t)
	onDatabase(ctx, t, startPostgreSQL(ctx, t), atOnce)
}

// TestKilledPostgreSQL is TestKilled on a PostgreSQL of this machine.
func TestKilledPostgreSQL(t *testing.T) {
	ctx := limited(t)
	killWhileUsed(ctx, t, startPostgreSQL(ctx, t))
}

// TestMariaDB does the same on a MariaDB, with fewer at once: each locks the row of the one user, and InnoDB lets none wait longer than
// 50 seconds.
func TestMariaDB(t *testing.T) {
	server, err := exec.LookPath("mariadbd")
	if err != nil {
		server = "/usr/sbin/mariadbd"
	}
	install, err := exec.LookPath("mariadb-install-db")
	if _, statErr := os.Stat(server); err != nil || statErr != nil {
		t.Skip("MariaDB is not installed (Debian package mariadb-server)")
	}
	ctx := limited(t)
	as := another(t, "mysql", "nobody")
	dir, port := databaseFolder(t, as), freePort(t)
	runProgram(ctx, t, as, install, "--no-defaults", "--datadir="+filepath.Join(dir, "data"), "--auth-root-authentication-method=normal", "--skip-test-db")
	script := filepath.Join(dir, "init.sql")
	require.NoError(t, os.WriteFile(script, []byte("CREATE USER ca@'127.0.0.1' IDENTIFIED BY 'of-a-test';\nGRANT ALL ON *.* TO ca@'127.0.0.1';\n"), 0o644))
	log := background(t, as, server, "--no-defaults", "--datadir="+filepath.Join(dir, "data"), "--socket="+filepath.Join(dir, "socket"),
		"--port="+fmt.Sprint(port), "--bind-address=127.0.0.1", "--skip-name-resolve", "--init-file="+script, "--max-connections=400")
	awaitPort(ctx, t, port, log)
	onDatabase(ctx, t, fmt.Sprintf("db: {type: mysql, datasource: 'ca:of-a-test@tcp(127.0.0.1:%d)/fabric_ca?parseTime=true'}\n", port), atOnce/4)
}

func awaitPort(ctx context.Context, t *testing.T, port int, log *lockedBuffer) {
	t.Helper()
	require.Eventually(t, func() bool { return dials(ctx, port) }, limit/3, pause, "%s", log)
}

// onDatabase starts a CA on a database, uses it, and starts it again: the second finds what the first has stored.
func onDatabase(ctx context.Context, t *testing.T, db string, many int) {
	t.Helper()
	home := t.TempDir()
	s := startServer(ctx, t, home, settings{algo: "sm2", db: db})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	issued := enrollAtOnce(ctx, t, admin, many)
	requireSpentTokens(ctx, t, admin)
	user := newClient(t, s, "")
	user.enroll(ctx, t, "user", "pw", sm2Key...)
	requireExactNames(ctx, t, admin)
	s.stop()
	s = startServer(ctx, t, home, settings{algo: "sm2", db: db})
	admin.server, user.server = s, s
	user.run(ctx, t, append([]string{"reenroll", "-u", s.url}, sm2Key...)...)
	admin.run(ctx, t, "revoke", "-u", s.url, "-e", "user", "--gencrl")
	require.Len(t, readList(t, admin.path("msp", "crls", "crl.pem")).RevokedCertificateEntries, issued+2)
}

// requireExactNames: names that differ by case are two identities, with two passwords, and what is done to one is not done to the other.
func requireExactNames(ctx context.Context, t *testing.T, admin *client) {
	t.Helper()
	admin.register(ctx, t, "Name", "of-Name", "client")
	other := newClient(t, admin.server, "")
	text, err := other.try(ctx, append([]string{"enroll", "-u", other.with("NAME", "of-Name")}, sm2Key...)...)
	require.Error(t, err, text)
	admin.register(ctx, t, "NAME", "of-NAME", "client")
	text, err = other.try(ctx, append([]string{"enroll", "-u", other.with("NAME", "of-Name")}, sm2Key...)...)
	require.Error(t, err, text)
	other.enroll(ctx, t, "NAME", "of-NAME", sm2Key...)
	admin.run(ctx, t, "revoke", "-u", admin.server.url, "-e", "Name")
	other.enroll(ctx, t, "NAME", "of-NAME", sm2Key...)
	require.Equal(t, 2, issued(ctx, t, admin, "NAME"))
	require.Zero(t, issued(ctx, t, admin, "name"))
}
