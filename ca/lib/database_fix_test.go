// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/certdb"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric-ca/lib/metadata"
	"github.com/hyperledger/fabric-ca/lib/server/certificaterequest"
	"github.com/hyperledger/fabric-ca/lib/server/db"
	identity "github.com/hyperledger/fabric-ca/lib/server/user"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// startLimit bounds the start of a database.
const startLimit = time.Minute

// databaseUser is an unprivileged user of this machine, by which a database runs, and its folder. Databases refuse to run as root.
func databaseUser(t *testing.T, name string) (*syscall.SysProcAttr, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ca-db") //nolint:usetesting // the database's user may not enter the folders above t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Getuid() != 0 {
		return nil, dir
	}
	as, err := user.Lookup(name)
	if err != nil {
		t.Skipf("there is no user %s to run a database", name)
	}
	uid, err := strconv.ParseUint(as.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(as.Gid, 10, 32)
	require.NoError(t, err)
	if err = os.Chown(dir, int(uid), int(gid)); errors.Is(err, syscall.EINVAL) {
		t.Skipf("this user namespace has no user %s to run a database; make test-ca runs this test outside of one", name)
	}
	require.NoError(t, err)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, dir
}

// runAs runs a program to its end.
func runAs(t *testing.T, as *syscall.SysProcAttr, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = as
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

// serveOn runs a database until the end of the test, and waits until it listens.
func serveOn(t *testing.T, as *syscall.SysProcAttr, port int, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = as
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) // PostgreSQL would wait for connections that a fault leaves open
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, startLimit, 50*time.Millisecond)
}

func freeDatabasePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startPostgreSQL runs a PostgreSQL whose time zone is not UTC.
func startPostgreSQL(t *testing.T) CAConfigDB {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed (Debian package postgresql)")
	}
	as, dir := databaseUser(t, "postgres")
	bin, port := found[len(found)-1], freeDatabasePort(t)
	runAs(t, as, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "ca", "--auth=trust", "--no-sync")
	serveOn(t, as, port, filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port), "-k", dir, "-h", "127.0.0.1", "-c", "timezone=Asia/Shanghai")
	section := CAConfigDB{Type: "postgres", Datasource: fmt.Sprintf("host=127.0.0.1 port=%d user=ca dbname=fabric_ca sslmode=disable", port)}
	require.Eventually(t, func() bool { // it listens before it answers
		opened, err := sqlx.Connect("postgres", section.Datasource+" dbname=postgres")
		if err == nil {
			opened.Close()
		}
		return err == nil
	}, startLimit, 50*time.Millisecond)
	return section
}

// startMariaDB runs a MariaDB whose time zone is not UTC.
func startMariaDB(t *testing.T) CAConfigDB {
	t.Helper()
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		t.Skip("MariaDB is not installed (Debian package mariadb-server)")
	}
	as, dir := databaseUser(t, "mysql")
	data, script, port := filepath.Join(dir, "data"), filepath.Join(dir, "init.sql"), freeDatabasePort(t)
	runAs(t, as, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	require.NoError(t, os.WriteFile(script, []byte("CREATE USER ca@'127.0.0.1' IDENTIFIED BY 'of-a-test';\nGRANT ALL ON *.* TO ca@'127.0.0.1';\n"), 0o644))
	serveOn(t, as, port, "/usr/sbin/mariadbd", "--no-defaults", "--datadir="+data, "--socket="+filepath.Join(dir, "socket"), "--port="+strconv.Itoa(port),
		"--bind-address=127.0.0.1", "--skip-name-resolve", "--init-file="+script, "--default-time-zone=+08:00")
	return CAConfigDB{Type: "mysql", Datasource: fmt.Sprintf("ca:of-a-test@tcp(127.0.0.1:%d)/fabric_ca?parseTime=true", port)}
}

// onDatabases runs a test with a CA on a new database of each kind.
func onDatabases(t *testing.T, test func(t *testing.T, ca *CA)) {
	for name, start := range map[string]func(*testing.T) CAConfigDB{
		"SQLite":     func(t *testing.T) CAConfigDB { return CAConfigDB{Datasource: filepath.Join(t.TempDir(), "ca.db")} },
		"PostgreSQL": startPostgreSQL,
		"MariaDB":    startMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			ca := newDatabaseCA(t, start(t))
			require.NoError(t, ca.initDB(nil))
			test(t, ca)
		})
	}
}

// newDatabaseCA is a CA that has no more than a database.
func newDatabaseCA(t *testing.T, section CAConfigDB) *CA {
	t.Helper()
	levels, err := metadata.GetLevels(metadata.GetVersion())
	require.NoError(t, err)
	ca := &CA{HomeDir: t.TempDir(), Config: &CAConfig{DB: section}, levels: levels, server: &Server{levels: levels}}
	t.Cleanup(func() { _ = ca.closeDB() })
	return ca
}

// names reads names from rows that have one as the column given.
func names[T any](t *testing.T, rows *sqlx.Rows, err error, name func(T) string) (found []string) {
	t.Helper()
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var row T
		require.NoError(t, rows.StructScan(&row))
		found = append(found, name(row))
	}
	require.NoError(t, rows.Err())
	return found
}

func nameOfAffiliation(a db.AffiliationRecord) string { return a.Name }
func nameOfUser(u identity.Record) string             { return u.Name }

func affiliationsOf(result *identity.DbTxResult) (found []string) {
	for _, affiliation := range result.Affiliations {
		found = append(found, affiliation.GetName())
	}
	return found
}

// certifyIn puts a certificate of an identity into the database.
func certifyIn(t *testing.T, ca *CA, authority *gmtlstest.CA, id string) (serial, aki string) {
	t.Helper()
	leaf := authority.Issue(t, pkix.Name{CommonName: id})
	aki = fmt.Sprintf("%x", leaf.Cert.AuthorityKeyId)
	require.NoError(t, ca.certDBAccessor.InsertCertificate(certdb.CertificateRecord{Serial: leaf.Cert.SerialNumber.String(), AKI: aki, Status: Good,
		Expiry: leaf.Cert.NotAfter, PEM: string(leaf.CertPEM)}))
	records, err := ca.certDBAccessor.GetCertificatesByID(id)
	require.NoError(t, err)
	return records[len(records)-1].Serial, records[len(records)-1].AKI
}

// TestNamesAreNoPatterns: what is done to an affiliation, or asked of it, is about the affiliations below it, and not about those that its
// name would match as a pattern, or in another case.
func TestNamesAreNoPatterns(t *testing.T) {
	onDatabases(t, func(t *testing.T, ca *CA) {
		registry, authority := ca.registry, gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "authority")
		for _, name := range []string{"a_b", "a_b.c", "axb", "axb.c", "A_B", "A_B.c", "a%", "a%.c", "a!", "a!.c"} {
			require.NoError(t, registry.InsertAffiliation(name, "", 1))
			require.NoError(t, registry.InsertUser(&identity.Info{Name: "of " + name, Affiliation: name, Type: "client"}))
			certifyIn(t, ca, authority, "of "+name)
		}
		rows, err := registry.GetAllAffiliations("a_b")
		require.ElementsMatch(t, []string{"a_b", "a_b.c"}, names(t, rows, err, nameOfAffiliation))
		rows, err = registry.GetAllAffiliations("a!")
		require.ElementsMatch(t, []string{"a!", "a!.c"}, names(t, rows, err, nameOfAffiliation))
		tree, err := registry.GetAffiliationTree("a_b")
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"a_b", "a_b.c"}, affiliationsOf(tree))
		for _, types := range []string{"*", "client,peer"} {
			rows, err = registry.GetFilteredUsers("a_b", types)
			require.ElementsMatch(t, []string{"of a_b", "of a_b.c"}, names(t, rows, err, nameOfUser))
		}
		rows, err = ca.certDBAccessor.GetCertificates(&certificaterequest.Impl{}, "a_b")
		require.Len(t, names(t, rows, err, func(c certdb.CertificateRecord) string { return c.PEM }), 2)

		renamed, err := registry.ModifyAffiliation("a_b", "b_b", true, true)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"b_b", "b_b.c"}, affiliationsOf(renamed))
		deleted, err := registry.DeleteAffiliation("a%", true, true, true)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"a%", "a%.c"}, affiliationsOf(deleted))
		rows, err = registry.GetAllAffiliations("")
		require.ElementsMatch(t, []string{"b_b", "b_b.c", "axb", "axb.c", "A_B", "A_B.c", "a!", "a!.c"}, names(t, rows, err, nameOfAffiliation))
		rows, err = registry.GetFilteredUsers("", "*")
		require.Len(t, names(t, rows, err, nameOfUser), 8)
		revoked, err := ca.certDBAccessor.GetRevokedCertificates(time.Time{}, time.Time{}, time.Time{}, time.Time{})
		require.NoError(t, err)
		require.Len(t, revoked, 2)
	})
}

// TestTimesOfRevocations: a revocation has the present time, in whatever time zone the database is, and by whatever it is revoked.
func TestTimesOfRevocations(t *testing.T) {
	onDatabases(t, func(t *testing.T, ca *CA) {
		authority := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "authority")
		require.NoError(t, ca.registry.InsertAffiliation("org1", "", 1))
		for _, id := range []string{"by serial", "by name", "deleted", "with its affiliation"} {
			require.NoError(t, ca.registry.InsertUser(&identity.Info{Name: id, Affiliation: map[bool]string{true: "org1"}[id == "with its affiliation"]}))
		}
		serial, aki := certifyIn(t, ca, authority, "by serial")
		require.NoError(t, ca.certDBAccessor.RevokeCertificate(serial, aki, 0))
		require.ErrorContains(t, ca.certDBAccessor.RevokeCertificate("1", aki, 0), "no certificate with the serial number 1")
		certifyIn(t, ca, authority, "by name")
		_, err := ca.certDBAccessor.RevokeCertificatesByID("by name", 0)
		require.NoError(t, err)
		certifyIn(t, ca, authority, "deleted")
		_, err = ca.registry.DeleteUser("deleted")
		require.NoError(t, err)
		certifyIn(t, ca, authority, "with its affiliation")
		_, err = ca.registry.DeleteAffiliation("org1", true, true, true)
		require.NoError(t, err)

		revoked, err := ca.certDBAccessor.GetRevokedCertificates(time.Time{}, time.Time{}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		require.NoError(t, err)
		require.Len(t, revoked, 4)
		for _, record := range revoked {
			require.WithinDuration(t, time.Now(), record.RevokedAt, 10*time.Minute)
		}
	})
}

// TestConnectionsOfFailedStarts: a database that cannot be initialised keeps no connections of the attempts, and one that could be keeps
// those of its pool alone.
func TestConnectionsOfFailedStarts(t *testing.T) {
	section := startPostgreSQL(t)
	maintenance, err := sqlx.Open("postgres", section.Datasource+" dbname=postgres")
	require.NoError(t, err)
	defer maintenance.Close()
	maintenance.SetMaxOpenConns(1)
	open := func(where string) (count int) {
		require.NoError(t, maintenance.Get(&count, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"+where))
		return count
	}
	_, err = maintenance.Exec("CREATE DATABASE fabric_ca")
	require.NoError(t, err)
	inside, err := sqlx.Open("postgres", section.Datasource)
	require.NoError(t, err)
	defer inside.Close()
	ca := newDatabaseCA(t, section)
	ca.Config.Affiliations = map[string]any{"org1": nil}
	for _, fault := range []string{"affiliations", "properties"} { // found after and while the tables are made
		_, err = inside.Exec("DROP TABLE IF EXISTS " + fault + "; CREATE TABLE " + fault + " (wrong INTEGER)")
		require.NoError(t, err)
		for range 10 {
			require.Error(t, ca.initDB(nil))
		}
		require.Eventually(t, func() bool { return open("") <= 4 }, 10*time.Second, 50*time.Millisecond, "%d connections after 10 attempts", open(""))
		_, err = inside.Exec("DROP TABLE " + fault)
		require.NoError(t, err)
	}
	require.NoError(t, ca.initDB(nil))
	require.Eventually(t, func() bool { return open(" AND datname = 'postgres'") == 0 }, 10*time.Second, 50*time.Millisecond, "the first connection stays open")
	_, err = ca.registry.GetAffiliation("org1")
	require.NoError(t, err)
}
