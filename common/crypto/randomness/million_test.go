// SPDX-License-Identifier: Apache-2.0

package randomness

import (
	"math"
	"math/big"
	"math/cmplx"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

// eulersNumber is the beginning of the binary expansion of e, which annex B of SP 800-22 puts to every test.
func eulersNumber(n int) []byte {
	var sum func(from, to int64) (p, q *big.Int) // p/q is the sum of from!/k! over from < k <= to
	sum = func(from, to int64) (p, q *big.Int) {
		if to-from == 1 {
			return big.NewInt(1), big.NewInt(to)
		}
		middle := (from + to) / 2
		p1, q1 := sum(from, middle)
		p2, q2 := sum(middle, to)
		return p1.Mul(p1, q2).Add(p1, p2), q2.Mul(q2, q1)
	}
	p, q := sum(0, 100000)
	p.Add(p, q) // 1/0!
	return bitsOf(p.Lsh(p, uint(n-2)).Quo(p, q).Text(2))
}

// rootOfTwo is the beginning of the binary expansion of the square root of 2.
func rootOfTwo(n int) []byte {
	two := big.NewInt(2)
	return bitsOf(two.Sqrt(two.Lsh(two, uint(2*n-2))).Text(2))
}

// TestAnnexOfSP80022 compares with the P-values that annex B of NIST SP 800-22 prints for a million bits of two numbers, and where GM/T 0005
// rounds otherwise, with those of its annex C.
func TestAnnexOfSP80022(t *testing.T) {
	const n = 1000000
	e, root := eulersNumber(n), rootOfTwo(n)
	require.Len(t, e, n)
	require.Len(t, root, n)
	for name, test := range map[string]struct {
		got  []Value
		want []float64 // P
	}{
		"e, frequency":                  {monobit(e), []float64{0.953749}},
		"e, block frequency":            {blockFrequency(e, 128), []float64{0.211072}},
		"e, cumulative sums":            {cumulativeSums(e), []float64{0.669887, 0.724266}},
		"e, runs":                       {runs(e), []float64{0.561917}},
		"e, longest run":                {longestRunOfMany(e), []float64{0.718945}},
		"e, spectrum":                   {spectrumBy(e, 4), []float64{0.847187}},
		"e, universal":                  {universal(e), []float64{0.282568}},
		"e, entropy":                    {approximateEntropy(e, 10), []float64{0.700073}},
		"e, serial":                     {serial(e, 16)[:1], []float64{0.766182}},
		"e, linear complexity, m=500":   {linearComplexityBy(e, 500, 0.01047), []float64{0.826335}},
		"e, linear complexity, m=1000":  {linearComplexityBy(e, 1000, 0.01047), []float64{0.845406}},
		"root of 2, frequency":          {monobit(root), []float64{0.811881}},
		"root of 2, spectrum":           {spectrumBy(root, 4), []float64{0.581909}},
		"root of 2, universal":          {universal(root), []float64{0.130805}},
		"root of 2, linear complexity":  {linearComplexityBy(root, 500, 0.01047), []float64{0.317127}},
		"e, linear complexity, GM/T":    {linearComplexity(e, 1000), []float64{0.844721}},
		"e, rank, GM/T":                 {matrixRank(e), []float64{0.307543}},
		"pi, spectrum of GM/T 0005":     {spectrum(bitsOf(pi)), []float64{0.654721}},
		"pi, spectrum of NIST SP800-22": {spectrumBy(bitsOf(pi), 4), []float64{0.646355}},
	} {
		for i, want := range test.want {
			if math.Abs(test.got[i].P-want) > 2e-6 {
				t.Errorf("%s: P is %v, and the standard prints %v", name, test.got, test.want)
			}
		}
	}
}

// TestRegisterLength has the example of SP 800-22, 2.10.4, and what is known without computing.
func TestRegisterLength(t *testing.T) {
	require.Equal(t, 4, registerLength(bitsOf("1101011110001")))
	require.Equal(t, 0, registerLength(make([]byte, 500)))
	one := make([]byte, 500)
	one[499] = 1
	require.Equal(t, 500, registerLength(one))
	lfsr := bitsOf("10000000000000000")
	for len(lfsr) < 1000 { // x^17 + x^14 + 1
		lfsr = append(lfsr, lfsr[len(lfsr)-17]^lfsr[len(lfsr)-14])
	}
	require.Equal(t, 17, registerLength(lfsr))
}

// TestFourier compares with the sum of the definition.
func TestFourier(t *testing.T) {
	for _, n := range []int{2, 10, 64, 90, 250} {
		e := make([]byte, n)
		for i := range e {
			e[i] = byte(rand.Intn(2))
		}
		for k, got := range fourier(e) {
			var want complex128
			for i, b := range e {
				want += complex(2*float64(b)-1, 0) * cmplx.Rect(1, -2*math.Pi*float64(i*k%n)/float64(n))
			}
			require.InDelta(t, 0, cmplx.Abs(want-got), 1e-9, "n=%d, k=%d", n, k)
		}
	}
}
