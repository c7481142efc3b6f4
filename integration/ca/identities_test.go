// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"crypto/x509/pkix"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// TestTakenPlaces: a registrar does not take the place of an identity with more rights, by a new secret for it or by an affiliation that is
// named like a role. An identity without type and affiliation does not choose its role.
func TestTakenPlaces(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin, small := newClient(t, s, ""), newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.run(ctx, t, "register", "-u", s.url, "--id.name", "small", "--id.secret", "pw", "--id.type", "client", "--id.affiliation", ".",
		"--id.attrs", "hf.Registrar.Roles=client,hf.AffiliationMgr=true")
	admin.register(ctx, t, "user", "pw", "client")
	small.enroll(ctx, t, "small", "pw", sm2Key...)
	for _, change := range [][]string{{"--secret", "taken"}, {"--maxenrollments", "7"}} {
		out, err := small.try(ctx, append([]string{"identity", "modify", "admin", "-u", s.url}, change...)...)
		require.Error(t, err)
		require.Contains(t, out, "Authorization failure")
		small.run(ctx, t, append([]string{"identity", "modify", "user", "-u", s.url}, change...)...)
	}
	newClient(t, s, "").enroll(ctx, t, "admin", "adminpw", sm2Key...)
	newClient(t, s, "").enroll(ctx, t, "user", "taken", sm2Key...)
	admin.run(ctx, t, "revoke", "-u", s.url, "-e", "user")
	out, err := admin.try(ctx, "identity", "modify", "user", "-u", s.url, "--secret", "again")
	require.Error(t, err)
	require.Contains(t, out, "is revoked")

	for _, command := range [][]string{{"add", "org1.admin"}, {"add", "admin"}, {"modify", "org1.department1", "--name", "org1.peer"}} {
		out, err := small.try(ctx, append(append([]string{"affiliation"}, command...), "-u", s.url)...)
		require.Error(t, err)
		require.Contains(t, out, "which is a role")
	}
	small.run(ctx, t, "affiliation", "add", "org1.administration", "-u", s.url)
}

// TestNoType: an administrator whose configuration gives no type has the unit of clients, and not those of its request.
func TestNoType(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", identities: "    - {name: untyped, pass: pw, attrs: {hf.Registrar.Roles: '*'}}\n"})
	certs, err := enrollAs(ctx, s, "untyped", "pw", enrolment{Request: requestOf(t, pkix.Name{CommonName: "untyped", OrganizationalUnit: []string{"admin"}})})
	require.NoError(t, err)
	require.Equal(t, []string{"client"}, certs[0].Subject.OrganizationalUnit)
}

// TestValidityOfLists: a revocation list lasts 30 days where nothing else is configured, and so says the configuration that the first start
// writes. Nodes that check lists refuse all certificates of a CA whose list has ended.
func TestValidityOfLists(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.run(ctx, t, "gencrl", "-u", s.url)
	require.WithinDuration(t, time.Now().Add(30*24*time.Hour), readList(t, admin.path("msp", "crls", "crl.pem")).NextUpdate, time.Hour)

	home := t.TempDir()
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "fabric-ca-server"), "init", "-H", home, "-b", "admin:adminpw").CombinedOutput()
	require.NoError(t, err, "%s", out)
	var written struct{ CRL struct{ Expiry string } }
	require.NoError(t, yaml.Unmarshal(mustRead(t, filepath.Join(home, "fabric-ca-server-config.yaml")), &written))
	require.Equal(t, "720h", written.CRL.Expiry)
}
