// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// TestIntermediateOfTheClient: the issuer's name alone does not tell a root that was not given from an intermediate CA that was not
// sent. It is the latter for certain if it is in the client's own chain and leads to a root given.
func TestIntermediateOfTheClient(t *testing.T) {
	from, to := time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	authority := func(name string) *pki.CA {
		ca, err := pki.NewCA(name, true, from, to)
		require.NoError(t, err)
		return ca
	}
	middleOf := func(root *pki.CA) *pki.CA {
		template := pki.Leaf("middle", nil, root.Cert.KeyUsage, from, to)
		template.BasicConstraintsValid, template.IsCA, template.ExtKeyUsage = true, true, nil
		cert, key, err := root.Issue(template)
		require.NoError(t, err)
		return &pki.CA{Cert: cert, Key: key}
	}
	root := authority("root")
	middle := middleOf(root)
	issue := func(ca *pki.CA) *x509.Certificate {
		cert, _, err := ca.Issue(pki.Leaf("peer", []string{"localhost"}, pki.SignUsage, from, to))
		require.NoError(t, err)
		return cert
	}
	leaf := issue(middle).Raw
	for name, test := range map[string]struct {
		pair *gmtls.Certificate
		cert *tls.Certificate
		want cause.ID
	}{
		"nothing of the client's": {want: cause.UnknownRoot},
		"a pair without a chain":  {pair: &gmtls.Certificate{Certificate: [][]byte{leaf, leaf}}, want: cause.UnknownRoot},
		"behind the pair":         {pair: &gmtls.Certificate{Certificate: [][]byte{leaf, leaf, middle.Cert.Raw}}, want: cause.NoIntermediate},
		"behind the certificate":  {cert: &tls.Certificate{Certificate: [][]byte{leaf, middle.Cert.Raw}}, want: cause.NoIntermediate},
		"one of that name, of another key": {
			pair: &gmtls.Certificate{Certificate: [][]byte{leaf, leaf, middleOf(root).Cert.Raw}}, want: cause.UnknownRoot,
		},
		"one of a root that was not given": {
			pair: &gmtls.Certificate{Certificate: [][]byte{leaf, leaf, middleOf(authority("other")).Cert.Raw}}, want: cause.UnknownRoot,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &prober{
				Options: Options{Name: "localhost", Roots: &material.Roots{Certs: []*x509.Certificate{root.Cert}}},
				pair:    test.pair, cert: test.cert,
			}
			r := &Protocol{Name: protocolTLS, Main: &Attempt{OK: true, certs: []*x509.Certificate{issue(middle)}, wire: new(wire.Parser)}}
			r.verify(p)
			require.Len(t, r.Findings, 1)
			require.Equal(t, test.want, r.Findings[0].Cause, r.Findings[0].Detail)
			require.Equal(t, "no", r.Verified)
		})
	}
}
