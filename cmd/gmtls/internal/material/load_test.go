// SPDX-License-Identifier: Apache-2.0

package material

import (
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

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

const cases = "../../../../common/crypto/material/testdata/cases/"

// TestLoadRoots: no root of a file is lost, and what cannot be read is refused by its file.
func TestLoadRoots(t *testing.T) {
	for name, want := range map[string]int{"root-bundle/joined.pem": 3, "identity-ca/der.crt": 1, "base/gm-ca.crt": 1} {
		roots, err := LoadRoots([]string{cases + name})
		require.NoError(t, err, name)
		require.Len(t, roots.Certs, want, name)
	}
	whole, err := os.ReadFile(cases + "base/gm-ca.crt")
	require.NoError(t, err)
	cut := filepath.Join(t.TempDir(), "cut.pem")
	require.NoError(t, os.WriteFile(cut, append(whole, whole[:len(whole)/2]...), 0o600))
	for name, want := range map[string]string{
		cut: "END line is missing", cases + "identity-ca/trusted-label.crt": "TRUSTED CERTIFICATE", cases + "one-file/both.pem": "it is a private key",
	} {
		_, err := LoadRoots([]string{name})
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, want)
	}
}

// TestOwnTLS: the pair for TLS is read as a node reads it, also in DER, and what cannot be read is refused by file, reason and remedy.
func TestOwnTLS(t *testing.T) {
	leaf := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca").Issue(t, pkix.Name{CommonName: "node"})
	dir := t.TempDir()
	own := Own{
		TLSCert: gmtlstest.WriteFile(t, dir, "node.crt", derOf(t, leaf.CertPEM)),
		TLSKey:  gmtlstest.WriteFile(t, dir, "node.key", derOf(t, leaf.KeyPEM)),
	}
	pair, err := own.TLS()
	require.NoError(t, err)
	require.Equal(t, [][]byte{derOf(t, leaf.CertPEM)}, pair.Certificate)

	key, err := x509.ParsePrivateKeyPEM(leaf.KeyPEM, nil)
	require.NoError(t, err)
	locked, err := x509.MarshalPrivateKeyPEM(key, []byte("secret"))
	require.NoError(t, err)
	own.TLSKey = gmtlstest.WriteFile(t, dir, "locked.key", locked)
	_, err = own.TLS()
	require.ErrorContains(t, err, "locked.key: private key: x509: the private key is encrypted")
	require.ErrorContains(t, err, "decrypt it with: openssl pkey")

	own.TLSKey = ""
	_, err = own.TLS()
	require.ErrorContains(t, err, "--tls-cert and --tls-key must be given together")
}

func derOf(t *testing.T, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	return block.Bytes
}

// TestReadYAML: nothing in a file is passed over.
func TestReadYAML(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\n": "", "---\na: 1\n...\n": "", "b: 1\n": "field b", "a: 1\na: 2\n": "already defined", "": "it is empty",
		"a: 1\n---\na: 2\n": "something follows", "{a: 1} x": "something follows",
	} {
		name := filepath.Join(t.TempDir(), "file.yaml")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		var into struct{ A int }
		err := ReadYAML(name, &into)
		if want == "" {
			require.NoError(t, err, text)
			require.Equal(t, 1, into.A)
			continue
		}
		require.ErrorContains(t, err, name, text)
		require.ErrorContains(t, err, want, text)
	}
}

// TestLongChains: following a chain takes as many signatures as a stranger's certificates make it take, up to a bound.
func TestLongChains(t *testing.T) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	named := func(subject, issuer string) *x509.Certificate {
		now := time.Now()
		template := func(name string) *x509.Certificate {
			return &x509.Certificate{
				SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
				IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
			}
		}
		der, err := x509.CreateCertificate(rand.Reader, template(subject), template(issuer), &key.PublicKey, key)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return cert
	}
	others := []*x509.Certificate{named("a", "b"), named("b", "a")} // each has issued the other
	for range 300 {
		others = append(others, others[0])
	}
	require.LessOrEqual(t, len(Chain(others[0], others[1:], nil)), maxChecks+2)
	found := CheckChain(others[0], others[1:], nil, time.Now())
	require.Len(t, found, 1)
	require.Equal(t, cause.ChainBroken, found[0].Cause)
}
