// SPDX-License-Identifier: Apache-2.0

package gmgateway

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
	tjsm2 "github.com/tjfoc/gmsm/sm2"
	tjx509 "github.com/tjfoc/gmsm/x509"
)

var messages = [][]byte{[]byte("a"), make([]byte, 32), make([]byte, 100_000)}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestSM2Signature(t *testing.T) {
	leaf := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "ca").Issue(t, pkix.Name{CommonName: "user"})
	key := leaf.Cert.PublicKey.(*ecdsa.PublicKey)
	other := &tjsm2.PublicKey{Curve: tjsm2.P256Sm2(), X: key.X, Y: key.Y}
	signer, err := NewSigner(leaf.KeyPEM)
	require.NoError(t, err)
	for _, message := range messages {
		digest := signer.Hash(message)
		require.Equal(t, message, digest, "the hash does nothing")
		signature, err := signer.Sign(digest)
		require.NoError(t, err)
		require.True(t, sm2.VerifyASN1WithSM2(key, nil, message, signature), "gmsm")
		require.True(t, other.Verify(message, signature), "tjfoc")

		changed := append([]byte("x"), message...)
		require.False(t, sm2.VerifyASN1WithSM2(key, nil, changed, signature))
		require.False(t, other.Verify(changed, signature))
		require.False(t, sm2.VerifyASN1(key, message, signature), "the signature is over Z too")
	}
}

func TestSM2KeysOfTjfoc(t *testing.T) {
	key, err := tjsm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	text, err := tjx509.WritePrivateKeyToPem(key, nil)
	require.NoError(t, err)
	signer, err := NewSigner(text)
	require.NoError(t, err)
	signature, err := signer.Sign(signer.Hash([]byte("message")))
	require.NoError(t, err)
	require.True(t, key.PublicKey.Verify([]byte("message"), signature))
}

func TestECDSASignature(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		pkcs8, err := gmx509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		signer, err := NewSigner(pemOf("PRIVATE KEY", pkcs8))
		require.NoError(t, err)
		for range 20 { // half of all signatures would have the higher S
			for _, message := range messages {
				signature, err := signer.Sign(signer.Hash(message))
				require.NoError(t, err)
				digest := sha256.Sum256(message)
				require.True(t, ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature))
				var rs struct{ R, S *big.Int }
				_, err = asn1.Unmarshal(signature, &rs)
				require.NoError(t, err)
				require.LessOrEqual(t, rs.S.Cmp(new(big.Int).Rsh(curve.Params().N, 1)), 0)
			}
		}
	}
}

func TestEd25519Signature(t *testing.T) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	pkcs8, err := gmx509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	signer, err := NewSigner(pemOf("PRIVATE KEY", pkcs8))
	require.NoError(t, err)
	signature, err := signer.Sign(signer.Hash([]byte("message")))
	require.NoError(t, err)
	require.True(t, ed25519.Verify(public, []byte("message"), signature))
}

func TestSEC1Keys(t *testing.T) {
	sm2Key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for _, key := range []*ecdsa.PrivateKey{&sm2Key.PrivateKey, ecdsaKey} {
		der, err := gmx509.MarshalECPrivateKey(key)
		require.NoError(t, err)
		text := append(pemOf("EC PARAMETERS", []byte{6, 0}), pemOf("EC PRIVATE KEY", der)...)
		signer, err := NewSigner(text)
		require.NoError(t, err)
		_, err = signer.Sign(signer.Hash([]byte("message")))
		require.NoError(t, err)
	}
}

func TestRefusedKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	rsaDER, err := gmx509.MarshalPKCS8PrivateKey(rsaKey)
	require.NoError(t, err)
	leaf := gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "ca").Issue(t, pkix.Name{CommonName: "user"})
	encrypted := pem.EncodeToMemory(&pem.Block{
		Type: "EC PRIVATE KEY", Bytes: []byte{1}, Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"},
	})
	for want, key := range map[string][]byte{
		"private key: it is neither PEM nor DER":    []byte("key"),
		"it holds a certificate and no private key": leaf.CertPEM,
		"rsa.PrivateKey":                 pemOf("PRIVATE KEY", rsaDER),
		"encrypted":                      encrypted,
		"is encrypted: decrypt it first": pemOf("ENCRYPTED PRIVATE KEY", []byte{1}),
		"private key: x509: ":            pemOf("PRIVATE KEY", []byte{1, 2, 3}),
		"private key: it holds nothing but curve param": pemOf("EC PARAMETERS", []byte{6, 0}),
		"its label is \"FOO PRIVATE KEY\"":              pemOf("FOO PRIVATE KEY", []byte{1}),
	} {
		_, err := NewSigner(key)
		require.ErrorContains(t, err, want)
	}
}

func TestNewIdentity(t *testing.T) {
	for _, family := range []gmtlstest.Family{gmtlstest.ECDSA, gmtlstest.SM2} {
		leaf := gmtlstest.NewFamilyCA(t, family, "ca").Issue(t, pkix.Name{CommonName: "user"})
		id, err := NewIdentity("Org1MSP", leaf.CertPEM)
		require.NoError(t, err)
		require.Equal(t, "Org1MSP", id.MspID())
		require.Equal(t, leaf.CertPEM, id.Credentials())
	}
	_, err := NewIdentity("", nil)
	require.ErrorContains(t, err, "MSP id")
	_, err = NewIdentity("Org1MSP", []byte("x"))
	require.ErrorContains(t, err, "PEM")
	_, err = x509.ParseCertificate(gmtlstest.NewFamilyCA(t, gmtlstest.SM2, "ca").Cert.Raw)
	require.Error(t, err, "crypto/x509 reads SM2 certificates now: gmx509 may have become needless")
}
