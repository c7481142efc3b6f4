// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLDAP: the identities of an SM2 CA are those of a directory. They enrol by its passwords, for identities and pairs, renew and are revoked;
// nobody is registered.
func TestLDAP(t *testing.T) {
	const slapd = "/usr/sbin/slapd"
	if _, err := os.Stat(slapd); err != nil {
		t.Skip("OpenLDAP is not installed (Debian package slapd)")
	}
	ctx := limited(t)
	dir, port := t.TempDir(), freePort(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	config := filepath.Join(dir, "slapd.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
database mdb
suffix "dc=example,dc=com"
rootdn "cn=manager,dc=example,dc=com"
rootpw of-a-test
directory %[1]s/data
access to attrs=userPassword by anonymous auth by * none
access to * by * read
`, dir), 0o600))
	entries := filepath.Join(dir, "entries.ldif")
	require.NoError(t, os.WriteFile(entries, []byte(`dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: uid=zhang,dc=example,dc=com
objectClass: inetOrgPerson
uid: zhang
cn: Zhang
sn: Zhang
userPassword: of-zhang
`), 0o600))
	out, err := exec.CommandContext(ctx, "/usr/sbin/slapadd", "-f", config, "-l", entries).CombinedOutput()
	require.NoError(t, err, "%s", out)
	log := background(t, nil, slapd, "-f", config, "-h", fmt.Sprintf("ldap://127.0.0.1:%d", port), "-d", "0")
	awaitPort(ctx, t, port, log)

	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm", more: fmt.Sprintf(
		"ldap: {enabled: true, url: \"ldap://cn=manager,dc=example,dc=com:of-a-test@127.0.0.1:%d/dc=example,dc=com\", attribute: {names: [uid]}}\n", port)})
	user := newClient(t, s, "gm")
	user.enroll(ctx, t, "zhang", "of-zhang", sm2Key...)
	requireOpenSSL(ctx, t, filepath.Join(s.home, "ca-cert.pem"), user.path("msp", "signcerts", "cert.pem"))
	user.enroll(ctx, t, "zhang", "of-zhang", "--enrollment.profile", "tlcp", "--csr.hosts", "peer0.org1")
	requirePair(ctx, t, s, user.path("tls"))
	user.run(ctx, t, append([]string{"reenroll", "-u", s.url}, sm2Key...)...)
	text, err := newClient(t, s, "gm").try(ctx, append([]string{"enroll", "-u", user.with("zhang", "wrong")}, sm2Key...)...)
	require.Error(t, err)
	require.Contains(t, text, "Authentication failure")
	text, err = user.try(ctx, "register", "-u", s.url, "--id.name", "made", "--id.type", "client")
	require.Error(t, err, text)

	// Its certificates are revoked by its name; its password is a matter of the directory.
	text = user.run(ctx, t, "revoke", "-u", s.url, "-e", "zhang", "--gencrl")
	require.Contains(t, text, "Successfully revoked certificates")
	require.Len(t, readList(t, user.path("msp", "crls", "crl.pem")).RevokedCertificateEntries, 4)
	require.Contains(t, s.log.String(), "until it is locked or removed in the directory")
	text, err = user.try(ctx, append([]string{"reenroll", "-u", s.url}, sm2Key...)...)
	require.Error(t, err, text)
	newClient(t, s, "gm").enroll(ctx, t, "zhang", "of-zhang", sm2Key...)
}
