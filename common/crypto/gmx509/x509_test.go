// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

// testCert is a certificate with its private key.
type testCert struct {
	cert *Certificate
	key  any
}

var serial = int64(1)

func template(name string, ca bool) *Certificate {
	serial++
	t := &Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"org"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     KeyUsageDigitalSignature,
		ExtKeyUsage:  []ExtKeyUsage{ExtKeyUsageServerAuth, ExtKeyUsageClientAuth},
		DNSNames:     []string{name},
		SubjectKeyId: []byte(name),
	}
	if ca {
		t.KeyUsage = KeyUsageCertSign | KeyUsageCRLSign
		t.ExtKeyUsage = []ExtKeyUsage{ExtKeyUsageAny}
		t.IsCA, t.BasicConstraintsValid = true, true
		t.DNSNames = nil
	}
	return t
}

func issue(t testing.TB, tmpl *Certificate, key any, parent *testCert) *testCert {
	t.Helper()
	signer, err := signerOf(key)
	require.NoError(t, err)
	parentCert, parentKey := tmpl, key
	if parent != nil {
		parentCert, parentKey = parent.cert, parent.key
	}
	der, err := CreateCertificate(rand.Reader, tmpl, parentCert, signer.Public(), parentKey)
	require.NoError(t, err)
	cert, err := ParseCertificate(der)
	require.NoError(t, err)
	return &testCert{cert, key}
}

func sm2Key(t testing.TB) *sm2.PrivateKey {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

func p256Key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func pool(certs ...*testCert) *CertPool {
	p := NewCertPool()
	for _, c := range certs {
		p.AddCert(c.cert)
	}
	return p
}

func TestChainsOfBothFamilies(t *testing.T) {
	for name, newKey := range map[string]func(testing.TB) any{
		"SM2":                     func(t testing.TB) any { return sm2Key(t) },
		"SM2 as ecdsa.PrivateKey": func(t testing.TB) any { return &sm2Key(t).PrivateKey },
		"ECDSA":                   func(t testing.TB) any { return p256Key(t) },
	} {
		t.Run(name, func(t *testing.T) {
			root := issue(t, template("root", true), newKey(t), nil)
			inter := issue(t, template("inter", true), newKey(t), root)
			leaf := issue(t, template("leaf", false), newKey(t), inter)
			stranger := issue(t, template("root", true), newKey(t), nil)

			opts := VerifyOptions{Roots: pool(root), Intermediates: pool(inter), DNSName: "leaf"}
			chains, err := Verify(leaf.cert, opts)
			require.NoError(t, err)
			require.Len(t, chains, 1)
			require.Equal(t, []*Certificate{leaf.cert, inter.cert, root.cert}, chains[0])
			require.Same(t, root.cert, chains[0][2])
			require.NoError(t, CheckSignatureFrom(leaf.cert, inter.cert))
			require.Error(t, CheckSignatureFrom(leaf.cert, root.cert))
			require.Error(t, CheckSignatureFrom(inter.cert, leaf.cert), "a leaf may not sign")

			_, err = Verify(leaf.cert, VerifyOptions{Roots: pool(root)})
			var unknown UnknownAuthorityError
			require.True(t, errors.As(err, &unknown), "%v", err)
			_, err = Verify(leaf.cert, VerifyOptions{Roots: pool(stranger), Intermediates: pool(inter)})
			require.True(t, errors.As(err, &unknown), "%v", err)

			opts.DNSName = "other"
			_, err = Verify(leaf.cert, opts)
			var host HostnameError
			require.True(t, errors.As(err, &host), "%v", err)

			opts.DNSName = ""
			opts.CurrentTime = time.Now().Add(2 * time.Hour)
			_, err = Verify(leaf.cert, opts)
			var invalid CertificateInvalidError
			require.True(t, errors.As(err, &invalid), "%v", err)
			require.Equal(t, Expired, invalid.Reason)

			require.NoError(t, CheckKeyPair(leaf.cert, mustSigner(t, leaf.key)))
			require.Error(t, CheckKeyPair(leaf.cert, mustSigner(t, inter.key)))
		})
	}
}

func mustSigner(t *testing.T, key any) any {
	s, err := signerOf(key)
	require.NoError(t, err)
	return s
}

func TestMixedChainsAreRefused(t *testing.T) {
	smRoot := issue(t, template("root", true), sm2Key(t), nil)
	ecRoot := issue(t, template("root", true), p256Key(t), nil)

	tmpl := template("leaf", false)
	_, err := CreateCertificate(rand.Reader, tmpl, smRoot.cert, &p256Key(t).PublicKey, smRoot.key)
	require.ErrorContains(t, err, "one family")
	_, err = CreateCertificate(rand.Reader, tmpl, ecRoot.cert, &sm2Key(t).PublicKey, ecRoot.key)
	require.ErrorContains(t, err, "one family")

	smLeaf := issue(t, template("leaf", false), sm2Key(t), smRoot)
	_, err = Verify(smLeaf.cert, VerifyOptions{Roots: pool(ecRoot)})
	require.Error(t, err)
	_, err = Verify(smLeaf.cert, VerifyOptions{})
	require.ErrorIs(t, err, errNoSM2Roots)

	// A pool with both families serves leaves of both.
	ecLeaf := issue(t, template("leaf", false), p256Key(t), ecRoot)
	both := pool(smRoot, ecRoot)
	for _, leaf := range []*testCert{smLeaf, ecLeaf} {
		_, err = Verify(leaf.cert, VerifyOptions{Roots: both})
		require.NoError(t, err)
	}
}

// crypto/ecdsa computes with any curve, so an SM2 key can make an ECDSA signature. No check may take it.
func TestECDSASignatureByAnSM2Key(t *testing.T) {
	root := issue(t, template("root", true), sm2Key(t), nil)
	rootKey := &root.key.(*sm2.PrivateKey).PrivateKey
	// crypto/x509 refuses to make the certificate, so put the signature into one that another key signed.
	other := issue(t, template("root", true), p256Key(t), nil)
	leaf := issue(t, template("leaf", false), p256Key(t), other)
	digest := sha256.Sum256(leaf.cert.RawTBSCertificate)
	sig, err := ecdsa.SignASN1(rand.Reader, rootKey, digest[:])
	require.NoError(t, err)
	require.True(t, ecdsa.VerifyASN1(&rootKey.PublicKey, digest[:], sig), "crypto/ecdsa takes SM2 keys; if not, simplify Verify")
	forged, err := ParseCertificate(withSignature(t, leaf.cert.Raw, sig))
	require.NoError(t, err)

	_, err = Verify(forged, VerifyOptions{Roots: pool(root)})
	require.ErrorIs(t, err, errMixedFamilies)
	require.ErrorIs(t, CheckSignatureFrom(forged, root.cert), ErrUnsupportedAlgorithm)
	require.ErrorIs(t, CheckSignature(root.cert, ECDSAWithSHA256, forged.RawTBSCertificate, sig), ErrUnsupportedAlgorithm)
}

// withSignature replaces the signature of a DER certificate.
func withSignature(t *testing.T, der, sig []byte) []byte {
	t.Helper()
	var parts struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	rest, err := asn1.Unmarshal(der, &parts)
	require.NoError(t, err)
	require.Empty(t, rest)
	parts.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	out, err := asn1.Marshal(parts)
	require.NoError(t, err)
	return out
}

func TestStandardLibraryStillFailsOnSM2(t *testing.T) {
	// The premise of this package: once crypto/x509 knows SM2, reconsider it.
	root := issue(t, template("root", true), sm2Key(t), nil)
	_, err := x509.ParseCertificate(root.cert.Raw)
	require.Error(t, err)
	require.Error(t, root.cert.CheckSignatureFrom(root.cert))
}
