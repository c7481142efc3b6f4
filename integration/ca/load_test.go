// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// enrollAs sends one enrolment; nil if a certificate was issued.
func enrollAs(ctx context.Context, s *server, id, secret, request string) error {
	body, err := json.Marshal(enrolment{Request: request})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/enroll", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(id, secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Success bool
		Errors  []any
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated || !answer.Success {
		return fmt.Errorf("status %d: %v", resp.StatusCode, answer.Errors)
	}
	return nil
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
		if number, ok := strings.CutPrefix(strings.TrimSpace(line), "Serial Number:"); ok {
			require.False(t, found[number], "serial number %s twice", number)
			found[number] = true
		}
	}
	return found
}

// enrollAtOnce enrols an id many times at the same moment: every answer is a certificate of its own, and on record.
func enrollAtOnce(ctx context.Context, t *testing.T, admin *client, many int) {
	t.Helper()
	requests := make([]string, many)
	for i := range requests {
		requests[i] = sm2Request(t, "user")
	}
	errs := make(chan error, many)
	var all sync.WaitGroup
	for _, request := range requests {
		all.Go(func() { errs <- enrollAs(ctx, admin.server, "user", "pw", request) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err, "%s", admin.server.errors())
	}
	require.Len(t, serials(ctx, t, admin, "user"), many)
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

// TestKilled kills the server again and again while clients register and enrol. What was answered is on record afterwards: no serial
// number and no registration is lost, and the database opens.
func TestKilled(t *testing.T) {
	ctx := limited(t)
	home := t.TempDir()
	s := startServer(ctx, t, home, settings{algo: "sm2"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	var enrolled atomic.Int64
	registered := 0
	for round := range 4 {
		var all sync.WaitGroup
		started := make(chan struct{}, 8)
		for range 4 {
			all.Go(func() {
				for {
					if enrollAs(ctx, s, "user", "pw", sm2Request(t, "user")) != nil {
						return // killed
					}
					enrolled.Add(1)
					select {
					case started <- struct{}{}:
					default:
					}
				}
			})
		}
		// The kill falls into running enrolments, and behind a registration that was answered.
		admin.register(ctx, t, fmt.Sprintf("made-%d", round), "pw", "client")
		registered++
		for range 4 {
			<-started
		}
		require.NoError(t, s.cmd.Process.Signal(syscall.SIGKILL))
		_ = s.cmd.Wait()
		all.Wait()
		s = startServer(ctx, t, home, settings{algo: "sm2"})
		admin.server = s
	}
	require.GreaterOrEqual(t, len(serials(ctx, t, admin, "user")), int(enrolled.Load()), "certificates that were issued are lost")
	list := admin.run(ctx, t, "identity", "list", "-u", s.url)
	require.Equal(t, registered, strings.Count(list, "Name: made-"))
	user := newClient(t, s, "")
	user.enroll(ctx, t, fmt.Sprintf("made-%d", registered-1), "pw", sm2Key...)
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

// TestPostgreSQL runs the life of identities, and many at once, on a PostgreSQL of this machine.
func TestPostgreSQL(t *testing.T) {
	initdb, postgres := newest(t, "initdb"), newest(t, "postgres")
	ctx := limited(t)
	as := another(t, "postgres", "nobody")
	dir, port := databaseFolder(t, as), freePort(t)
	password := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte("of-a-test\n"), 0o644))
	runProgram(ctx, t, as, initdb, "-D", filepath.Join(dir, "data"), "-U", "ca", "--auth=scram-sha-256", "--pwfile="+password)
	log := background(t, as, postgres, "-D", filepath.Join(dir, "data"), "-p", fmt.Sprint(port), "-k", dir, "-h", "127.0.0.1", "-c", "max_connections=400")
	awaitPort(ctx, t, port, log)
	onDatabase(ctx, t, fmt.Sprintf("db: {type: postgres, datasource: host=127.0.0.1 port=%d user=ca password=of-a-test dbname=fabric_ca sslmode=disable}\n", port), atOnce)
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
	enrollAtOnce(ctx, t, admin, many)
	user := newClient(t, s, "")
	user.enroll(ctx, t, "user", "pw", sm2Key...)
	s.stop()
	s = startServer(ctx, t, home, settings{algo: "sm2", db: db})
	admin.server, user.server = s, s
	user.run(ctx, t, append([]string{"reenroll", "-u", s.url}, sm2Key...)...)
	admin.run(ctx, t, "revoke", "-u", s.url, "-e", "user", "--gencrl")
	require.Len(t, readList(t, admin.path("msp", "crls", "crl.pem")).RevokedCertificateEntries, many+2)
}
