// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/cloudflare/cfssl/config"
	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/signer"
	"github.com/cloudflare/cfssl/signer/local"
	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric-ca/lib/server/db"
	"github.com/hyperledger/fabric-ca/lib/server/user"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// TestRequestIsBounded: a subject whose attribute is no text, and an RSA key whose verification costs seconds, are refused before the
// signature is looked at.
func TestRequestIsBounded(t *testing.T) {
	name := asn1.ObjectIdentifier{2, 5, 4, 3}
	require.NoError(t, csrInputLengthCheck(&x509.CertificateRequest{Subject: pkix.Name{Names: []pkix.AttributeTypeAndValue{{Type: name, Value: "user"}}}}))
	for _, value := range []any{7, nil, asn1.ObjectIdentifier{1, 2}, []byte("user")} {
		require.ErrorContains(t, csrInputLengthCheck(&x509.CertificateRequest{Subject: pkix.Name{Names: []pkix.AttributeTypeAndValue{{Type: name, Value: value}}}}), "no text")
	}
	for bits, refused := range map[uint]bool{8192: false, 8193: true, 1 << 20: true} {
		err := csrInputLengthCheck(&x509.CertificateRequest{PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}})
		require.Equal(t, refused, err != nil, bits)
	}
}

// TestUnits: a subject has a unit, so that the signer takes none from the request.
func TestUnits(t *testing.T) {
	for _, test := range []struct{ names, want []csr.Name }{
		{nil, []csr.Name{{OU: "client"}}},
		{[]csr.Name{{O: "Org1"}, {}, {}}, []csr.Name{{O: "Org1"}, {}, {}, {OU: "client"}}},
		{[]csr.Name{{}, {OU: "org1"}}, []csr.Name{{}, {OU: "org1"}}},
	} {
		subject := &signer.Subject{Names: test.names}
		setUnit(subject)
		require.Equal(t, test.want, subject.Names)
	}
}

// asAdministrator is a request for a certificate with the unit of administrators, and what the server has to judge it by.
func asAdministrator(t *testing.T, kind, affiliation string) (*signer.SignRequest, pkix.Name, *CA, *serverRequestContextImpl) {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	subject := pkix.Name{CommonName: "ida", OrganizationalUnit: []string{"admin"}}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	require.NoError(t, err)
	registry, _ := identities(t)
	require.NoError(t, registry.InsertUser(&user.Info{Name: "ida", Type: kind, Affiliation: affiliation}))
	caller, err := registry.GetUser("ida", nil)
	require.NoError(t, err)
	ca := &CA{Config: &CAConfig{Signing: &config.Signing{Default: &config.SigningProfile{}}}}
	request := &signer.SignRequest{Request: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))}
	return request, subject, ca, &serverRequestContextImpl{ca: ca, caller: caller}
}

// TestIdentityWithoutType: no identity chooses its units, which give it its role, whatever its request says and whatever is known of it.
func TestIdentityWithoutType(t *testing.T) {
	for name, test := range map[string]struct {
		kind, affiliation string
		want              []string
	}{
		"neither type nor affiliation": {"", "", []string{"client"}},
		"affiliation alone":            {"", "org1", []string{"org1"}},
		"type alone":                   {"peer", "", []string{"peer"}},
		"both":                         {"peer", "org1", []string{"peer", "org1"}},
	} {
		for _, names := range [][]csr.Name{nil, {{OU: "admin"}}, {{O: "Org1", OU: "admin"}}} {
			request, subject, ca, ctx := asAdministrator(t, test.kind, test.affiliation)
			if names != nil {
				request.Subject = &signer.Subject{CN: "ida", Names: names}
			}
			require.NoError(t, processSignRequest("ida", request, ca, ctx), name)
			certified := local.PopulateSubjectFromCSR(request.Subject, subject)
			require.Equal(t, test.want, certified.OrganizationalUnit, "%s, %v", name, names)
		}
	}
}

// TestRefusedFields: what the CA decides is refused in a request.
func TestRefusedFields(t *testing.T) {
	for field, set := range map[string]func(*signer.SignRequest){
		"extensions":    func(r *signer.SignRequest) { r.Extensions = []signer.Extension{{Value: "00"}} },
		"crl_override":  func(r *signer.SignRequest) { r.CRLOverride = "http://127.0.0.1:1/" },
		"ReturnPrecert": func(r *signer.SignRequest) { r.ReturnPrecert = true },
	} {
		request, _, ca, ctx := asAdministrator(t, "client", "")
		set(request)
		require.ErrorContains(t, processSignRequest("ida", request, ca, ctx), "may not have the field "+field)
	}
}

// signs is a signer that signs anything.
type signs struct{ signer.Signer }

func (signs) Sign(signer.SignRequest) ([]byte, error) { return []byte("signed"), nil }

// oneUser is a database that knows the state of one identity.
type oneUser struct {
	db.FabricCADB
	state int
	err   error
}

func (oneUser) Rebind(query string) string { return query }

func (u oneUser) Get(_ string, to any, _ string, _ ...any) error {
	*to.(*int) = u.state
	return u.err
}

// TestIssue: what was signed is not given to an identity that was revoked or removed meanwhile, nor if the database does not say. In a
// directory nobody is revoked.
func TestIssue(t *testing.T) {
	for name, test := range map[string]struct {
		user oneUser
		ldap bool
		good bool
	}{
		"first enrolment":      {user: oneUser{state: 0}, good: true},
		"enrolled before":      {user: oneUser{state: 7}, good: true},
		"revoked":              {user: oneUser{state: -1}},
		"removed":              {user: oneUser{err: sql.ErrNoRows}},
		"in a directory":       {user: oneUser{err: sql.ErrNoRows}, ldap: true, good: true},
		"the database is away": {user: oneUser{state: 1, err: sql.ErrConnDone}},
	} {
		t.Run(name, func(t *testing.T) {
			ca := &CA{enrollSigner: signs{}, db: test.user, Config: &CAConfig{}}
			ca.Config.LDAP.Enabled = test.ldap
			cert, err := ca.issue("user", signer.SignRequest{})
			require.Equal(t, test.good, err == nil)
			require.Equal(t, test.good, cert != nil)
		})
	}
}
