// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

// TestCheckKeySize holds the rule to what the library does with a certificate of the key.
func TestCheckKeySize(t *testing.T) {
	for bits, good := range map[int]bool{512: false, 1023: false, 1024: true, 2048: true} {
		t.Setenv("GODEBUG", "rsa1024min=0") // to make the key at all
		key, err := rsa.GenerateKey(rand.Reader, bits)
		require.NoError(t, err)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		t.Setenv("GODEBUG", "")
		cert, err := ParseCertificate(der)
		require.NoError(t, err, "such a certificate parses")
		require.Equal(t, good, CheckSignatureFrom(cert, cert) == nil, "%d bits: the library", bits)
		for _, half := range []any{cert.PublicKey, key} {
			require.Equal(t, good, CheckKeySize(half) == nil, "%d bits", bits)
		}
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sm, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, key := range []any{ec, &ec.PublicKey, sm, &sm.PublicKey, nil} {
		require.NoError(t, CheckKeySize(key))
	}
}
