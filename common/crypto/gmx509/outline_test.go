// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"
)

// The tests below take certificates apart and put them together with other parts, signatures void.

type derCertificate struct {
	TBS       derTBS
	Algorithm asn1.RawValue
	Signature asn1.BitString
}

type derTBS struct {
	Version    int `asn1:"explicit,tag:0,optional,default:0"`
	Serial     *big.Int
	Algorithm  asn1.RawValue
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	Key        derKey
	Extensions asn1.RawValue `asn1:"optional,tag:3"`
}

type derKey struct {
	Algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters asn1.RawValue
	}
	Point asn1.BitString
}

func rebuilt(t testing.TB, der []byte, change func(*derCertificate)) []byte {
	t.Helper()
	var c derCertificate
	rest, err := asn1.Unmarshal(der, &c)
	require.NoError(t, err)
	require.Empty(t, rest)
	change(&c)
	out, err := asn1.Marshal(c)
	require.NoError(t, err)
	return out
}

func raw(t testing.TB, v any) asn1.RawValue {
	t.Helper()
	der, err := asn1.Marshal(v)
	require.NoError(t, err)
	return asn1.RawValue{FullBytes: der}
}

// explicitCurve are ECParameters (SEC 1, C.2) over the prime p with the order n; a, b and G are whatever they are.
func explicitCurve(t testing.TB, p, n *big.Int, a []byte) asn1.RawValue {
	t.Helper()
	type field struct {
		ID    asn1.ObjectIdentifier
		Prime *big.Int
	}
	type curve struct{ A, B []byte }
	return raw(t, struct {
		Version  int
		Field    field
		Curve    curve
		Base     []byte
		Order    *big.Int
		Cofactor int
	}{1, field{asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}, p}, curve{a, make([]byte, 32)}, make([]byte, 65), n, 1})
}

// What has no SM2 key is accepted or refused as the standard library does it, wherever bytes of SM2's identifiers stand; and no
// curve is taken by its parameters.
func TestOnlyTheIdentifierOfTheCurveMakesAKeySM2(t *testing.T) {
	ec := issue(t, template("leaf", false), p256Key(t), nil).cert.Raw
	p256 := p256Key(t).Params()
	arc := append(append([]byte{}, derSM2Curve...), make([]byte, 32-len(derSM2Curve))...)

	noted := template("noted", false)
	noted.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: derSM2Curve}, {Id: asn1.ObjectIdentifier{1, 2, 3, 5}, Value: derSM2WithSM3}}
	for name, der := range map[string][]byte{
		"plain":                     ec,
		"identifiers in extensions": issue(t, noted, p256Key(t), nil).cert.Raw,
		"explicit P-256": rebuilt(t, ec, func(c *derCertificate) {
			c.TBS.Key.Algorithm.Parameters = explicitCurve(t, p256.P, p256.N, make([]byte, 32))
		}),
		"explicit P-256, arc inside": rebuilt(t, ec, func(c *derCertificate) { c.TBS.Key.Algorithm.Parameters = explicitCurve(t, p256.P, p256.N, arc) }),
		"parameters NULL":            rebuilt(t, ec, func(c *derCertificate) { c.TBS.Key.Algorithm.Parameters = asn1.NullRawValue }),
		"no parameters":              rebuilt(t, ec, func(c *derCertificate) { c.TBS.Key.Algorithm.Parameters = asn1.RawValue{FullBytes: []byte{}} }),
		"unknown key, SM2 as parameter": rebuilt(t, ec, func(c *derCertificate) {
			c.TBS.Key.Algorithm.ID, c.TBS.Key.Algorithm.Parameters = asn1.ObjectIdentifier{1, 3, 101, 110}, raw(t, oidSM2Curve)
		}),
		"unknown key with parameters": rebuilt(t, ec, func(c *derCertificate) {
			c.TBS.Key.Algorithm.ID, c.TBS.Key.Algorithm.Parameters = asn1.ObjectIdentifier{1, 2, 3, 4}, asn1.RawValue{FullBytes: []byte{0x30, 3, 2, 1, 1}}
		}),
		"signed with SM2": rebuilt(t, ec, func(c *derCertificate) {
			c.Algorithm = raw(t, []asn1.ObjectIdentifier{oidSM2WithSM3})
			c.TBS.Algorithm = c.Algorithm
		}),
		"signed with SM2 outside": rebuilt(t, ec, func(c *derCertificate) { c.Algorithm = raw(t, []asn1.ObjectIdentifier{oidSM2WithSM3}) }),
		"negative serial number":  rebuilt(t, ec, func(c *derCertificate) { c.TBS.Serial = big.NewInt(-1) }),
		"cut":                     ec[:len(ec)-1],
		"followed":                append(append([]byte{}, ec...), 0),
		"empty":                   {},
		"not a certificate":       {0x30, 3, 2, 1, 1},
	} {
		want, wantErr := x509.ParseCertificate(der)
		got, err := ParseCertificate(der)
		require.Equal(t, wantErr == nil, err == nil, "%s: %v, standard library: %v", name, err, wantErr)
		if err == nil {
			want.SignatureAlgorithm = got.SignatureAlgorithm
			require.Equal(t, want, got, name)
		}
	}

	label, err := ParseCertificate(rebuilt(t, ec, func(c *derCertificate) {
		c.Algorithm = raw(t, []asn1.ObjectIdentifier{oidSM2WithSM3})
		c.TBS.Algorithm = c.Algorithm
	}))
	require.NoError(t, err)
	require.Equal(t, SM2WithSM3, label.SignatureAlgorithm)
}

// Where more follows the name of the curve, the engine sees an SM2 key and the standard library none: nobody takes it.
func TestOnlyTheNameOfTheCurve(t *testing.T) {
	cert := issue(t, template("leaf", false), sm2Key(t), nil).cert
	der := rebuilt(t, cert.Raw, func(c *derCertificate) {
		c.TBS.Key.Algorithm.Parameters = asn1.RawValue{FullBytes: append(bytes.Clone(derSM2Curve), 5, 0)}
	})
	engines, err := smx509.ParseCertificate(der)
	require.NoError(t, err)
	require.True(t, IsSM2(engines.PublicKey))
	_, err = ParseCertificate(der)
	require.Error(t, err)
	_, err = ParseCertificateSM(der)
	require.ErrorIs(t, err, errMoreThanCurve)
}

// SM2's own parameters are refused too, by both parsers, for certificates, requests and keys.
func TestExplicitCurvesAreRefused(t *testing.T) {
	key := sm2Key(t)
	cert := issue(t, template("leaf", false), key, nil).cert
	arc := append(append([]byte{}, derSM2Curve...), make([]byte, 32-len(derSM2Curve))...)
	params := key.Params()
	p256 := p256Key(t).Params()
	for name, explicit := range map[string]asn1.RawValue{
		"SM2":                    explicitCurve(t, params.P, params.N, params.B.FillBytes(make([]byte, 32))),
		"SM2, identifier inside": explicitCurve(t, params.P, params.N, arc),
		"P-256":                  explicitCurve(t, p256.P, p256.N, arc),
	} {
		for _, id := range []asn1.ObjectIdentifier{oidEC, oidSM2Curve} {
			der := rebuilt(t, cert.Raw, func(c *derCertificate) { c.TBS.Key.Algorithm.ID, c.TBS.Key.Algorithm.Parameters = id, explicit })
			_, err := ParseCertificate(der)
			require.ErrorIs(t, err, errExplicitCurve, name)
			_, err = ParseCertificateSM(der)
			require.ErrorIs(t, err, errExplicitCurve, name)
		}
		var spki derKey
		_, err := asn1.Unmarshal(cert.RawSubjectPublicKeyInfo, &spki)
		require.NoError(t, err)
		spki.Algorithm.Parameters = explicit
		_, err = ParsePKIXPublicKey(raw(t, spki).FullBytes)
		require.ErrorIs(t, err, errExplicitCurve, name)

		request, err := CreateCertificateRequest(rand.Reader, &CertificateRequest{Subject: pkix.Name{CommonName: "n"}}, key)
		require.NoError(t, err)
		var outer struct {
			Info struct {
				Version    int
				Subject    asn1.RawValue
				Key        derKey
				Attributes asn1.RawValue `asn1:"optional,tag:0"`
			}
			Algorithm asn1.RawValue
			Signature asn1.BitString
		}
		_, err = asn1.Unmarshal(request, &outer)
		require.NoError(t, err)
		_, err = ParseCertificateRequest(request)
		require.NoError(t, err)
		outer.Info.Key.Algorithm.Parameters = explicit
		_, err = ParseCertificateRequest(raw(t, outer).FullBytes)
		require.ErrorIs(t, err, errExplicitCurve, name)
	}

	_, err := ParseCertificate(rebuilt(t, cert.Raw, func(c *derCertificate) {
		c.TBS.Key.Algorithm.Parameters = asn1.RawValue{FullBytes: append(append([]byte{}, derSM2Curve...), 5, 0)}
	}))
	require.Error(t, err, "something behind the identifier")

	// The engine compares the prime and the order alone, so without the check above these would be SM2 keys.
	named := rebuilt(t, cert.Raw, func(c *derCertificate) { c.TBS.Key.Algorithm.ID = oidSM2Curve })
	got, err := ParseCertificate(named)
	require.NoError(t, err, "the curve's identifier in place of id-ecPublicKey")
	require.True(t, IsSM2(got.PublicKey))
}

// An organisation may have a root on P-256 that says it is signed with SM2: its own signature proves nothing, and stock Fabric takes
// it. Nothing below it may be signed so.
func TestSM2SignatureByOtherKeys(t *testing.T) {
	key := p256Key(t)
	root := issue(t, template("root", true), key, nil)
	labelled, err := ParseCertificate(rebuilt(t, root.cert.Raw, func(c *derCertificate) {
		c.Algorithm = raw(t, []asn1.ObjectIdentifier{oidSM2WithSM3})
		c.TBS.Algorithm = c.Algorithm
	}))
	require.NoError(t, err)
	require.Equal(t, SM2WithSM3, labelled.SignatureAlgorithm)
	roots := NewCertPool()
	roots.AddCert(labelled)
	options := VerifyOptions{Roots: roots, KeyUsages: []ExtKeyUsage{ExtKeyUsageAny}}
	_, err = Verify(labelled, options)
	require.NoError(t, err)
	leaf := issue(t, template("leaf", false), p256Key(t), &testCert{labelled, key})
	_, err = Verify(leaf.cert, options)
	require.NoError(t, err)

	below, err := ParseCertificate(rebuilt(t, leaf.cert.Raw, func(c *derCertificate) {
		c.Algorithm = raw(t, []asn1.ObjectIdentifier{oidSM2WithSM3})
		c.TBS.Algorithm = c.Algorithm
	}))
	require.NoError(t, err)
	_, err = Verify(below, options)
	require.ErrorIs(t, err, errMixedFamilies)
}

func TestRevocationListsOfBothFamilies(t *testing.T) {
	for _, key := range []any{sm2Key(t), p256Key(t)} {
		ca := issue(t, template("root", true), key, nil)
		signer, err := signerOf(key)
		require.NoError(t, err)
		der, err := CreateRevocationList(rand.Reader, &RevocationList{
			Number: big.NewInt(1), ThisUpdate: ca.cert.NotBefore, NextUpdate: ca.cert.NotAfter,
			RevokedCertificateEntries: []RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: ca.cert.NotBefore}},
		}, ca.cert, signer)
		require.NoError(t, err)
		list, err := ParseRevocationList(der)
		require.NoError(t, err)
		require.Equal(t, IsSM2(ca.cert.PublicKey), list.SignatureAlgorithm == SM2WithSM3)
		require.NoError(t, CheckRevocationListFrom(list, ca.cert))
	}
}
