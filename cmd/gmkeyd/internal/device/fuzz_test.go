// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/stretchr/testify/require"
)

// FuzzCiphertext: what strangers send as encrypted secrets in handshakes reaches a device only as a point of the curve, a hash and a text.
func FuzzCiphertext(f *testing.F) {
	key, err := sm2.NewPrivateKey(append(make([]byte, 31), 7)) // the same in all workers
	require.NoError(f, err)
	for _, text := range []string{"x", "a secret of 48 bytes, as long as a pre-master one"} {
		der, err := sm2.EncryptASN1(rand.Reader, &key.PublicKey, []byte(text))
		require.NoError(f, err)
		f.Add(der)
		more := append(bytes.Clone(der), 5, 0)
		f.Add(more)
		more = bytes.Clone(more)
		more[1] += 2 // a NULL within the SEQUENCE
		f.Add(more)
	}
	f.Add([]byte{0x30, 0x0c, 0x02, 0x01, 0xff, 0x02, 0x01, 0x01, 0x04, 0x00, 0x04, 0x02, 0x01, 0x02})
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := parseCiphertext(der)
		if err != nil {
			return
		}
		_, err = sm2.NewPublicKey(append(append([]byte{4}, c.X...), c.Y...))
		require.NoError(t, err)
		require.Len(t, c.Hash, sm3.Size)
		require.NotEmpty(t, c.Text)
		raw := bytes.Join([][]byte{{4}, c.X, c.Y, c.Hash, c.Text}, nil)
		plain, asn1Err := key.Decrypt(rand.Reader, der, sm2.ASN1DecrypterOpts)
		same, rawErr := key.Decrypt(rand.Reader, raw, sm2.NewPlainDecrypterOpts(sm2.C1C3C2))
		require.Equal(t, asn1Err == nil, rawErr == nil, "a device gets another ciphertext than software: %v, %v", asn1Err, rawErr)
		require.Equal(t, plain, same)
	})
}
