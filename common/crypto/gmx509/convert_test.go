// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"
)

// fill sets everything reachable from v to values that differ from zero.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch value := v.Addr().Interface().(type) {
	case *x509.OID:
		oid, err := x509.OIDFromInts([]uint64{1, 2, uint64(*n)})
		require.NoError(t, err)
		*value = oid
		return
	case **big.Int:
		*value = big.NewInt(int64(*n))
		return
	case *time.Time:
		*value = time.Unix(int64(*n), 0)
		return
	case **url.URL:
		*value = &url.URL{Host: "h"}
		return
	case **net.IPNet:
		*value = &net.IPNet{IP: net.IP{1, 2, 3, byte(*n)}, Mask: net.IPMask{255, 0, 0, 0}}
		return
	case *pkix.Name:
		*value = pkix.Name{CommonName: "n"}
		return
	case *any:
		*value = *n
		return
	case *x509.SignatureAlgorithm:
		*value = SM2WithSM3
		return
	case *x509.PublicKeyAlgorithm:
		*value = x509.ECDSA
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.String:
		v.SetString("s")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n)%255 + 1)
	default:
		t.Fatalf("fill does not know %v", v.Type())
	}
}

// Every field survives the way to smx509 and back; a field that the conversion forgets comes back as zero.
func TestConversionsForgetNothing(t *testing.T) {
	n := 0
	cert := new(x509.Certificate)
	fill(t, reflect.ValueOf(cert).Elem(), &n)
	smCert, err := certToSM(cert)
	require.NoError(t, err)
	back, err := certToStd(smCert)
	require.NoError(t, err)
	require.Equal(t, cert, back)

	req := new(x509.CertificateRequest)
	fill(t, reflect.ValueOf(req).Elem(), &n)
	require.Equal(t, req, requestToStd(requestToSM(req)))

	list := new(x509.RevocationList)
	fill(t, reflect.ValueOf(list).Elem(), &n)
	smList := reflect.ValueOf(revocationListToSM(list)).Elem()
	for i := range smList.NumField() {
		if name := smList.Type().Field(i).Name; name != "Raw" && name != "RawTBSRevocationList" {
			require.False(t, smList.Field(i).IsZero(), name)
		}
	}

	for _, pair := range [][2]reflect.Type{
		{reflect.TypeFor[x509.Certificate](), reflect.TypeFor[smx509.Certificate]()},
		{reflect.TypeFor[x509.CertificateRequest](), reflect.TypeFor[smx509.CertificateRequest]()},
		{reflect.TypeFor[x509.RevocationList](), reflect.TypeFor[smx509.RevocationList]()},
	} {
		for i := range pair[1].NumField() {
			_, ok := pair[0].FieldByName(pair[1].Field(i).Name)
			require.True(t, ok, "%v has %s, crypto/x509 has not", pair[1], pair[1].Field(i).Name)
		}
	}
}

func TestAlgorithmNumbers(t *testing.T) {
	for a := x509.UnknownSignatureAlgorithm; a <= x509.PureEd25519; a++ {
		require.Equal(t, a.String(), sigAlgToSM(a).String())
		require.Equal(t, a, sigAlgToStd(sigAlgToSM(a)))
	}
	require.Equal(t, smx509.SM2WithSM3, sigAlgToSM(SM2WithSM3))
	require.Equal(t, SM2WithSM3, sigAlgToStd(smx509.SM2WithSM3))
	require.Equal(t, UnknownSignatureAlgorithm, sigAlgToStd(smx509.MLDSA44))
	require.Equal(t, UnknownPublicKeyAlgorithm, pubAlgToStd(smx509.PKMLDSA44))
	require.NotEqual(t, smx509.SM2WithSM3, sigAlgToSM(x509.PureEd25519+1), "the number that smx509 gives SM2 is free in crypto/x509")
	for eku := x509.ExtKeyUsageAny; eku <= x509.ExtKeyUsageMicrosoftKernelCodeSigning; eku++ {
		tmpl := template("leaf", false)
		tmpl.ExtKeyUsage = []ExtKeyUsage{eku}
		cert := issue(t, tmpl, sm2Key(t), issue(t, template("root", true), sm2Key(t), nil)).cert
		require.Equal(t, []ExtKeyUsage{eku}, cert.ExtKeyUsage)
	}
}

func TestTemplatesSurviveSigning(t *testing.T) {
	tmpl := template("leaf", false)
	tmpl.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1).To4()}
	tmpl.EmailAddresses = []string{"a@example.com"}
	tmpl.URIs = []*url.URL{{Scheme: "https", Host: "example.com"}}
	tmpl.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}, Value: []byte(`{"attrs":{}}`)}}
	tmpl.KeyUsage = KeyUsageKeyEncipherment | KeyUsageDataEncipherment | KeyUsageKeyAgreement
	root := issue(t, template("root", true), sm2Key(t), nil)
	cert := issue(t, tmpl, sm2Key(t), root).cert
	require.Equal(t, tmpl.IPAddresses, cert.IPAddresses)
	require.Equal(t, tmpl.EmailAddresses, cert.EmailAddresses)
	require.Equal(t, "https://example.com", cert.URIs[0].String())
	require.Equal(t, tmpl.KeyUsage, cert.KeyUsage)
	require.Equal(t, root.cert.SubjectKeyId, cert.AuthorityKeyId)
	require.Contains(t, cert.Extensions, tmpl.ExtraExtensions[0])

	bad := template("leaf", false)
	bad.SignatureAlgorithm = ECDSAWithSHA256
	_, err := CreateCertificate(rand.Reader, bad, root.cert, &sm2Key(t).PublicKey, root.key)
	require.Error(t, err, "an SM2 key makes no ECDSA signatures")
	bad.SignatureAlgorithm = 50
	_, err = CreateCertificate(rand.Reader, bad, root.cert, &sm2Key(t).PublicKey, root.key)
	require.Error(t, err)
	_, err = CreateCertificate(rand.Reader, template("leaf", false), root.cert, &sm2Key(t).PublicKey, sm2Key(t))
	require.Error(t, err, "not the parent's key")
	_, err = CreateCertificate(rand.Reader, template("leaf", false), root.cert, &sm2Key(t).PublicKey, "key")
	require.ErrorIs(t, err, errNotSigner)
}

func TestRequestsAndRevocationLists(t *testing.T) {
	for name, newKey := range map[string]func() any{
		"SM2":   func() any { return sm2Key(t) },
		"ECDSA": func() any { return p256Key(t) },
	} {
		t.Run(name, func(t *testing.T) {
			key := newKey()
			der, err := CreateCertificateRequest(rand.Reader, &CertificateRequest{Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"x"}}, key)
			require.NoError(t, err)
			req, err := ParseCertificateRequest(der)
			require.NoError(t, err)
			require.Equal(t, []string{"x"}, req.DNSNames)
			require.NoError(t, CheckRequestSignature(req))
			der[len(der)-1] ^= 1
			if req, err = ParseCertificateRequest(der); err == nil {
				require.Error(t, CheckRequestSignature(req))
			}

			root := issue(t, template("root", true), newKey(), nil)
			leaf := issue(t, template("leaf", false), newKey(), root)
			now := time.Now()
			signer, err := signerOf(root.key)
			require.NoError(t, err)
			der, err = CreateRevocationList(rand.Reader, &RevocationList{
				Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour),
				RevokedCertificateEntries: []RevocationListEntry{{SerialNumber: leaf.cert.SerialNumber, RevocationTime: now, ReasonCode: 1}},
			}, root.cert, signer)
			require.NoError(t, err)
			list, err := ParseRevocationList(der)
			require.NoError(t, err)
			require.Equal(t, leaf.cert.SerialNumber, list.RevokedCertificateEntries[0].SerialNumber)
			require.NoError(t, CheckRevocationListFrom(list, root.cert))
			require.Error(t, CheckRevocationListFrom(list, leaf.cert), "a leaf may not sign lists")
			other := issue(t, template("root", true), newKey(), nil)
			require.Error(t, CheckRevocationListFrom(list, other.cert))

			crl, err := ParseCRL(der)
			require.NoError(t, err)
			require.NoError(t, CheckCRLSignature(root.cert, crl))
			require.Error(t, CheckCRLSignature(other.cert, crl))

			der, err = CreateCRL(root.cert, rand.Reader, root.key, []pkix.RevokedCertificate{{SerialNumber: big.NewInt(9), RevocationTime: now}}, now, now.Add(time.Hour))
			require.NoError(t, err)
			crl, err = ParseCRL(der)
			require.NoError(t, err)
			require.NoError(t, CheckCRLSignature(root.cert, crl))
			crl.TBSCertList.Signature.Algorithm = asn1.ObjectIdentifier{1, 2, 3}
			if name == "SM2" {
				require.ErrorIs(t, CheckCRLSignature(root.cert, crl), ErrUnsupportedAlgorithm, "inner and outer algorithm differ")
			}
		})
	}
	// A list signed by the other family's key of the same name.
	sm, ec := issue(t, template("root", true), sm2Key(t), nil), issue(t, template("root", true), p256Key(t), nil)
	now := time.Now()
	der, err := CreateCRL(ec.cert, rand.Reader, ec.key, nil, now, now.Add(time.Hour))
	require.NoError(t, err)
	crl, err := ParseCRL(der)
	require.NoError(t, err)
	require.Error(t, CheckCRLSignature(sm.cert, crl))
	der, err = CreateCRL(sm.cert, rand.Reader, sm.key, nil, now, now.Add(time.Hour))
	require.NoError(t, err)
	crl, err = ParseCRL(der)
	require.NoError(t, err)
	require.Error(t, CheckCRLSignature(ec.cert, crl))
}

func TestCertPool(t *testing.T) {
	var none *CertPool
	require.Nil(t, none.Std())
	require.Nil(t, none.SM())
	require.Nil(t, none.Clone())
	require.Empty(t, none.Subjects())

	sm, ec := issue(t, template("sm", true), sm2Key(t), nil), issue(t, template("ec", true), p256Key(t), nil)
	p := pool(sm, ec, sm)
	require.ElementsMatch(t, [][]byte{sm.cert.RawSubject, ec.cert.RawSubject}, p.Subjects())
	clone := p.Clone()
	require.ElementsMatch(t, p.Subjects(), clone.Subjects())
	clone.AddCert(issue(t, template("third", true), sm2Key(t), nil).cert)
	require.Len(t, clone.Subjects(), 3)
	require.Len(t, p.Subjects(), 2)
	require.Panics(t, func() { p.AddCert(nil) })

	require.False(t, p.AppendCertsFromPEM([]byte("nothing")))
	require.False(t, p.AppendCertsFromPEM(fixture(t, "ca.sec1.pem")))
	bundle := append(fixture(t, "ca.sec1.pem"), fixture(t, "ca.crt")...)
	require.True(t, p.AppendCertsFromPEM(bundle))
	require.Len(t, p.Subjects(), 3)
}
