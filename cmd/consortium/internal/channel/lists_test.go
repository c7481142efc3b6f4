// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// mspFolder is a folder with the CAs of an MSP, and with lists.
func mspFolder(t *testing.T, cas []authority, lists ...[]byte) string {
	t.Helper()
	dir := t.TempDir()
	gmtlstest.WriteFile(t, dir, "config.yaml", []byte("NodeOUs: {Enable: true, AdminOUIdentifier: {OrganizationalUnitIdentifier: admin}, "+
		"ClientOUIdentifier: {OrganizationalUnitIdentifier: client}, PeerOUIdentifier: {OrganizationalUnitIdentifier: peer}}\n"))
	for folder, files := range map[string][][]byte{"cacerts": nil, "crls": lists} {
		if folder == "cacerts" {
			for _, ca := range cas {
				files = append(files, ca.CertPEM)
			}
		}
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
		for i, file := range files {
			gmtlstest.WriteFile(t, filepath.Join(dir, folder), string(rune('a'+i))+".pem", file)
		}
	}
	return dir
}

// authority is a root whose key the test has.
type authority struct {
	*gmtlstest.Leaf
}

func newAuthority(t *testing.T, family gmtlstest.Family, name string) authority {
	t.Helper()
	return authority{gmtlstest.NewFamilyCA(t, family, "keys").Issue(t, pkix.Name{CommonName: name})}.certify(t, name)
}

// certify makes the root's certificate, with that key identifier.
func (a authority) certify(t *testing.T, keyID string) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: a.Cert.Subject, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(keyID),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.Key.Public(), a.Key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{&gmtlstest.Leaf{Cert: cert, Key: a.Key, CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}}
}

// list makes one of that number.
func (a authority) list(t *testing.T, number int64, extensions ...pkix.Extension) []byte {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(number), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour), ExtraExtensions: extensions,
	}, a.Cert, a.Key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// withoutKeyID makes a list as openssl does by default.
func (a authority) withoutKeyID(t *testing.T) []byte {
	t.Helper()
	plain := *a.Cert
	plain.SubjectKeyId = nil
	der, err := x509.CreateCRL(&plain, rand.Reader, a.Key, nil, time.Now(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func delta(t *testing.T) pkix.Extension {
	t.Helper()
	base, err := asn1.Marshal(1)
	require.NoError(t, err)
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: base}
}

// TestListsOfNoEffect: a list by which an organisation would be locked out, or by which nobody is revoked, takes no good one's place,
// and comes into no MSP by any update.
func TestListsOfNoEffect(t *testing.T) {
	s := newSample(t)
	for _, family := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
		ca := newAuthority(t, family, "ca")
		c := s.read(t)
		good := ca.list(t, 5)
		_, err := AddOrganization(Organization{Name: "Ferry", MSPID: "FerryMSP", MSPDir: mspFolder(t, []authority{ca}, good)})(c.config.ChannelGroup)
		require.NoError(t, err)
		for want, bad := range map[string][]byte{
			"refuses every identity":                ca.withoutKeyID(t),
			"the signature does not verify":         newAuthority(t, family, "ca").list(t, 9),
			"it is a delta list":                    ca.list(t, 9, delta(t)),
			"none of the CAs has the name":          newAuthority(t, family, "another").list(t, 9),
			"the channel has a later list of \"CN=": ca.list(t, 4),
		} {
			file := gmtlstest.WriteFile(t, t.TempDir(), "crl.pem", bad)
			_, err := c.Update(SetRevocationLists("FerryMSP", []string{file}))
			require.ErrorContains(t, err, want, family)
			require.ErrorContains(t, err, file, family)
			_, err = c.Update(SetMSP("FerryMSP", mspFolder(t, []authority{ca}, bad)))
			require.Error(t, err, "%s: %s", family, want)
			if family == gmtlstest.ECDSA { // else the folder is refused
				require.ErrorContains(t, err, want)
			}
			if want[:11] == "the channel" {
				continue
			}
			_, err = c.Update(AddOrganization(Organization{Name: "Other", MSPID: "OtherMSP", MSPDir: mspFolder(t, []authority{ca}, bad)}))
			require.Error(t, err, "%s: %s", family, want)
			if family == gmtlstest.ECDSA {
				place := "a revocation list of OtherMSP: "
				if want == "refuses every identity" { // which is found in the folder already
					place = "crls/a.pem: "
				}
				require.ErrorContains(t, err, place)
				require.ErrorContains(t, err, want)
			}
		}
	}
}

// TestMergedLists: an MSP from a folder keeps the channel's lists as long as their CAs.
func TestMergedLists(t *testing.T) {
	s := newSample(t)
	for _, family := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
		first, second := newAuthority(t, family, "first"), newAuthority(t, family, "second")
		both := []authority{first, second}
		c := s.read(t)
		root := c.config.ChannelGroup
		_, err := AddOrganization(Organization{Name: "Ferry", MSPID: "FerryMSP", MSPDir: mspFolder(t, both, first.list(t, 5), second.list(t, 5))})(root)
		require.NoError(t, err)
		has := func() (all []int64) {
			for _, p := range places(root) {
				lists, err := listsIn("list", p.config.RevocationList)
				require.NoError(t, err)
				for _, l := range lists {
					all = append(all, l.Number.Int64())
				}
			}
			return all
		}
		for _, step := range []struct {
			cas  []authority
			list []byte
			did  string
			want []int64
		}{
			{both, second.list(t, 6), ", with 1 revocation list(s) of the folder", []int64{5, 6}},
			{both, nil, "", []int64{5, 6}},
			{both[1:], second.list(t, 7), `, with 1 revocation list(s) of the folder, without the revocation lists of CAs that go: "CN=first"`, []int64{7}},
		} {
			var lists [][]byte
			if step.list != nil {
				lists = append(lists, step.list)
			}
			dir := mspFolder(t, step.cas, lists...)
			if step.did != "" {
				step.did = "MSP of FerryMSP from " + dir + step.did + ", in the application"
			}
			did, err := SetMSP("FerryMSP", dir)(root)
			require.NoError(t, err)
			require.Equal(t, step.did, strings.Join(did, ""))
			require.Equal(t, step.want, has())
		}
		// A list whose CA is renewed with another key identifier would find none of its certificates.
		_, err = SetMSP("FerryMSP", mspFolder(t, []authority{second.certify(t, "another")}))(root)
		require.ErrorContains(t, err, "keeps its key")
	}
}
