// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"crypto/rsa"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/signer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric-ca/lib/server/db"

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
