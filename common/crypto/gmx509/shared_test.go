// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// numbered returns the DER of certificates that differ in their serial number.
func numbered(t *testing.T, n int, name string) [][]byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	var list [][]byte
	for i := range n {
		cert := &Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Unix(0, 0), NotAfter: time.Unix(int64(i+1), 0),
		}
		der, err := CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
		require.NoError(t, err)
		list = append(list, der)
	}
	return list
}

func TestSharedCertificateIsParsedOnce(t *testing.T) {
	for _, der := range [][]byte{fixtureCert(t, "ca.crt").Raw, numbered(t, 1, "standard")[0]} {
		want, err := ParseCertificate(der)
		require.NoError(t, err)
		cache := &shared{}
		first, err := cache.parse(der)
		require.NoError(t, err)
		require.Equal(t, want, first)
		second, err := cache.parse(append([]byte{}, der...))
		require.NoError(t, err)
		require.Same(t, first, second)

		// Whatever differs is parsed, or refused, as ever.
		for i := range der {
			changed := append([]byte{}, der...)
			changed[i] ^= 1
			want, wantErr := ParseCertificate(changed)
			got, err := cache.parse(changed)
			require.Equal(t, wantErr, err)
			require.Equal(t, want, got)
		}
		_, err = cache.parse(nil)
		require.Error(t, err)
	}
}

func TestSharedCertificatesAreBounded(t *testing.T) {
	cache := &shared{}
	ders := numbered(t, 4*maxShared, "one of many")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i, der := range ders {
				cert, err := cache.parse(der)
				if err != nil || cert.SerialNumber.Int64() != int64(i+1) {
					t.Errorf("certificate %d: %v, %v", i+1, cert, err)
				}
				if _, err := cache.parse(ders[0]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.LessOrEqual(t, len(cache.younger), maxShared)
	require.LessOrEqual(t, len(cache.elder), maxShared)
	require.NotNil(t, cache.lookUp(ders[0]), "what is asked for again and again stays")
	require.Nil(t, cache.lookUp(ders[1]))

	large := numbered(t, 1, strings.Repeat("x", maxSharedDER))[0]
	_, err := cache.parse(large)
	require.NoError(t, err)
	require.Nil(t, cache.lookUp(large))
}
