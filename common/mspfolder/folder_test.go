// SPDX-License-Identifier: Apache-2.0

package mspfolder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

func newMSP(t *testing.T, root []byte) (dir string, put func(name string, content []byte) string) {
	t.Helper()
	dir = t.TempDir()
	put = func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	put("cacerts/ca.pem", root)
	return dir, put
}

// A file that holds no certificate stops a node with an SM2 CA, and is ignored, and named, in others.
func TestOddFiles(t *testing.T) {
	gm, standard := gmtlstest.NewCA(t), gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca")
	dir, put := newMSP(t, gm.CertPEM)
	readme := put("cacerts/README", []byte("the CAs"))
	_, _, err := Read(filepath.Join(dir, CACerts))
	require.ErrorContains(t, err, readme)

	dir, put = newMSP(t, standard.CertPEM)
	readme = put("cacerts/README", []byte("the CAs"))
	objects, passed, err := Read(filepath.Join(dir, CACerts))
	require.NoError(t, err)
	require.Len(t, objects, 1)
	require.Len(t, passed, 1)
	require.ErrorContains(t, passed[0], readme)
	put("cacerts/cut.pem", standard.CertPEM[:100])
	_, _, err = Read(filepath.Join(dir, CACerts))
	require.ErrorContains(t, err, "cut.pem", "a damaged certificate is never ignored")
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "crls-link")))
	none, _, err := Read(filepath.Join(dir, "absent"))
	require.NoError(t, err)
	require.Empty(t, none)
}

// A crash within safefile.Replace leaves a file, cut or whole, whose name sorts before that of the certificate.
func TestUnfinishedFiles(t *testing.T) {
	gm := gmtlstest.NewCA(t)
	dir, put := newMSP(t, gm.CertPEM)
	put("cacerts/.ca.pem.1.unfinished", gm.CertPEM[:100])
	put("cacerts/.ca.pem.2.unfinished", nil)
	used := put("signcerts/cert.pem", gm.NewPair(t, "used").SignCert)
	put("signcerts/.cert.pem.1.unfinished", gm.NewPair(t, "left").SignCert)

	for _, folder := range []string{CACerts, SignCerts} {
		objects, passed, err := Read(filepath.Join(dir, folder))
		require.NoError(t, err)
		require.Empty(t, passed)
		require.Len(t, objects, 1)
	}
	files, err := Files(filepath.Join(dir, SignCerts))
	require.NoError(t, err)
	require.Equal(t, []string{used}, files)
}

func TestCertificatesInTheirPlace(t *testing.T) {
	gm := gmtlstest.NewCA(t)
	pair := gm.NewPair(t, "localhost")
	dir, put := newMSP(t, gm.CertPEM)
	_, err := ReadFile(SignCerts, put("signcerts/enc.pem", pair.EncCert))
	require.ErrorIs(t, err, ErrEncryption)
	_, err = ReadFile(TLSCACerts, put("tlscacerts/enc.pem", pair.EncCert))
	require.NoError(t, err)
	objects, err := ReadFile(SignCerts, put("signcerts/chain.pem", append(append([]byte{}, gm.CertPEM...), pair.SignCert...)))
	require.NoError(t, err)
	require.Len(t, objects, 1, "the owner's alone, wherever it stands")
	require.False(t, objects[0].(*material.Certificate).IsCA)
	require.True(t, ServesSM2(dir))

	_, err = ReadFile(AdminCerts, put("admincerts/ca.pem", gm.CertPEM))
	require.ErrorIs(t, err, ErrAuthority)

	mixed := *gm.Cert
	mixed.SignatureAlgorithm = x509.ECDSAWithSHA256
	require.ErrorIs(t, CheckFamily(&mixed), ErrFamily)
}

// Lists as other tools write them: one without the key identifier of its issuer, and one that revokes.
func TestLists(t *testing.T) {
	const cases = "../crypto/material/testdata/cases/"
	ca, err := material.ReadCertificates(cases + "base/ca.crt")
	require.NoError(t, err)
	issuers := []*x509.Certificate{ca[0].Certificate}
	check := func(name string, issuers []*x509.Certificate) error {
		lists, err := material.ReadLists(cases + name)
		require.NoError(t, err)
		return CheckList(lists[0].CertificateList, issuers)
	}
	require.NoError(t, check("revocation/rev.crl", issuers))
	require.ErrorContains(t, check("revocation/rev.crl", nil), "no CA of this MSP")
	require.ErrorContains(t, check("crl-forms/no-aki.crl", issuers), "not named by key identifier")
	forged := *ca[0].Certificate
	forged.PublicKey = gmtlstest.NewCA(t).Cert.PublicKey
	require.ErrorContains(t, check("revocation/rev.crl", []*x509.Certificate{&forged}), "does not verify")
}

func TestNameConstraints(t *testing.T) {
	const dir = "../crypto/material/testdata/cases/name-constraints/"
	ca, err := material.ReadCertificates(dir + "ca.crt")
	require.NoError(t, err)
	peer, err := material.ReadCertificates(dir + "peer.crt")
	require.NoError(t, err)
	leaf, root := *peer[0].Certificate, ca[0].Certificate
	require.ErrorContains(t, CheckNameConstraints([]*x509.Certificate{&leaf, root}), "name constraints: issue it with an alternative name")
	require.NoError(t, CheckNameConstraints([]*x509.Certificate{&leaf}))
	for _, name := range []string{"", "a person", "a..b", "-a", ".", "a.*"} {
		leaf.Subject.CommonName = name
		require.NoError(t, CheckNameConstraints([]*x509.Certificate{&leaf, root}), name)
	}
	for _, name := range []string{"peer0", "*.example.com", "a-b.c_d.", "a:7051"} {
		leaf.Subject.CommonName = name
		require.Error(t, CheckNameConstraints([]*x509.Certificate{&leaf, root}), name)
	}
}
