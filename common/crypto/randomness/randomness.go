// SPDX-License-Identifier: Apache-2.0

// Package randomness tests whether bits look random. It has the fifteen tests of GM/T 0005-2021 on samples of a million bits, the twelve of
// them that samples of 20,000 bits allow, and a test of each byte while it is used. These statistics find a broken generator. They cannot
// show that a generator is unpredictable.
package randomness

import (
	"fmt"
	"math"
	"math/bits"
)

// Alpha is the significance level of GM/T 0005: a sample passes a test if its P-value is not below.
const Alpha = 0.01

// alphaT is the significance level at which it judges whether the Q-values of the samples are distributed evenly.
const alphaT = 0.0001

// Value is what a test says of a sample, both from 0 to 1. A sample that is not random has a low P. The Q of random samples are
// distributed evenly; it differs from P where a test looks for too much and for too little of something.
type Value struct{ P, Q float64 }

// Test is one test with its parameter.
type Test struct {
	Name string
	// Values returns one or two values of bits, each of which is 0 or 1.
	Values func(bits []byte) []Value
}

// periodic are the tests of a module in use.
var periodic = tests(1000, 128, longestRun)

// full are all fifteen, for a million bits.
var full = append(tests(10000, 10000, longestRunOfMany),
	Test{"linear complexity, m=500", func(e []byte) []Value { return linearComplexity(e, 500) }},
	Test{"linear complexity, m=1000", func(e []byte) []Value { return linearComplexity(e, 1000) }},
	Test{"Maurer's universal, L=7", universal},
	Test{"discrete Fourier transform", spectrum},
)

// tests returns the twelve that both lengths of samples allow. The blocks of two of them depend on the length.
func tests(frequencyBlock, runBlock int, longest func([]byte) []Value) []Test {
	return []Test{
		{"monobit frequency", monobit},
		{fmt.Sprintf("frequency within a block, m=%d", frequencyBlock), func(e []byte) []Value { return blockFrequency(e, frequencyBlock) }},
		{"poker, m=4", func(e []byte) []Value { return poker(e, 4) }},
		{"poker, m=8", func(e []byte) []Value { return poker(e, 8) }},
		{"overlapping subsequences, m=3", func(e []byte) []Value { return serial(e, 3) }},
		{"overlapping subsequences, m=5", func(e []byte) []Value { return serial(e, 5) }},
		{"total of runs", runs},
		{"distribution of runs", runsDistribution},
		{fmt.Sprintf("longest run of ones in a block, m=%d", runBlock), longest},
		{fmt.Sprintf("longest run of zeros in a block, m=%d", runBlock), func(e []byte) []Value { return longest(inverted(e)) }},
		{"binary derivative, k=3", func(e []byte) []Value { return derivative(e, 3) }},
		{"binary derivative, k=7", func(e []byte) []Value { return derivative(e, 7) }},
		{"autocorrelation, d=1", func(e []byte) []Value { return autocorrelation(e, 1) }},
		{"autocorrelation, d=2", func(e []byte) []Value { return autocorrelation(e, 2) }},
		{"autocorrelation, d=8", func(e []byte) []Value { return autocorrelation(e, 8) }},
		{"autocorrelation, d=16", func(e []byte) []Value { return autocorrelation(e, 16) }},
		{"rank of matrices", matrixRank},
		{"cumulative sums", cumulativeSums},
		{"approximate entropy, m=2", func(e []byte) []Value { return approximateEntropy(e, 2) }},
		{"approximate entropy, m=5", func(e []byte) []Value { return approximateEntropy(e, 5) }},
	}
}

// Expand returns the bits of data, the highest of each byte first.
func Expand(data []byte) []byte {
	e := make([]byte, 0, 8*len(data))
	for _, b := range data {
		for i := 7; i >= 0; i-- {
			e = append(e, b>>i&1)
		}
	}
	return e
}

func inverted(e []byte) []byte {
	other := make([]byte, len(e))
	for i, b := range e {
		other[i] = b ^ 1
	}
	return other
}

func ones(e []byte) (sum int) {
	for _, b := range e {
		sum += int(b)
	}
	return sum
}

// twoSided gives the values of a standard normal variable.
func twoSided(v float64) []Value {
	return []Value{{P: math.Erfc(math.Abs(v) / math.Sqrt2), Q: math.Erfc(v/math.Sqrt2) / 2}}
}

// same gives values whose Q is P.
func same(ps ...float64) []Value {
	values := make([]Value, len(ps))
	for i, p := range ps {
		values[i] = Value{p, p}
	}
	return values
}

func monobit(e []byte) []Value {
	return twoSided(float64(2*ones(e)-len(e)) / math.Sqrt(float64(len(e))))
}

func blockFrequency(e []byte, m int) []Value {
	blocks := len(e) / m
	v := 0.0
	for i := range blocks {
		d := float64(ones(e[i*m:(i+1)*m]))/float64(m) - 0.5
		v += d * d
	}
	return same(upperGamma(float64(blocks)/2, 2*float64(m)*v))
}

func poker(e []byte, m int) []Value {
	counts := make([]float64, 1<<m)
	blocks := len(e) / m
	for i := range blocks {
		value := 0
		for _, b := range e[i*m : (i+1)*m] {
			value = value<<1 | int(b)
		}
		counts[value]++
	}
	return same(upperGamma(float64(len(counts)-1)/2, (float64(len(counts))*squares(counts)/float64(blocks)-float64(blocks))/2))
}

func squares(counts []float64) (sum float64) {
	for _, c := range counts {
		sum += c * c
	}
	return sum
}

// windows counts the values of the m bits from each place on, the sequence taken as a ring.
func windows(e []byte, m int) []float64 {
	counts := make([]float64, 1<<m)
	value, mask := 0, 1<<m-1
	for i := range len(e) + m - 1 {
		value = (value<<1 | int(e[i%len(e)])) & mask
		if i >= m-1 {
			counts[value]++
		}
	}
	return counts
}

func serial(e []byte, m int) []Value {
	n := float64(len(e))
	psi := func(m int) float64 {
		if m <= 0 {
			return 0
		}
		counts := windows(e, m)
		return float64(len(counts))/n*squares(counts) - n
	}
	once := psi(m) - psi(m-1)
	twice := psi(m) - 2*psi(m-1) + psi(m-2)
	return same(upperGamma(math.Exp2(float64(m-2)), once/2), upperGamma(math.Exp2(float64(m-3)), twice/2))
}

func runs(e []byte) []Value {
	n, p := float64(len(e)), float64(ones(e))/float64(len(e))
	if p == 0 || p == 1 {
		return same(0) // the formula divides by both
	}
	total := 1.0
	for i := 1; i < len(e); i++ {
		if e[i] != e[i-1] {
			total++
		}
	}
	return twoSided((total - 2*n*p*(1-p)) / (2 * math.Sqrt(n) * p * (1 - p)))
}

func runsDistribution(e []byte) []Value {
	n, k := float64(len(e)), 1
	for (n-float64(k+1)+3)/math.Exp2(float64(k+3)) >= 5 {
		k++
	}
	counts := [2][]float64{make([]float64, k+1), make([]float64, k+1)} // runs of k bits and more in the last place
	total := 0.0
	for i := 0; i < len(e); {
		j := i
		for j < len(e) && e[j] == e[i] {
			j++
		}
		counts[e[i]][min(j-i, k)]++
		total++
		i = j
	}
	v := 0.0
	for i := 1; i <= k; i++ {
		expected := total / math.Exp2(float64(min(i+1, k)))
		for _, of := range counts {
			d := of[i] - expected
			v += d * d / expected
		}
	}
	return same(upperGamma(float64(k-1), v/2))
}

func longestRun(e []byte) []Value {
	// For blocks of 128 bits: up to 4, 5, 6, 7, 8, 9 and more.
	return longestRunOf(e, 128, 4, []float64{0.1174, 0.2430, 0.2493, 0.1752, 0.1027, 0.1124})
}

func longestRunOf(e []byte, m, least int, expected []float64) []Value {
	counts := make([]float64, len(expected))
	blocks := len(e) / m
	for i := range blocks {
		longest, run := 0, 0
		for _, b := range e[i*m : (i+1)*m] {
			if run++; b == 0 {
				run = 0
			}
			longest = max(longest, run)
		}
		counts[min(max(longest-least, 0), len(counts)-1)]++
	}
	v := 0.0
	for i, p := range expected {
		d := counts[i] - float64(blocks)*p
		v += d * d / (float64(blocks) * p)
	}
	return same(upperGamma(float64(len(expected)-1)/2, v/2))
}

func derivative(e []byte, k int) []Value {
	d := append([]byte(nil), e...)
	for range k {
		for i := range len(d) - 1 {
			d[i] ^= d[i+1]
		}
		d = d[:len(d)-1]
	}
	return monobit(d)
}

func autocorrelation(e []byte, d int) []Value {
	differing := 0
	for i := range len(e) - d {
		differing += int(e[i] ^ e[i+d])
	}
	n := float64(len(e) - d)
	return twoSided(2 * (float64(differing) - n/2) / math.Sqrt(n))
}

// matrixRank takes matrices of 32 by 32 bits.
func matrixRank(e []byte) []Value {
	const size = 32
	expected := []float64{0.2888, 0.5776, 0.1336} // of rank 32, 31, less
	counts := make([]float64, len(expected))
	matrices := len(e) / (size * size)
	for i := range matrices {
		var rows [size]uint32
		for r := range rows {
			for _, b := range e[(i*size+r)*size : (i*size+r+1)*size] {
				rows[r] = rows[r]<<1 | uint32(b)
			}
		}
		counts[min(size-rank(rows[:]), 2)]++
	}
	v := 0.0
	for i, p := range expected {
		d := counts[i] - float64(matrices)*p
		v += d * d / (float64(matrices) * p)
	}
	return same(upperGamma(1, v/2))
}

// rank eliminates rows over GF(2).
func rank(rows []uint32) (rank int) {
	for i := range rows {
		if rows[i] == 0 {
			continue
		}
		rank++
		pivot := uint32(1) << (31 - bits.LeadingZeros32(rows[i]))
		for j := i + 1; j < len(rows); j++ {
			if rows[j]&pivot != 0 {
				rows[j] ^= rows[i]
			}
		}
	}
	return rank
}

func cumulativeSums(e []byte) []Value {
	backward := make([]byte, len(e))
	for i, b := range e {
		backward[len(e)-1-i] = b
	}
	return same(cumulativeSum(e), cumulativeSum(backward))
}

func cumulativeSum(e []byte) float64 {
	sum, z := 0, 0
	for _, b := range e {
		sum += 2*int(b) - 1
		z = max(z, sum, -sum)
	}
	n, largest := float64(len(e)), float64(z)
	normal := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	root, p := math.Sqrt(n), 1.0
	for i := math.Trunc((-n/largest + 1) / 4); i <= math.Trunc((n/largest-1)/4); i++ {
		p -= normal((4*i+1)*largest/root) - normal((4*i-1)*largest/root)
	}
	for i := math.Trunc((-n/largest - 3) / 4); i <= math.Trunc((n/largest-1)/4); i++ {
		p += normal((4*i+3)*largest/root) - normal((4*i+1)*largest/root)
	}
	return p
}

func approximateEntropy(e []byte, m int) []Value {
	n := float64(len(e))
	phi := func(m int) (sum float64) {
		for _, c := range windows(e, m) {
			if c > 0 {
				sum += c / n * math.Log(c/n)
			}
		}
		return sum
	}
	return same(upperGamma(math.Exp2(float64(m-1)), n*(math.Ln2-phi(m)+phi(m+1))))
}

// upperGamma is the regularised upper incomplete gamma function Q(a, x), for a > 0.
func upperGamma(a, x float64) float64 {
	if x <= 0 {
		return 1
	}
	logGamma, _ := math.Lgamma(a)
	scale := math.Exp(a*math.Log(x) - x - logGamma)
	const tiny, epsilon, most = 1e-300, 1e-15, 100000
	if x < a+1 { // the series of the lower function
		term := 1 / a
		sum := term
		for i := 1; i < most && term > sum*epsilon; i++ {
			term *= x / (a + float64(i))
			sum += term
		}
		return 1 - scale*sum
	}
	// The continued fraction, by Lentz's method.
	b := x + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for i := 1; i < most; i++ {
		f := float64(i)
		b += 2
		d = -f*(f-a)*d + b
		c = b - f*(f-a)/c
		if math.Abs(d) < tiny {
			d = tiny
		}
		if math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		h *= d * c
		if math.Abs(d*c-1) < epsilon {
			break
		}
	}
	return scale * h
}

// Error says which test the bytes of a generator failed.
type Error struct {
	Test   string
	Reason string
	always bool // no sample passes
}

func (e *Error) Error() string {
	return fmt.Sprintf("random bytes fail the test %q of GM/T 0005: %s", e.Test, e.Reason)
}
