// SPDX-License-Identifier: Apache-2.0

package consenter

import (
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// FuzzField: whatever an organisation writes into a consenter's field, its first block and at most one more certificate identify the
// owner, the second of the other family and one that may sign.
func FuzzField(f *testing.F) {
	gm := gmtlstest.NewCA(f)
	pair := gm.NewPair(f, "localhost")
	standard := gmtlstest.NewFamilyCA(f, gmtlstest.ECDSA, "ca").CertPEM
	for _, field := range [][][]byte{{pair.SignCert}, {standard, pair.SignCert}, {pair.SignCert, pair.EncCert, gm.CertPEM, standard}, {pair.EncCert, []byte("text")}} {
		var text []byte
		for _, part := range field {
			text = append(text, part...)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, field []byte) {
		blocks := IdentityCertificates(field)
		first, _ := pem.Decode(field)
		_ = Check(first)
		if first == nil {
			require.Empty(t, blocks)
			return
		}
		require.Equal(t, first, blocks[0])
		if len(blocks) == 1 {
			return
		}
		require.Len(t, blocks, 2)
		a, err := x509.ParseCertificate(blocks[0].Bytes)
		require.NoError(t, err)
		b, err := x509.ParseCertificate(blocks[1].Bytes)
		require.NoError(t, err)
		require.NotEqual(t, x509.IsSM2(a.PublicKey), x509.IsSM2(b.PublicKey))
		require.False(t, b.IsCA)
		require.NoError(t, Check(blocks[1]))
	})
}
