// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/stretchr/testify/require"
)

func pemOf(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// TestKeyFilesOfOthers: what may be a key of another provider is left to that provider. One encrypted key, an SM2 key or a reference
// that cannot be used is not, and the reason is told.
func TestKeyFilesOfOthers(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(p256)
	require.NoError(t, err)
	// The old form of OpenSSL, which names no algorithm of the key.
	block, err := gmx509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", sec1, []byte("password"), x509.PEMCipherAES128)
	require.NoError(t, err)
	encrypted := pem.EncodeToMemory(block)
	sm2DER, err := gmx509.MarshalPKCS8PrivateKey(newKey(t).key)
	require.NoError(t, err)
	damaged := append([]byte(nil), sm2DER...)
	damaged[len(damaged)-1] ^= 1
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &p256.PublicKey, p256)
	require.NoError(t, err)

	for name, text := range map[string][]byte{
		"a certificate alone": pemOf("CERTIFICATE", cert),
		"two encrypted keys":  append(append([]byte(nil), encrypted...), encrypted...),
		"a key of no family":  pemOf("PRIVATE KEY", []byte("no DER")),
	} {
		_, err := DecodeKey(text, nil)
		require.ErrorIs(t, err, ErrOtherKey, name)
	}
	for name, test := range map[string]struct {
		text   []byte
		reason string
	}{
		"an encrypted key":    {encrypted, gmx509.ErrNoPassword.Error()},
		"a damaged SM2 key":   {pemOf("PRIVATE KEY", damaged), "private key"},
		"a damaged reference": {pemOf(keyd.ReferenceType, []byte("no reference")), "gmtls key reference"},
	} {
		_, err := DecodeKey(test.text, nil)
		require.ErrorContains(t, err, test.reason, name)
		require.NotErrorIs(t, err, ErrOtherKey, name)
	}
}

// TestWrongPasswordOfSM4Key: the reason is the password, and not the length of what it opens.
func TestWrongPasswordOfSM4Key(t *testing.T) {
	_, text, err := EncodeKey(sm4TestKey(t), []byte("password"))
	require.NoError(t, err)
	told := false
	for n := range 10 { // one wrong password of 256 opens something
		_, err := DecodeKey(text, []byte(strings.Repeat("x", n+1)))
		require.Error(t, err)
		told = told || errors.Is(err, gmx509.ErrWrongPassword)
	}
	require.True(t, told)
}
