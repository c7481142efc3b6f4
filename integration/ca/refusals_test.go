// SPDX-License-Identifier: Apache-2.0

//go:build integration

package ca

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// TestWrongRegistrations: registrars act within their affiliation and roles; others register nobody.
func TestWrongRegistrations(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm"})
	admin, small, user := newClient(t, s, "gm"), newClient(t, s, "gm"), newClient(t, s, "gm")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "small", "pw", "client", "--id.attrs", "hf.Registrar.Roles=peer")
	small.enroll(ctx, t, "small", "pw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	user.enroll(ctx, t, "user", "pw", sm2Key...)
	for name, test := range map[string]struct {
		who  *client
		args []string
		want string
	}{
		"an affiliation that is none":       {admin, []string{"--id.type", "peer", "--id.affiliation", "org7"}, "Authorization failure"},
		"the affiliation above its own":     {small, []string{"--id.type", "peer", "--id.affiliation", "org1"}, "Authorization failure"},
		"a role that it may not give":       {small, []string{"--id.type", "orderer", "--id.affiliation", "org1.department1"}, "Authorization failure"},
		"an attribute that it may not give": {small, []string{"--id.type", "peer", "--id.affiliation", "org1.department1", "--id.attrs", "hf.Revoker=true"}, "Authorization failure"},
		"no registrar":                      {user, []string{"--id.type", "peer", "--id.affiliation", "org1.department1"}, "Authorization failure"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := test.who.try(ctx, append([]string{"register", "-u", s.url, "--id.name", "made", "--id.secret", "pw"}, test.args...)...)
			require.Error(t, err)
			require.Contains(t, out, test.want)
			require.NotContains(t, admin.run(ctx, t, "identity", "list", "-u", s.url), "Name: made")
		})
	}
	small.register(ctx, t, "made", "pw", "peer")
}

// TestAnothersPublicKey: a request for the key of somebody else, which the sender cannot sign, gets no certificate.
func TestAnothersPublicKey(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin, user := newClient(t, s, ""), newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client")
	theirs, err := x509.MarshalPKIXPublicKey(readCertificate(t, admin.path("msp", "signcerts", "cert.pem")).PublicKey)
	require.NoError(t, err)
	// The keys have one length: that of the request gives way to the other in place.
	block, _ := pem.Decode([]byte(sm2Request(t, "user")))
	req, err := x509.ParseCertificateRequest(block.Bytes)
	require.NoError(t, err)
	der := []byte(string(block.Bytes))
	at := indexOf(der, req.RawSubjectPublicKeyInfo)
	require.GreaterOrEqual(t, at, 0)
	require.Equal(t, len(theirs), len(req.RawSubjectPublicKeyInfo))
	copy(der[at:], theirs)
	stolen := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	for _, body := range []enrolment{{Request: stolen}, {Request: stolen, Profile: "tlcp", EncryptionRequest: sm2Request(t, "user")},
		{Request: sm2Request(t, "user"), Profile: "tlcp", EncryptionRequest: stolen}} {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		status, answer := post(ctx, t, s, "enroll", text, func(r *http.Request) { r.SetBasicAuth("user", "pw") })
		require.GreaterOrEqual(t, status, 400, answer)
	}
	require.Zero(t, issued(ctx, t, admin, "user"))
	user.enroll(ctx, t, "user", "pw", sm2Key...)
}

func indexOf(in, part []byte) int {
	for i := range len(in) - len(part) + 1 {
		if string(in[i:i+len(part)]) == string(part) {
			return i
		}
	}
	return -1
}

// TestReplayedAndForgedTokens: a token of another CA's identity, and one whose certificate was changed, are refused.
func TestReplayedAndForgedTokens(t *testing.T) {
	ctx := limited(t)
	s, foreign := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"}), startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin, stranger := newClient(t, s, ""), newClient(t, foreign, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	stranger.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	stranger.server = s
	out, err := stranger.try(ctx, "register", "-u", s.url, "--id.name", "made", "--id.type", "client", "--id.affiliation", "org1")
	require.Error(t, err, "the administrator of another CA: %s", out)
	for name, token := range map[string]string{
		"no parts":           "x",
		"no certificate":     base64.StdEncoding.EncodeToString([]byte("x")) + ".eA==",
		"a certificate only": base64.StdEncoding.EncodeToString(mustRead(t, admin.path("msp", "signcerts", "cert.pem"))) + ".",
	} {
		t.Run(name, func(t *testing.T) {
			status, text := post(ctx, t, s, "register", []byte(`{"id":"made","type":"client","affiliation":"org1"}`), func(r *http.Request) { r.Header.Set("Authorization", token) })
			require.Equal(t, http.StatusUnauthorized, status, text)
		})
	}
	require.NotContains(t, admin.run(ctx, t, "identity", "list", "-u", s.url), "Name: made")
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

// TestExpiredCA: a CA whose certificate has ended issues nothing, and one that ends soon issues nothing that outlives it.
func TestExpiredCA(t *testing.T) {
	ctx := limited(t)
	home := t.TempDir()
	soon := settings{algo: "sm2", caExpiry: "2h"}
	s := startServer(ctx, t, home, soon)
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	ca := readCertificate(t, filepath.Join(home, "ca-cert.pem"))
	require.False(t, readCertificate(t, admin.path("msp", "signcerts", "cert.pem")).NotAfter.After(ca.NotAfter))

	// cfssl dates certificates back by five minutes.
	ended := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", caExpiry: "1m"})
	for _, body := range []enrolment{{Request: sm2Request(t, "admin")}, {Request: sm2Request(t, "admin"), Profile: "tlcp", EncryptionRequest: sm2Request(t, "admin")}} {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		status, answer := post(ctx, t, ended, "enroll", text, func(r *http.Request) { r.SetBasicAuth("admin", "adminpw") })
		require.GreaterOrEqual(t, status, 400, answer)
		require.Contains(t, answer, "the certificate of the CA ca ended at")
	}
}

// attributesOID is the extension that holds an identity's attributes.
const attributesOID = "1.2.3.4.5.6.7.8.1"

// TestChosenByClient: what the CA decides is no client's choice: extensions, attributes among them, addresses of revocation lists, a
// certificate that is on no record, and the units of the organisation, which give an identity its role.
func TestChosenByClient(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"})
	admin := newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "user", "pw", "client", "--id.attrs", "role=clerk:ecert")
	forged := hex.EncodeToString([]byte(`{"attrs":{"role":"director"}}`))
	send := func(profile string, more map[string]any) (int, string) {
		body := map[string]any{"certificate_request": sm2Request(t, "user"), "attr_reqs": []any{}}
		if profile != "" {
			body["profile"], body["encryption_request"] = profile, sm2Request(t, "user")
		}
		maps.Copy(body, more)
		text, err := json.Marshal(body)
		require.NoError(t, err)
		return post(ctx, t, s, "enroll", text, func(r *http.Request) { r.SetBasicAuth("user", "pw") })
	}
	for field, value := range map[string]any{
		"extensions":    []any{map[string]any{"id": attributesOID, "critical": false, "value": forged}},
		"crl_override":  "http://127.0.0.1:1/",
		"ReturnPrecert": true,
	} {
		for _, profile := range []string{"", "tlcp"} {
			status, answer := send(profile, map[string]any{field: value})
			require.Equal(t, http.StatusBadRequest, status, answer)
			require.Contains(t, answer, "may not have the field "+field)
		}
	}
	require.Zero(t, issued(ctx, t, admin, "user"))

	certs, err := enrollAs(ctx, s, "user", "pw", enrolment{Request: requestOf(t, pkix.Name{CommonName: "user", OrganizationalUnit: []string{"admin"}})})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"client", "org1", "department1"}, certs[0].Subject.OrganizationalUnit)
	require.Contains(t, string(certs[0].Raw), `"role":"clerk"`)
	status, answer := send("", map[string]any{"subject": map[string]any{"CN": "user", "names": []any{map[string]any{"OU": "admin"}}}})
	require.Equal(t, http.StatusCreated, status, answer)
	for _, cert := range certificatesOn(ctx, t, admin, "user") {
		require.NotContains(t, cert.Subject.OrganizationalUnit, "admin")
	}
}

func requestOf(t *testing.T, subject pkix.Name) string {
	t.Helper()
	return requestBy(t, x509.CertificateRequest{Subject: subject})
}

// requestBy is the request of a new SM2 key by a template.
func requestBy(t *testing.T, template x509.CertificateRequest) string {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// numberedSubject is a subject, in DER, with an attribute that is a number.
func numberedSubject(t *testing.T, name string) []byte {
	t.Helper()
	der, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: name}}, {{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: 7}},
	})
	require.NoError(t, err)
	return der
}

// certificatesOn are the certificates of an id that are on the CA's record.
func certificatesOn(ctx context.Context, t *testing.T, admin *client, id string) (certs []*x509.Certificate) {
	t.Helper()
	dir := t.TempDir()
	admin.run(ctx, t, "certificate", "list", "-u", admin.server.url, "--id", id, "--store", dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		certs = append(certs, readCertificate(t, file))
	}
	return certs
}

// TestWrongProfiles: a CA whose configured profiles make no pair that TLCP peers accept gives none, nor one whose second certificate is refused.
// What was issued of the pair is then revoked.
func TestWrongProfiles(t *testing.T) {
	ctx := limited(t)
	for profile, want := range map[string]struct {
		status, revoked int
		answer          string
	}{
		"tlcp: {usage: [key encipherment, server auth], expiry: 8760h}":            {http.StatusInternalServerError, 2, "issue no pair that TLCP peers accept"},
		"tlcp-encryption: {usage: [server auth], expiry: 8760h}":                   {http.StatusInternalServerError, 2, "issue no pair that TLCP peers accept"},
		"tlcp-encryption: {usage: [key encipherment], caconstraint: {isca: true}}": {http.StatusForbidden, 1, "Authorization failure"},
	} {
		s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", profiles: profile})
		admin := newClient(t, s, "")
		admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
		admin.register(ctx, t, "user", "pw", "client")
		body, err := json.Marshal(pairRequest(t, "user", false))
		require.NoError(t, err)
		status, answer := post(ctx, t, s, "enroll", body, func(r *http.Request) { r.SetBasicAuth("user", "pw") })
		require.Equal(t, want.status, status, answer)
		require.Contains(t, answer, want.answer)
		require.Equal(t, want.revoked, issued(ctx, t, admin, "user"))
		admin.run(ctx, t, "gencrl", "-u", s.url)
		require.Len(t, readList(t, admin.path("msp", "crls", "crl.pem")).RevokedCertificateEntries, want.revoked, profile)
		require.Equal(t, want.revoked, strings.Count(s.log.String(), "Revoked the certificate"), "%s", s.log)
	}
}

// TestEncryptionMustNotSign: a profile whose encryption certificates could sign stops the server, by the name of the setting.
func TestEncryptionMustNotSign(t *testing.T) {
	ctx := limited(t)
	for _, usage := range []string{"digital signature", "signing", "content commitment", "cert sign", "crl sign"} {
		out := refusedStart(ctx, t, settings{algo: "sm2", profiles: fmt.Sprintf("tlcp-encryption: {usage: [key encipherment, %s], expiry: 8760h}", usage)})
		require.Contains(t, out, fmt.Sprintf("signing.profiles.tlcp-encryption.usage has %q: an encryption certificate must not sign", usage))
	}
}

// TestValidityOfPairs: profiles that set the validity alone issue pairs, with the usages of pairs, also that of the listener.
func TestValidityOfPairs(t *testing.T) {
	ctx := limited(t)
	home := t.TempDir()
	s := startServer(ctx, t, home, settings{algo: "sm2", mode: "gm", profiles: "tlcp: {expiry: 4380h}, tlcp-encryption: {expiry: 4380h}"})
	admin := newClient(t, s, "gm")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	admin.register(ctx, t, "node", "pw", "peer")
	node := newClient(t, s, "gm")
	node.enroll(ctx, t, "node", "pw", "--enrollment.profile", "tlcp", "--csr.hosts", "node.example.com")
	for _, file := range []string{node.path("tls", "server-sign.crt"), filepath.Join(home, "tlcp-sign.crt")} {
		cert := readCertificate(t, file)
		require.Equal(t, x509.KeyUsageDigitalSignature, cert.KeyUsage)
		require.WithinDuration(t, time.Now().Add(4380*time.Hour), cert.NotAfter, time.Hour)
	}

	// A pair that peers would refuse is not written, so that the next start makes another.
	home = t.TempDir()
	out := refusedIn(ctx, t, home, settings{algo: "sm2", profiles: "tlcp: {usage: [key encipherment]}", more: "tls: {enabled: true, mode: gm}\n"})
	require.Contains(t, out, "signing.profiles: tlcp and tlcp-encryption make no pair that TLCP peers accept")
	require.NoFileExists(t, filepath.Join(home, "tlcp-sign.crt"))
}

// TestWrongModes: what is not a mode, and a mode that would go without protection, stops server and client, by the name of the setting. A client
// that has no SM2 root does not take the roots of the system instead.
func TestWrongModes(t *testing.T) {
	ctx := limited(t)
	for more, want := range map[string]string{
		"tls: {enabled: true, mode: GM}":    "tls.mode",
		"tls: {enabled: false, mode: gm}":   "tls.enabled is false",
		"tls: {enabled: false, mode: dual}": "tls.enabled is false",
		"tls: {enabled: true, modes: gm}":   "has the key tls.modes, which does not exist: write tls.mode",
	} {
		require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", more: more + "\n"}), want)
	}
	require.Contains(t, refusedStart(ctx, t, settings{algo: "sm2", operationsMore: ", operators: ['00']"}), "operations.operators")
	home := t.TempDir()
	gmtlstest.WriteFile(t, home, "two.yaml", []byte("ca: {name: two}\ntlcp: {recover: none}\n"))
	require.Contains(t, refusedIn(ctx, t, home, settings{algo: "sm2", more: "cafiles: [two.yaml]\n"}), "two.yaml has the key tlcp.recover, which does not exist: write tlcp.recovery")
	plain, gm := startServer(ctx, t, t.TempDir(), settings{algo: "sm2"}), startServer(ctx, t, t.TempDir(), settings{algo: "sm2", mode: "gm"})
	standard := gmtlstest.WriteFile(t, t.TempDir(), "root.crt", gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "standard").CertPEM)
	misspelt := gmtlstest.WriteFile(t, t.TempDir(), "fabric-ca-client-config.yaml", []byte("tls: {modes: gm}\n"))
	for _, test := range []struct {
		server *server
		flags  []string
		want   string
	}{
		{plain, []string{"--tls.mode", "gm", "--tls.certfiles", filepath.Join(gm.home, "ca-cert.pem")}, "requests would go without protection"},
		{gm, []string{"--tls.mode", "GM", "--tls.certfiles", filepath.Join(gm.home, "ca-cert.pem")}, "tls.mode"},
		{gm, []string{"--tls.mode", "gm", "--tls.certfiles", standard}, "no SM2 certificate of an authority"},
		{gm, []string{"--config", misspelt}, "has the key tls.modes, which does not exist: write tls.mode"},
		{gm, []string{"--tls.mode", "gm"}, "no SM2 certificate of an authority"},
		{gm, []string{"--tls.mode", "gm", "--tls.certfiles", filepath.Join(plain.home, "ca-cert.pem")}, "certificate"},
	} {
		c := newClient(t, test.server, "")
		c.flags = test.flags
		out, err := c.try(ctx, append([]string{"enroll", "-u", c.with("admin", "adminpw")}, sm2Key...)...)
		require.Error(t, err)
		require.Contains(t, out, test.want)
		require.NoFileExists(t, c.path("msp", "signcerts", "cert.pem"))
	}
}

// TestExpiredIdentity: a certificate that has ended authenticates nobody.
func TestExpiredIdentity(t *testing.T) {
	ctx := limited(t)
	s := startServer(ctx, t, t.TempDir(), settings{algo: "sm2", profiles: "ended: {usage: [digital signature], expiry: -1m}"})
	admin, ended := newClient(t, s, ""), newClient(t, s, "")
	admin.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	ended.enroll(ctx, t, "admin", "adminpw", append(sm2Key, "--enrollment.profile", "ended")...)
	require.True(t, time.Now().After(readCertificate(t, ended.path("msp", "signcerts", "cert.pem")).NotAfter))
	for _, command := range [][]string{append([]string{"reenroll"}, sm2Key...), {"register", "--id.name", "made", "--id.type", "client", "--id.affiliation", "org1"}} {
		out, err := ended.try(ctx, append(command, "-u", s.url)...)
		require.Error(t, err)
		require.Contains(t, out, "Authentication failure")
	}
	require.NotContains(t, admin.run(ctx, t, "identity", "list", "-u", s.url), "Name: made")
}

// TestTwoAuthorities: one server has an SM2 and an ECDSA CA. Each certifies keys of its family, knows its own identities alone, and takes
// no token that was made for the other.
func TestTwoAuthorities(t *testing.T) {
	ctx := limited(t)
	home := t.TempDir()
	second := filepath.Join(home, "second")
	require.NoError(t, os.Mkdir(second, 0o700))
	gmtlstest.WriteFile(t, second, "fabric-ca-server-config.yaml", []byte(
		strings.NewReplacer("name: ca}", "name: second}", "cn: ca,", "cn: second,").Replace(settings{algo: "ecdsa"}.config(0, 0))))
	s := startServer(ctx, t, home, settings{algo: "sm2", more: "cafiles: [second/fabric-ca-server-config.yaml]\n"})
	gm, standard := newClient(t, s, ""), newClient(t, s, "")
	gm.flags, standard.flags = []string{"--caname", "ca"}, []string{"--caname", "second"}
	ecdsaKey := []string{"--csr.keyrequest.algo", "ecdsa", "--csr.keyrequest.size", "256"}
	gm.enroll(ctx, t, "admin", "adminpw", sm2Key...)
	standard.enroll(ctx, t, "admin", "adminpw", ecdsaKey...)
	for _, test := range []struct {
		who  *client
		root string
		sm2  bool
	}{{gm, home, true}, {standard, second, false}} {
		cert, root := readCertificate(t, test.who.path("msp", "signcerts", "cert.pem")), readCertificate(t, filepath.Join(test.root, "ca-cert.pem"))
		require.NoError(t, x509.CheckSignatureFrom(cert, root))
		require.Equal(t, test.sm2, x509.IsSM2(cert.PublicKey))
	}
	for who, key := range map[*client][]string{gm: ecdsaKey, standard: sm2Key} {
		out, err := who.try(ctx, append([]string{"enroll", "-u", who.with("admin", "adminpw")}, key...)...)
		require.Error(t, err)
		require.Contains(t, out, "one family")
	}
	gm.register(ctx, t, "of-gm", "pw", "client")
	standard.register(ctx, t, "of-second", "pw", "client")
	require.NotContains(t, gm.run(ctx, t, "identity", "list", "-u", s.url), "of-second")
	require.NotContains(t, standard.run(ctx, t, "identity", "list", "-u", s.url), "of-gm")

	for who, other := range map[*client]string{gm: "second", standard: "ca"} {
		crossed := *who
		crossed.flags = []string{"--caname", other}
		out, err := crossed.try(ctx, "register", "-u", s.url, "--id.name", "made", "--id.type", "client", "--id.affiliation", "org1")
		require.Error(t, err, "the administrator of the other CA")
		require.Contains(t, out, "Authentication failure")
	}
	body := []byte(`{"id":"made","type":"client","affiliation":"org1"}`)
	token := tokenOf(t, signingKey(t, gm), mustRead(t, gm.path("msp", "signcerts", "cert.pem")), http.MethodPost, "/api/v1/register?ca=ca", body)
	for query, want := range map[string]int{"": http.StatusUnauthorized, "?ca=second": http.StatusUnauthorized, "?ca=ca": http.StatusCreated} {
		status, answer := post(ctx, t, s, "register"+query, body, func(r *http.Request) { r.Header.Set("Authorization", token) })
		require.Equal(t, want, status, answer)
	}
	for admin, root := range map[*client]string{gm: home, standard: second} {
		admin.run(ctx, t, "gencrl", "-u", s.url)
		require.NoError(t, x509.CheckRevocationListFrom(readList(t, admin.path("msp", "crls", "crl.pem")), readCertificate(t, filepath.Join(root, "ca-cert.pem"))))
	}
}
