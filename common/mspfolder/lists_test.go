// SPDX-License-Identifier: Apache-2.0

package mspfolder

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
)

func listOf(t *testing.T, text []byte) *pkix.CertificateList {
	t.Helper()
	lists, err := material.ParseLists("list", text)
	require.NoError(t, err)
	return lists[0].CertificateList
}

// TestIssuer finds the CA among others, and says why it is not one of them.
func TestIssuer(t *testing.T) {
	for _, family := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
		ca, namesake := gmtlstest.NewFamilyCA(t, family, "one"), gmtlstest.NewFamilyCA(t, family, "one")
		other := gmtlstest.NewFamilyCA(t, !family, "another")
		list := listOf(t, ca.RevocationList(t, x509.RevocationList{}))
		found, err := Issuer(list, []*x509.Certificate{namesake.Cert, other.Cert, ca.Cert})
		require.NoError(t, err)
		require.Equal(t, ca.Cert, found)
		_, err = Issuer(list, []*x509.Certificate{other.Cert})
		require.ErrorContains(t, err, "none of the CAs has the name")
		_, err = Issuer(list, nil)
		require.Error(t, err)

		sameNames := *namesake.Cert
		sameNames.SubjectKeyId = ca.Cert.SubjectKeyId
		_, err = Issuer(list, []*x509.Certificate{&sameNames})
		require.ErrorContains(t, err, "does not verify under CA")
		otherName := *ca.Cert
		otherName.RawSubject = other.Cert.RawSubject
		_, err = Issuer(list, []*x509.Certificate{&otherName})
		require.ErrorContains(t, err, "none of the CAs has the name")
		noLists := *ca.Cert
		noLists.KeyUsage = x509.KeyUsageCertSign
		_, err = Issuer(list, []*x509.Certificate{&noLists})
		require.ErrorContains(t, err, "has no cRLSign")
	}
}

// TestScope tells parts of lists apart, and refuses those by which nobody can report whether a certificate is revoked.
func TestScope(t *testing.T) {
	ca := gmtlstest.NewCA(t)
	critical := func(value any, id ...int) pkix.Extension {
		der, err := asn1.Marshal(value)
		require.NoError(t, err)
		return pkix.Extension{Id: id, Critical: true, Value: der}
	}
	with := func(extensions ...pkix.Extension) *pkix.CertificateList {
		return listOf(t, ca.RevocationList(t, x509.RevocationList{ExtraExtensions: extensions}))
	}
	type flags struct {
		UsersOnly      bool           `asn1:"optional,tag:1"`
		Reasons        asn1.BitString `asn1:"optional,tag:3"`
		Indirect       bool           `asn1:"optional,tag:4"`
		AttributesOnly bool           `asn1:"optional,tag:5"`
	}
	point := func(f flags) pkix.Extension { return critical(f, 2, 5, 29, 28) }
	scope, err := Scope(with())
	require.NoError(t, err)
	require.Empty(t, scope)
	users, err := Scope(with(point(flags{UsersOnly: true})))
	require.NoError(t, err)
	require.NotEmpty(t, users)

	broken := critical(1, 2, 5, 29, 28)
	trailing := point(flags{UsersOnly: true})
	trailing.Value = append(trailing.Value, 5, 0)
	for reason, list := range map[string]*pkix.CertificateList{
		"indirect list":                          with(point(flags{Indirect: true})),
		"attribute certificates only":            with(point(flags{AttributesOnly: true})),
		"some reasons":                           with(point(flags{Reasons: asn1.BitString{Bytes: []byte{0x40}, BitLength: 2}})),
		"delta list":                             with(critical(1, 2, 5, 29, 27)),
		"critical extension 1.2.3":               with(critical(1, 1, 2, 3)),
		"issuingDistributionPoint: asn1":         with(broken),
		"issuingDistributionPoint: bytes follow": with(trailing),
		"entry of serial number ff has a critical": listOf(t, ca.RevocationList(t, x509.RevocationList{
			RevokedCertificateEntries: []x509.RevocationListEntry{{
				SerialNumber: big.NewInt(255), RevocationTime: time.Now(), ExtraExtensions: []pkix.Extension{critical(1, 2, 5, 29, 29)},
			}},
		})),
	} {
		_, err := Scope(list)
		require.ErrorContains(t, err, reason)
		cas := []*x509.Certificate{ca.Cert}
		require.ErrorContains(t, CheckFolderList(list, cas), reason)
		require.NoError(t, CheckList(list, cas), "in a channel it stays what it was")
	}
	require.NoError(t, CheckFolderList(with(point(flags{UsersOnly: true})), []*x509.Certificate{ca.Cert}))
	require.ErrorContains(t, CheckFolderList(with(), nil), "no CA of this MSP")
	// An MSP without SM2 is judged as in stock Fabric.
	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "standard")
	delta := listOf(t, standard.RevocationList(t, x509.RevocationList{ExtraExtensions: []pkix.Extension{critical(1, 2, 5, 29, 27)}}))
	require.NoError(t, CheckFolderList(delta, []*x509.Certificate{standard.Cert}))
}

// TestEffect: a list counts in an MSP if one of its CAs signed it, if the MSP finds it by the key identifier, and if it is complete.
func TestEffect(t *testing.T) {
	for _, family := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
		ca, namesake := gmtlstest.NewFamilyCA(t, family, "one"), gmtlstest.NewFamilyCA(t, family, "one")
		cas := []*x509.Certificate{namesake.Cert, ca.Cert}
		list := listOf(t, ca.RevocationList(t, x509.RevocationList{}))
		issuer, scope, err := Effect(list, cas)
		require.NoError(t, err)
		require.Equal(t, ca.Cert, issuer)
		require.Empty(t, scope)

		_, _, err = Effect(list, cas[:1])
		require.ErrorContains(t, err, "none of the CAs has the name")
		unnamed := *list
		unnamed.TBSCertList.Extensions = nil
		_, _, err = Effect(&unnamed, cas)
		require.ErrorContains(t, err, "an MSP with such a list refuses every identity")
		noKeyID := *ca.Cert
		noKeyID.SubjectKeyId = nil
		_, _, err = Effect(list, []*x509.Certificate{&noKeyID})
		require.ErrorContains(t, err, "has no subjectKeyIdentifier")
		der, err := asn1.Marshal(1)
		require.NoError(t, err)
		delta := ca.RevocationList(t, x509.RevocationList{ExtraExtensions: []pkix.Extension{{Id: oidDeltaIndicator, Critical: true, Value: der}}})
		_, _, err = Effect(listOf(t, delta), cas)
		require.ErrorContains(t, err, "delta list")
	}
}

// TestIssuersOnce: a list is verified once under each key, however often an organisation names its CA. All others still count.
func TestIssuersOnce(t *testing.T) {
	ca, foreign, standard := gmtlstest.NewCA(t), gmtlstest.NewCA(t), gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "standard")
	list := listOf(t, ca.RevocationList(t, x509.RevocationList{}))
	withID := func(cert *x509.Certificate, id []byte, number int64) *x509.Certificate {
		changed := *cert
		changed.SubjectKeyId, changed.SerialNumber, changed.Raw = id, big.NewInt(number), []byte{byte(number)}
		return &changed
	}
	id := ca.Cert.SubjectKeyId
	var cas []*x509.Certificate
	for i := range int64(300) {
		cas = append(cas, withID(ca.Cert, id, i), withID(standard.Cert, []byte("standard"), i), withID(foreign.Cert, nil, i))
	}
	issuers := NewIssuers(cas)
	require.Len(t, issuers, 2)
	require.Len(t, issuers[string(id)], 1)
	require.Len(t, issuers["standard"], 1)
	require.NoError(t, issuers.Check(list))
	require.NoError(t, issuers.Check(listOf(t, standard.RevocationList(t, x509.RevocationList{}))))

	for name, other := range map[string]*x509.Certificate{"SM2": foreign.Cert, "ECDSA": standard.Cert} {
		for _, cas := range [][]*x509.Certificate{{withID(other, id, 1), ca.Cert}, {ca.Cert, ca.Cert, withID(other, id, 1)}} {
			require.ErrorContains(t, CheckList(list, cas), "does not verify under CA", name)
		}
	}
	require.NoError(t, CheckList(list, []*x509.Certificate{ca.Cert, foreign.Cert}))
	require.ErrorContains(t, CheckList(list, []*x509.Certificate{foreign.Cert}), "no CA of this MSP")
}
