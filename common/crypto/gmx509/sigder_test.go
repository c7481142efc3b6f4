// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

type pair struct{ R, S *big.Int }

func encodePair(t testing.TB, r, s *big.Int) []byte {
	t.Helper()
	der, err := asn1.Marshal(pair{r, s})
	require.NoError(t, err)
	return der
}

// GM/T 0009, section 7.3, and the range of r and s of GB/T 32918.2, section 7.1.
func TestSM2SignatureEncoding(t *testing.T) {
	n := sm2.P256().Params().N
	one := big.NewInt(1)
	last := new(big.Int).Sub(n, one)
	for name, c := range map[string]struct {
		sig []byte
		err error
	}{
		"smallest":                    {encodePair(t, one, one), nil},
		"largest":                     {encodePair(t, last, last), nil},
		"short, of the highest bytes": {encodePair(t, big.NewInt(1<<32-1), one), nil},
		"r zero":                      {encodePair(t, new(big.Int), one), errSM2SignatureRange},
		"s zero":                      {encodePair(t, one, new(big.Int)), errSM2SignatureRange},
		"r is n":                      {encodePair(t, n, one), errSM2SignatureRange},
		"s is n":                      {encodePair(t, one, n), errSM2SignatureRange},
		"r negative":                  {encodePair(t, big.NewInt(-1), one), errSM2SignatureDER},
		"r very long":                 {encodePair(t, new(big.Int).Lsh(one, 400), one), errSM2SignatureRange},
		"empty":                       {nil, errSM2SignatureDER},
		"padded integer":              {unhex(t, "3007 0202 0001 0201 01"), errSM2SignatureDER},
		"long form of length":         {unhex(t, "308106 020101 020101"), errSM2SignatureDER},
		"long form inside":            {unhex(t, "3007 02810101 020101"), errSM2SignatureDER},
		"indefinite length":           {unhex(t, "3080 020101 020101 0000"), errSM2SignatureDER},
		"data behind":                 {append(encodePair(t, one, one), 0), errSM2SignatureDER},
		"a third integer":             {unhex(t, "3009 020101 020101 020101"), errSM2SignatureDER},
		"one integer":                 {unhex(t, "3003 020101"), errSM2SignatureDER},
		"set":                         {unhex(t, "3106 020101 020101"), errSM2SignatureDER},
		"octet strings":               {unhex(t, "3006 040101 040101"), errSM2SignatureDER},
		"bare r and s":                {make([]byte, 64), errSM2SignatureDER},
		"integer without a content":   {unhex(t, "3005 0200 020101"), errSM2SignatureDER},
		"length beyond the end":       {unhex(t, "3008 020101 020101"), errSM2SignatureDER},
		"negative by a missing zero":  {unhex(t, "3006 020181 020101"), errSM2SignatureDER},
	} {
		require.ErrorIs(t, CheckSM2SignatureDER(c.sig), c.err, name)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	compact := make([]byte, 0, len(text))
	for i := range text {
		if text[i] != ' ' {
			compact = append(compact, text[i])
		}
	}
	out, err := hex.DecodeString(string(compact))
	require.NoError(t, err)
	return out
}

// Whatever is accepted is what encoding its r and s gives: there is no second encoding.
func FuzzSM2SignatureDER(f *testing.F) {
	f.Add(fixture(f, "message.sig"))
	f.Add(encodePair(f, big.NewInt(1), sm2.P256().Params().N))
	f.Fuzz(func(t *testing.T, sig []byte) {
		if CheckSM2SignatureDER(sig) != nil {
			return
		}
		var p pair
		rest, err := asn1.Unmarshal(sig, &p)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, encodePair(t, p.R, p.S), sig)
		n := sm2.P256().Params().N
		for _, v := range []*big.Int{p.R, p.S} {
			require.Positive(t, v.Sign())
			require.Negative(t, v.Cmp(n))
		}
	})
}
