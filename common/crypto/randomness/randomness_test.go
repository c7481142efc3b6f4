// SPDX-License-Identifier: Apache-2.0

package randomness

import (
	"bytes"
	"errors"
	"io"
	"math"
	mathrand "math/rand/v2"
	"strings"
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
		got  []Value
		want []float64 // P
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
		"SP 800-22, sums":            {same(cumulativeSum(bitsOf("1011010111"))), []float64{0.4116588}},
	} {
		for i, want := range test.want {
			if math.Abs(test.got[i].P-want) > 2e-5 {
				t.Errorf("%s: P is %v, and the standard prints %v", name, test.got, test.want)
			}
		}
	}
}

// TestQValuesOfTheStandard compares with Q-values that are printed in GM/T 0005-2021, annex C. Those of the other tests are their P-values.
func TestQValuesOfTheStandard(t *testing.T) {
	e := bitsOf(example)
	for name, test := range map[string]struct {
		got  []Value
		want float64
	}{
		"monobit":                {monobit(e), 0.892038},
		"runs":                   {runs(e), 0.310364},
		"binary derivative, k=3": {derivative(e, 3), 0.980166},
		"autocorrelation, d=1":   {autocorrelation(e, 1), 0.395040},
		"spectrum of pi":         {spectrum(bitsOf(pi)), 0.327360},
		"universal of e":         {universal(eulersNumber(1000000)), 0.141284},
	} {
		require.InDelta(t, test.want, test.got[0].Q, 2e-6, name)
	}
	for _, v := range append(serial(e, 2), append(cumulativeSums(e), append(poker(e, 4), blockFrequency(e, 10)...)...)...) {
		require.Equal(t, v.P, v.Q)
	}
}

// TestEvenness compares with what SP 800-22 prints in its example of a report (two lines of a hundred samples), and with values of the
// incomplete gamma function that were computed from the complementary error function.
func TestEvenness(t *testing.T) {
	for _, test := range []struct {
		counts [intervals]int
		want   float64
	}{
		{[intervals]int{6, 12, 9, 12, 8, 7, 8, 12, 15, 11}, 0.616305},
		{[intervals]int{11, 11, 12, 6, 10, 9, 8, 9, 17, 7}, 0.474986},
		{[intervals]int{2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, 1},
		{[intervals]int{9, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 0.000648041177},
		{[intervals]int{0, 0, 0, 0, 10, 0, 0, 0, 0, 10}, 1.61613141565e-13},
	} {
		var values []Value
		for i, n := range test.counts {
			for j := range n {
				values = append(values, Value{Q: (float64(i) + float64(j)/20) / intervals})
			}
		}
		require.InEpsilon(t, test.want, evenness(values), 2e-6, "%v", test.counts)
	}
	edges := []Value{{Q: 0}, {Q: 1}, {Q: 0.1}, {Q: 0.3}, {Q: 0.2}, {Q: 0.45}, {Q: 0.55}, {Q: 0.65}, {Q: 0.75}, {Q: 0.85}}
	require.Equal(t, 1.0, evenness(edges), "0 and 1 lie in the first and the last interval")
}

// TestUnevenSamples: samples of which each passes all tests, and which are no random ones together: as many ones as zeros in each.
func TestUnevenSamples(t *testing.T) {
	source := noise()
	choice := mathrand.New(source)
	balanced := reader(func(p []byte) {
		_, err := source.Read(p)
		require.NoError(t, err)
		e := Expand(p)
		for excess := 2*ones(e) - len(e); excess != 0; excess = 2*ones(e) - len(e) { // a bit of which there are too many becomes the other
			if at := choice.IntN(len(e)); e[at] == 1 == (excess > 0) {
				e[at] ^= 1
				p[at/8] ^= 0x80 >> (at % 8)
			}
		}
	})
	var e *Error
	require.ErrorAs(t, Check(balanced), &e)
	require.Contains(t, e.Test, ", Q-values")
	require.EqualError(t, e, `random bytes fail the test "`+e.Test+`" of GM/T 0005: those of 20 samples are not distributed evenly`)
	failed, err := suite{periodic, 20000}.attempt(balanced)
	require.NoError(t, err)
	require.Equal(t, "monobit frequency, Q-values", failed[0].Test)
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

// noise is a good generator. Its bytes are the same in each run: of chance, one call of Check in 10,000 fails.
func noise() *mathrand.ChaCha8 { return mathrand.NewChaCha8([32]byte{1}) }

func TestGoodGeneratorPasses(t *testing.T) {
	r := noise()
	require.NoError(t, Check(r))
	require.NoError(t, CheckFully(r))
}

// TestAllFifteen: no test of GM/T 0005 is missing.
func TestAllFifteen(t *testing.T) {
	names := map[string]bool{}
	for _, test := range full {
		name, _, _ := strings.Cut(strings.NewReplacer("of ones ", "", "of zeros ", "").Replace(test.Name), ",")
		names[name] = true
	}
	require.Len(t, names, 15)
	require.Len(t, full, len(periodic)+4)
}

type reader func(p []byte)

func (r reader) Read(p []byte) (int, error) { r(p); return len(p), nil }

// TestBrokenGenerators are noticed; each by the test that is named, which must be among those that fail.
func TestBrokenGenerators(t *testing.T) {
	fill := func(change func(i int, p []byte)) io.Reader {
		source := noise()
		return reader(func(p []byte) {
			_, err := source.Read(p)
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
			failed, err := suite{periodic, 20000}.attempt(test.r)
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

// TestLongSamples: each of the three tests that need a million bits notices a generator that the twelve others, on short samples, pass.
func TestLongSamples(t *testing.T) {
	short := make([]byte, 5000)
	_, err := noise().Read(short) // of chance, a short period can look like none
	require.NoError(t, err)
	period := bytes.Repeat(short, 25)
	register := Expand(short[:20])
	for len(register) < 1000000 { // x^160 + x^5 + x^3 + x^2 + 1
		n := len(register)
		register = append(register, register[n-160]^register[n-157]^register[n-158]^register[n-155])
	}
	require.Less(t, spectrum(Expand(period))[0].P, Alpha)
	require.Less(t, universal(Expand(bytes.Repeat(short[:997], 126)[:125000]))[0].P, Alpha)
	require.Less(t, linearComplexity(register, 500)[0].P, Alpha)
	require.GreaterOrEqual(t, monobit(register)[0].P, 1e-6, "the register is no worse to the others")
}
