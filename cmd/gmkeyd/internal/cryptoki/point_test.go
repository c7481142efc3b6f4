// SPDX-License-Identifier: Apache-2.0

package cryptoki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

// A public key is taken in each of three forms, and only if it lies on the curve that the token names.
func TestPoints(t *testing.T) {
	const vendor = 0x80000004
	params := func(oid asn1.ObjectIdentifier) []byte {
		der, err := asn1.Marshal(oid)
		require.NoError(t, err)
		return der
	}
	for _, c := range []struct {
		curve  elliptic.Curve
		kind   uint64
		params []byte
	}{
		{elliptic.P256(), keyTypeEC, params(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})},
		{elliptic.P384(), keyTypeEC, params(asn1.ObjectIdentifier{1, 3, 132, 0, 34})},
		{elliptic.P521(), keyTypeEC, params(asn1.ObjectIdentifier{1, 3, 132, 0, 35})},
		{sm2.P256(), keyTypeEC, params(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301})},
		{sm2.P256(), vendor, nil},
	} {
		key, err := ecdsa.GenerateKey(c.curve, rand.Reader)
		require.NoError(t, err)
		size := (c.curve.Params().BitSize + 7) / 8
		point := bytes.Join([][]byte{{4}, key.X.FillBytes(make([]byte, size)), key.Y.FillBytes(make([]byte, size))}, nil)
		octets, err := asn1.Marshal(point)
		require.NoError(t, err)
		for _, form := range [][]byte{point, point[1:], octets} {
			public, err := parsePoint(c.kind, c.params, form)
			require.NoError(t, err)
			require.True(t, public.Equal(&key.PublicKey))
		}
		off := bytes.Clone(point)
		copy(off[1+size:], new(big.Int).Xor(key.Y, big.NewInt(1)).FillBytes(make([]byte, size)))
		compressed := append([]byte{2}, point[1:]...)
		offOctets, err := asn1.Marshal(off)
		require.NoError(t, err)
		compressedOctets, err := asn1.Marshal(compressed)
		require.NoError(t, err)
		shortOctets, err := asn1.Marshal(point[:size+1])
		require.NoError(t, err)
		for name, form := range map[string][]byte{
			"off the curve": off, "off the curve in octets": offOctets, "another form": compressed, "another form in octets": compressedOctets,
			"short": shortOctets, "more behind": append(bytes.Clone(octets), 0), "nothing": nil,
		} {
			_, err := parsePoint(c.kind, c.params, form)
			require.Error(t, err, name)
		}
	}
	_, err := parsePoint(keyTypeEC, params(asn1.ObjectIdentifier{1, 3, 132, 0, 10}), make([]byte, 65))
	require.ErrorContains(t, err, "is not one of P-256, P-384, P-521, SM2")
}
