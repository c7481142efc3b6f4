// SPDX-License-Identifier: Apache-2.0

//go:build fork

package crypto

import (
	"bytes"
	"encoding/pem"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/stretchr/testify/require"
)

func der(t *testing.T, certPEM []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(certPEM)
	require.NotNil(t, block)
	return block.Bytes
}

func join(parts ...[]byte) (out []byte) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func TestSamePublicKeyOverLists(t *testing.T) {
	stdCA, err := tlsgen.NewCA()
	require.NoError(t, err)
	stdA, err := stdCA.NewServerCertKeyPair("localhost")
	require.NoError(t, err)
	stdB, err := stdCA.NewServerCertKeyPair("localhost")
	require.NoError(t, err)
	gmCA := gmtlstest.NewCA(t)
	gmA, gmB := der(t, gmCA.NewPair(t).SignCert), der(t, gmCA.NewPair(t).SignCert)
	a, b := stdA.TLSCert.Raw, stdB.TLSCert.Raw

	same := map[string][2][]byte{
		"SM2 alone":               {gmA, gmA},
		"standard of two":         {join(a, gmA), a},
		"SM2 of two":              {join(a, gmA), gmA},
		"SM2 first":               {join(gmA, a), a},
		"two against two":         {join(a, gmA), join(b, gmA)},
		"order does not matter":   {join(a, gmA), join(gmA, b)},
		"second argument is list": {gmA, join(a, gmA)},
	}
	for name, pair := range same {
		require.NoError(t, CertificatesWithSamePublicKey(pair[0], pair[1]), name)
	}
	different := map[string][2][]byte{
		"SM2 alone":            {gmA, gmB},
		"families":             {a, gmA},
		"one of two":           {join(a, gmA), gmB},
		"two against two":      {join(a, gmA), join(b, gmB)},
		"both others standard": {join(a, gmA), b},
	}
	for name, pair := range different {
		require.Equal(t, ErrPubKeyMismatch, CertificatesWithSamePublicKey(pair[0], pair[1]), name)
	}
	malformed := map[string][2][]byte{
		"empty":                {nil, a},
		"garbage behind":       {join(a, []byte{1, 2, 3}), b},
		"not a certificate":    {join(a, []byte{0x30, 0x00}), b},
		"truncated second one": {join(a, gmA[:len(gmA)-1]), gmA},
	}
	for name, pair := range malformed {
		err := CertificatesWithSamePublicKey(pair[0], pair[1])
		require.Error(t, err, name)
		require.NotEqual(t, ErrPubKeyMismatch, err, name)
	}
}

func TestSplitCertificates(t *testing.T) {
	a, b := []byte{0x30, 0x01, 0xAA}, []byte{0x30, 0x02, 0xBB, 0xCC}
	require.Equal(t, [][]byte{a, b}, SplitCertificates(join(a, b)))
	require.Equal(t, [][]byte{a}, SplitCertificates(a))
	broken := join(a, []byte{0x30, 0x05})
	require.Equal(t, [][]byte{broken}, SplitCertificates(broken))
}

// FuzzSplitCertificates: cutting loses no byte, and a list is compared with itself without a panic, whatever is in it.
func FuzzSplitCertificates(f *testing.F) {
	pair := gmtlstest.NewCA(f).NewPair(f)
	sign, _ := pem.Decode(pair.SignCert)
	enc, _ := pem.Decode(pair.EncCert)
	f.Add(sign.Bytes)
	f.Add(join(sign.Bytes, enc.Bytes))
	f.Add(join(sign.Bytes, []byte{0}))
	f.Fuzz(func(t *testing.T, der []byte) {
		require.Equal(t, string(der), string(bytes.Join(SplitCertificates(der), nil)))
		if err := CertificatesWithSamePublicKey(der, sign.Bytes); err == nil {
			require.NoError(t, CertificatesWithSamePublicKey(sign.Bytes, der))
		}
	})
}
