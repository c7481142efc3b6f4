// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/integration/network"
)

// authority is the CA of an organisation, in the hands of its administrator.
type authority struct {
	org  network.Org
	cert *x509.Certificate
	key  crypto.Signer
}

func authorityOf(t *testing.T, n *network.Network, org network.Org) *authority {
	t.Helper()
	read := func(pattern string) []byte {
		files, err := filepath.Glob(filepath.Join(orgDir(n, org), "ca", pattern))
		require.NoError(t, err)
		require.Len(t, files, 1)
		raw, err := os.ReadFile(files[0])
		require.NoError(t, err)
		return raw
	}
	cert, err := x509.ParseCertificatePEM(read("*.pem"))
	require.NoError(t, err)
	block, _ := pem.Decode(read("*_sk"))
	require.NotNil(t, block)
	key, err := x509.ParsePrivateKey(block.Bytes)
	require.NoError(t, err)
	return &authority{org, cert, key.(crypto.Signer)}
}

// impostorOf is another CA of the same name and with the same key identifier.
func impostorOf(t *testing.T, a *authority) *authority {
	t.Helper()
	key := newKey(t, x509.IsSM2(a.cert.PublicKey))
	template := &x509.Certificate{
		SerialNumber: a.cert.SerialNumber, Subject: a.cert.Subject, NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage: a.cert.KeyUsage, IsCA: true, BasicConstraintsValid: true, SubjectKeyId: a.cert.SubjectKeyId,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{a.org, cert, key}
}

func newKey(t *testing.T, sm bool) crypto.Signer {
	t.Helper()
	if sm {
		key, err := sm2.GenerateKey(rand.Reader)
		require.NoError(t, err)
		return key
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// issue certifies a new member with an organisational unit, which is his role, until notAfter.
func (a *authority) issue(t *testing.T, unit string, notAfter time.Time) *member {
	t.Helper()
	key := newKey(t, x509.IsSM2(a.cert.PublicKey))
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "member", OrganizationalUnit: []string{unit}},
		NotBefore: a.cert.NotBefore, NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature,
	}, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &member{mspID: a.org.MSPID, cert: cert, key: key}
}
