// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"
)

// resigned is cert with an ECDSA signature by key, which may be on any curve.
func resigned(t *testing.T, cert *Certificate, key *ecdsa.PrivateKey) *Certificate {
	t.Helper()
	der := rebuilt(t, cert.Raw, func(c *derCertificate) {
		c.Algorithm = raw(t, []asn1.ObjectIdentifier{{1, 2, 840, 10045, 4, 3, 2}}) // ecdsa-with-SHA256
		c.TBS.Algorithm = c.Algorithm
		digest := sha256.Sum256(raw(t, c.TBS).FullBytes)
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		require.NoError(t, err)
		c.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	})
	out, err := ParseCertificate(der)
	require.NoError(t, err)
	return out
}

// The engine builds chains that leave the SM2 family above the leaf, and takes plain ECDSA by SM2 keys. Neither is a chain here.
func TestChainsThatLeaveTheSM2FamilyAboveTheLeaf(t *testing.T) {
	for name, rootKey := range map[string]any{"root on P-256": p256Key(t), "ECDSA by an SM2 root": sm2Key(t)} {
		t.Run(name, func(t *testing.T) {
			root := issue(t, template("root", true), rootKey, nil)
			ecdsaKey, ok := rootKey.(*ecdsa.PrivateKey)
			if !ok {
				ecdsaKey = &rootKey.(*sm2.PrivateKey).PrivateKey
			}
			interKey := sm2Key(t)
			inter := issue(t, template("inter", true), interKey, nil)
			crossed := resigned(t, withIssuer(t, inter.cert, root.cert), ecdsaKey)
			leaf := issue(t, template("leaf", false), sm2Key(t), &testCert{crossed, interKey})

			roots, intermediates := NewCertPool(), NewCertPool()
			roots.AddCert(root.cert)
			intermediates.AddCert(crossed)
			engineLeaf, err := smx509.ParseCertificate(leaf.cert.Raw)
			require.NoError(t, err)
			_, err = engineLeaf.Verify(smx509.VerifyOptions{
				Roots: roots.SM(), Intermediates: intermediates.SM(), KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny},
			})
			require.NoError(t, err, "the engine refuses it too; if so, simplify sm2Chain")
			_, err = Verify(leaf.cert, VerifyOptions{Roots: roots, Intermediates: intermediates, KeyUsages: []ExtKeyUsage{ExtKeyUsageAny}})
			require.ErrorIs(t, err, errMixedFamilies)
		})
	}
}

// withIssuer names another issuer; the signature is void.
func withIssuer(t *testing.T, cert, issuer *Certificate) *Certificate {
	t.Helper()
	out, err := ParseCertificate(rebuilt(t, cert.Raw, func(c *derCertificate) { c.TBS.Issuer = asn1.RawValue{FullBytes: issuer.RawSubject} }))
	require.NoError(t, err)
	return out
}

// Who may not sign certificates or lists has signed none, be the signature right (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
func TestOnlyAuthoritiesSign(t *testing.T) {
	key := sm2Key(t)
	root := issue(t, template("root", true), key, nil)
	child := issue(t, template("leaf", false), sm2Key(t), root)
	der, err := CreateRevocationList(rand.Reader, &RevocationList{
		Number: big.NewInt(1), ThisUpdate: root.cert.NotBefore, NextUpdate: root.cert.NotAfter,
	}, root.cert, key)
	require.NoError(t, err)
	list, err := ParseRevocationList(der)
	require.NoError(t, err)
	require.NoError(t, CheckSignatureFrom(child.cert, root.cert))
	require.NoError(t, CheckRevocationListFrom(list, root.cert))

	var violation x509.ConstraintViolationError
	for name, change := range map[string]func(*Certificate){
		"no basic constraints": func(c *Certificate) { c.BasicConstraintsValid, c.IsCA = false, false },
		"no authority":         func(c *Certificate) { c.IsCA = false },
		"another usage":        func(c *Certificate) { c.KeyUsage = KeyUsageDigitalSignature },
	} {
		issuer := *root.cert
		change(&issuer)
		require.ErrorAs(t, CheckSignatureFrom(child.cert, &issuer), &violation, name)
		require.ErrorAs(t, CheckRevocationListFrom(list, &issuer), &violation, name)
	}
	issuer := *root.cert
	issuer.KeyUsage = KeyUsageCertSign
	require.ErrorAs(t, CheckRevocationListFrom(list, &issuer), &violation, "certificates, but no lists")
}

// crypto/ecdsa verifies with keys on any curve; a request or list that an SM2 key signed so is refused.
func TestECDSARequestsAndListsBySM2Keys(t *testing.T) {
	key := sm2Key(t)
	root := issue(t, template("root", true), key, nil)
	signed := []byte("request or list")
	digest := sha256.Sum256(signed)
	sig, err := ecdsa.SignASN1(rand.Reader, &key.PrivateKey, digest[:])
	require.NoError(t, err)
	require.ErrorIs(t, CheckRequestSignature(&CertificateRequest{
		PublicKey: &key.PublicKey, PublicKeyAlgorithm: ECDSA, SignatureAlgorithm: ECDSAWithSHA256, RawTBSCertificateRequest: signed, Signature: sig,
	}), ErrUnsupportedAlgorithm)
	require.ErrorIs(t, CheckRevocationListFrom(&RevocationList{
		SignatureAlgorithm: ECDSAWithSHA256, RawTBSRevocationList: signed, Signature: sig,
	}, root.cert), ErrUnsupportedAlgorithm)
	require.ErrorContains(t, CheckSignature(&Certificate{PublicKey: &rsa.PublicKey{}}, SM2WithSM3, signed, sig), "not SM2")
}
