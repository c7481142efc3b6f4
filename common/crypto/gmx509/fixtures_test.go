// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

// The fixtures were made by openssl; testdata/openssl.sh holds the command lines.

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "openssl", name))
	require.NoError(t, err)
	return text
}

func fixtureCert(t testing.TB, name string) *Certificate {
	t.Helper()
	cert, err := ParseCertificatePEM(fixture(t, name))
	require.NoError(t, err)
	return cert
}

func TestOpenSSLKeys(t *testing.T) {
	pub, err := ParsePublicKeyPEM(fixture(t, "ca.pub.pem"))
	require.NoError(t, err)
	require.True(t, IsSM2(pub))

	for _, name := range []string{"ca.sec1.pem", "ca.pkcs8.pem"} {
		key, err := ParsePrivateKeyPEM(fixture(t, name), nil)
		require.NoError(t, err, name)
		require.True(t, key.(*sm2.PrivateKey).PublicKey.Equal(pub), name)
	}
	for _, name := range []string{"ca.sec1.der", "ca.pkcs8.der"} {
		key, err := ParsePrivateKey(fixture(t, name))
		require.NoError(t, err, name)
		require.True(t, key.(*sm2.PrivateKey).PublicKey.Equal(pub), name)
	}

	// What we write is what openssl writes, byte for byte.
	key, err := ParsePrivateKey(fixture(t, "ca.sec1.der"))
	require.NoError(t, err)
	priv := key.(*sm2.PrivateKey)
	der, err := MarshalECPrivateKey(&priv.PrivateKey)
	require.NoError(t, err)
	require.Equal(t, fixture(t, "ca.sec1.der"), der)
	for _, form := range []any{priv, &priv.PrivateKey} {
		der, err = MarshalPKCS8PrivateKey(form)
		require.NoError(t, err)
		require.Equal(t, fixture(t, "ca.pkcs8.der"), der)
	}
	text, err := MarshalPublicKeyPEM(&priv.PublicKey)
	require.NoError(t, err)
	require.Equal(t, string(fixture(t, "ca.pub.pem")), string(text))

	key, err = ParsePrivateKeyPEM(fixture(t, "p256.pkcs8.pem"), nil)
	require.NoError(t, err)
	require.False(t, IsSM2(key.(*ecdsa.PrivateKey)))
	key, err = ParsePrivateKeyPEM(fixture(t, "rsa.pkcs8.pem"), nil)
	require.NoError(t, err)
	require.IsType(t, &rsa.PrivateKey{}, key)
}

func TestOpenSSLEncryptedKeys(t *testing.T) {
	plain, err := ParsePrivateKeyPEM(fixture(t, "ca.sec1.pem"), nil)
	require.NoError(t, err)
	names, err := filepath.Glob("testdata/openssl/ca.*-cbc.*.pem")
	require.NoError(t, err)
	require.Len(t, names, 12)
	names = append(names, "ca.legacy-aes256.pem", "ca.legacy-sm4.pem")
	for _, name := range names {
		name = filepath.Base(name)
		t.Run(name, func(t *testing.T) {
			key, err := ParsePrivateKeyPEM(fixture(t, name), []byte("password"))
			require.NoError(t, err)
			require.True(t, plain.(*sm2.PrivateKey).Equal(key))
			_, err = ParsePrivateKeyPEM(fixture(t, name), nil)
			require.ErrorIs(t, err, ErrNoPassword)
			_, err = ParsePrivateKeyPEM(fixture(t, name), []byte("Password"))
			require.ErrorIs(t, err, ErrWrongPassword)
			require.NotContains(t, err.Error(), "Password")
		})
	}

	key, err := ParsePrivateKeyPEM(fixture(t, "p256.aes256.pem"), []byte("password"))
	require.NoError(t, err)
	require.IsType(t, &ecdsa.PrivateKey{}, key)

	_, err = ParsePrivateKeyPEM(fixture(t, "ca.pbes1.pem"), []byte("password"))
	require.ErrorContains(t, err, "only PBES2")
	_, err = ParsePrivateKeyPEM(fixture(t, "ca.scrypt.pem"), []byte("password"))
	require.ErrorContains(t, err, "want PBKDF2")
}

func TestOpenSSLChainAndCRL(t *testing.T) {
	ca, inter, leaf := fixtureCert(t, "ca.crt"), fixtureCert(t, "inter.crt"), fixtureCert(t, "leaf.crt")
	for _, c := range []*Certificate{ca, inter, leaf} {
		require.True(t, IsSM2(c.PublicKey))
		require.Equal(t, SM2WithSM3, c.SignatureAlgorithm)
		require.Equal(t, ECDSA, c.PublicKeyAlgorithm)
	}
	roots, inters := NewCertPool(), NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(fixture(t, "ca.crt")))
	require.True(t, inters.AppendCertsFromPEM(fixture(t, "inter.crt")))
	opts := VerifyOptions{Roots: roots, Intermediates: inters, DNSName: "peer0.org1.example.com", CurrentTime: ca.NotBefore.Add(24 * time.Hour)}
	chains, err := Verify(leaf, opts)
	require.NoError(t, err)
	require.Len(t, chains, 1)
	require.Len(t, chains[0], 3)

	leafKey, err := ParsePrivateKeyPEM(fixture(t, "leaf.key"), nil)
	require.NoError(t, err)
	require.NoError(t, CheckKeyPair(leaf, leafKey))
	require.ErrorContains(t, CheckKeyPair(ca, leafKey), "does not belong")
	p256, err := ParsePrivateKeyPEM(fixture(t, "p256.pkcs8.pem"), nil)
	require.NoError(t, err)
	require.ErrorContains(t, CheckKeyPair(leaf, p256), "certificate's key is SM2, the private key is ECDSA P-256")

	for _, text := range [][]byte{fixture(t, "inter.crl")} {
		// openssl writes the PEM type X509 CRL, which is the one that ParseCRL takes.
		crl, err := ParseCRL(text)
		require.NoError(t, err)
		require.Equal(t, leaf.SerialNumber, crl.TBSCertList.RevokedCertificates[0].SerialNumber)
		require.NoError(t, CheckCRLSignature(inter, crl))
		require.Error(t, CheckCRLSignature(ca, crl))
		require.Error(t, inter.CheckCRLSignature(crl), "the method of the standard type cannot")
		crl.TBSCertList.Raw[len(crl.TBSCertList.Raw)-1] ^= 1
		require.Error(t, CheckCRLSignature(inter, crl))
	}

	for _, name := range []string{"ca.csr", "inter.csr", "leaf.csr"} {
		req, err := ParseCertificateRequest(pemBytes(t, fixture(t, name)))
		require.NoError(t, err)
		require.NoError(t, CheckRequestSignature(req))
		req.RawTBSCertificateRequest = append([]byte(nil), req.RawTBSCertificateRequest...)
		req.RawTBSCertificateRequest[10] ^= 1
		require.Error(t, CheckRequestSignature(req))
	}

	msg := fixture(t, "message")
	require.NoError(t, CheckSignature(leaf, SM2WithSM3, msg, fixture(t, "message.sig")))
	require.Error(t, CheckSignature(leaf, SM2WithSM3, append(msg, '!'), fixture(t, "message.sig")))
	require.Error(t, CheckSignature(inter, SM2WithSM3, msg, fixture(t, "message.sig")))
	require.ErrorIs(t, CheckSignature(leaf, ECDSAWithSHA256, msg, fixture(t, "message.sig")), ErrUnsupportedAlgorithm)
}

func TestDamagedOpenSSLCertificateNeverVerifies(t *testing.T) {
	ca := fixtureCert(t, "ca.crt")
	raw := fixtureCert(t, "inter.crt").Raw
	roots := NewCertPool()
	roots.AddCert(ca)
	verified := 0
	for i := range raw {
		for _, bit := range []byte{1, 0x80} {
			der := append([]byte(nil), raw...)
			der[i] ^= bit
			cert, err := ParseCertificate(der)
			if err != nil {
				continue
			}
			if _, err = Verify(cert, VerifyOptions{Roots: roots, CurrentTime: ca.NotBefore.Add(time.Hour), KeyUsages: []ExtKeyUsage{ExtKeyUsageAny}}); err == nil {
				verified++
			}
		}
	}
	require.Zero(t, verified)
}

func TestPEMWithoutKey(t *testing.T) {
	for _, text := range []string{"", "garbage", string(fixture(t, "ca.crt")), strings.Repeat("A", maxPEM+1)} {
		_, err := ParsePrivateKeyPEM([]byte(text), nil)
		require.Error(t, err)
		require.False(t, errors.Is(err, ErrNoPassword))
	}
	_, err := ParseCertificatePEM(fixture(t, "ca.sec1.pem"))
	require.ErrorContains(t, err, "SM2 PARAMETERS")
}
