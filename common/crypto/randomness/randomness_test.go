// SPDX-License-Identifier: Apache-2.0

package randomness

import (
	"crypto/rand"
	"errors"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// example is the sequence of 128 bits that the annexes of GM/T 0005 and NIST SP 800-22 compute with.
const example = "11001100000101010110110001001100111000000000001001001101010100010001001111010110100000001101011111001100111001101101100010110010"

// pi are the first 100 bits of the number, which SP 800-22 computes with.
const pi = "1100100100001111110110101010001000100001011010001100001000110100110001001100011001100010100010111000"

func bitsOf(text string) (e []byte) {
	for _, c := range text {
		e = append(e, byte(c-'0'))
	}
	return e
}

// TestExamplesOfTheStandards compares with P-values that are printed in GM/T 0005-2021, annex C, and in NIST SP 800-22.
func TestExamplesOfTheStandards(t *testing.T) {
	e := bitsOf(example)
	for name, test := range map[string]struct {
		got  []float64
		want []float64
	}{
		"monobit":                  {monobit(e), []float64{0.215925}},
		"block frequency, m=10":    {blockFrequency(bitsOf(pi), 10), []float64{0.706438}},
		"poker, m=4":               {poker(e, 4), []float64{0.213734}},
		"serial, m=2":              {serial(e, 2), []float64{0.436868, 0.723674}},
		"runs":                     {runs(e), []float64{0.620729}},
		"runs distribution":        {runsDistribution(e), []float64{0.970152}},
		"longest run, m=8":         {longestRunOf(e, 8, 1, []float64{0.2148, 0.3672, 0.2305, 0.1875}), []float64{0.180609}},
		"binary derivative, k=3":   {derivative(e, 3), []float64{0.039669}},
		"autocorrelation, d=1":     {autocorrelation(e, 1), []float64{0.790080}},
		"cumulative sums":          {cumulativeSums(bitsOf(pi)), []float64{0.219194, 0.114866}},
		"approximate entropy, m=2": {approximateEntropy(bitsOf(pi), 2), []float64{0.235301}},
		// SP 800-22, 2.2.8, 2.11.8 and 2.12.8 take others.
		"SP 800-22, block frequency": {blockFrequency(bitsOf("0110011010"), 3), []float64{0.801252}},
		"SP 800-22, serial":          {serial(bitsOf("0011011101"), 3), []float64{0.808792, 0.670320}},
		"SP 800-22, entropy":         {approximateEntropy(bitsOf("0100110101"), 3), []float64{0.261961}},
		"SP 800-22, sums":            {[]float64{cumulativeSum(bitsOf("1011010111"))}, []float64{0.4116588}},
	} {
		for i, want := range test.want {
			if math.Abs(test.got[i]-want) > 2e-5 {
				t.Errorf("%s: P is %v, and the standard prints %v", name, test.got, test.want)
			}
		}
	}
}

func TestRank(t *testing.T) {
	identity := make([]uint32, 32)
	for i := range identity {
		identity[i] = 1 << i
	}
	require.Equal(t, 32, rank(identity))
	identity[3] = identity[4] ^ identity[9]
	require.Equal(t, 31, rank(identity))
	require.Zero(t, rank(make([]uint32, 32)))
}

func TestSystemIsRandom(t *testing.T) { require.NoError(t, Check(rand.Reader)) }

type reader func(p []byte)

func (r reader) Read(p []byte) (int, error) { r(p); return len(p), nil }

// TestBrokenGenerators are noticed; each by the test that is named, which must be among those that fail.
func TestBrokenGenerators(t *testing.T) {
	fill := func(change func(i int, p []byte)) io.Reader {
		return reader(func(p []byte) {
			_, err := rand.Read(p)
			require.NoError(t, err)
			for i := range p {
				change(i, p)
			}
		})
	}
	for name, test := range map[string]struct {
		r     io.Reader
		fails string
	}{
		"zeros":             {fill(func(i int, p []byte) { p[i] = 0 }), "monobit frequency"},
		"alternating":       {fill(func(i int, p []byte) { p[i] = 0x55 }), "total of runs"},
		"a counter":         {fill(func(i int, p []byte) { p[i] = byte(i) }), "rank of matrices"},
		"a bit always set":  {fill(func(i int, p []byte) { p[i] |= 1 }), "monobit frequency"},
		"every byte twice":  {fill(func(i int, p []byte) { p[i] = p[i&^1] }), "autocorrelation, d=8"},
		"every pair twice":  {fill(func(i int, p []byte) { p[i] = p[i&^3+i&1] }), "autocorrelation, d=16"},
		"four bytes repeat": {fill(func(i int, p []byte) { p[i] = p[i&3] }), "rank of matrices"},
		"slightly more ones": {fill(func(i int, p []byte) {
			if i%8 == 0 {
				p[i] |= 0xf
			}
		}), "cumulative sums"},
	} {
		t.Run(name, func(t *testing.T) {
			var e *Error
			require.ErrorAs(t, Check(test.r), &e)
			failed, err := attemptOnce(test.r)
			require.NoError(t, err)
			var names []string
			for _, f := range failed {
				names = append(names, f.Test)
			}
			require.Contains(t, names, test.fails)
		})
	}
	gone := errors.New("gone")
	require.ErrorIs(t, Check(iotest.ErrReader(gone)), gone)
}
