// SPDX-License-Identifier: Apache-2.0

package randomness

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// longestRunOfMany is for samples of a million bits, whose blocks have 10,000.
func longestRunOfMany(e []byte) []Value {
	return longestRunOf(e, 10000, 10, []float64{0.0882, 0.2092, 0.2483, 0.1933, 0.1208, 0.0675, 0.0727})
}

// linearComplexity asks of each block of m bits how long the shortest feedback register is that gives them.
func linearComplexity(e []byte, m int) []Value { return linearComplexityBy(e, m, 0.010417) }

// linearComplexityBy takes how often t is at most -2.5. SP 800-22 prints one number and its program computes with another.
func linearComplexityBy(e []byte, m int, least float64) []Value {
	expected := []float64{least, 0.03125, 0.125, 0.5, 0.25, 0.0625, 0.020833}
	counts := make([]float64, len(expected))
	blocks, sign := len(e)/m, 1-2*float64(m%2)
	// The last term of the mean, (m/3 + 2/9) / 2^m, is nothing for blocks of hundreds of bits.
	mean := float64(m)/2 + (9-sign)/36
	for i := range blocks {
		t := sign*(float64(registerLength(e[i*m:(i+1)*m]))-mean) + 2.0/9
		counts[int(min(max(math.Ceil(t+2.5), 0), 6))]++ // up to -2.5, -1.5, … 2.5, and more
	}
	v := 0.0
	for i, p := range expected {
		d := counts[i] - float64(blocks)*p
		v += d * d / (float64(blocks) * p)
	}
	return same(upperGamma(float64(len(expected)-1)/2, v/2))
}

// registerLength is the linear complexity of e, by the algorithm of Berlekamp and Massey with 64 coefficients a word.
func registerLength(e []byte) int {
	words := len(e)/64 + 1
	current, before, kept := make([]uint64, words), make([]uint64, words), make([]uint64, words)
	recent := make([]uint64, words) // the bits up to the present one, which is the lowest
	current[0], before[0] = 1, 1
	length := 0
	for i, bit := range e {
		shift(recent)
		recent[0] |= uint64(bit)
		shift(before)
		odd := uint64(0)
		for w, c := range current {
			odd ^= c & recent[w]
		}
		if bits.OnesCount64(odd)%2 == 0 {
			continue
		}
		copy(kept, current)
		for w, b := range before {
			current[w] ^= b
		}
		if 2*length <= i {
			length = i + 1 - length
			copy(before, kept)
		}
	}
	return length
}

// shift multiplies by two; the lowest word is the first.
func shift(words []uint64) {
	carry := uint64(0)
	for i, w := range words {
		words[i], carry = w<<1|carry, w>>63
	}
}

// universal is Maurer's test: how far apart equal words of 7 bits are, after 1,280 words to begin with.
func universal(e []byte) []Value {
	const size, first, mean, variance = 7, 1280, 6.1962507, 3.125
	var last [1 << size]int
	sum, words := 0.0, len(e)/size
	for i := 1; i <= words; i++ {
		value := 0
		for _, b := range e[(i-1)*size : i*size] {
			value = value<<1 | int(b)
		}
		if i > first {
			sum += math.Log2(float64(i - last[value]))
		}
		last[value] = i
	}
	k := float64(words - first)
	deviation := (0.7 - 0.8/size + (4+32.0/size)*math.Pow(k, -3.0/size)/15) * math.Sqrt(variance/k)
	return twoSided((sum/k - mean) / deviation)
}

// spectrum looks for periods. GM/T 0005 takes a larger variance than SP 800-22, which divides by 4.
func spectrum(e []byte) []Value { return spectrumBy(e, 3.8) }

func spectrumBy(e []byte, divisor float64) []Value {
	n := float64(len(e))
	below, limit := 0.0, math.Sqrt(math.Log(1/0.05)*n)
	for _, x := range fourier(e) {
		if cmplx.Abs(x) < limit {
			below++
		}
	}
	return twoSided((below - 0.95*n/2) / math.Sqrt(n*0.95*0.05/divisor))
}

// fourier is the first half of the discrete Fourier transform of e, zeros taken as -1. The length is even. Two bits are one complex
// number, so that it takes half the work.
func fourier(e []byte) []complex128 {
	half := len(e) / 2
	in, out, roots := make([]complex128, half), make([]complex128, half), make([]complex128, half)
	for i := range half {
		in[i] = complex(2*float64(e[2*i])-1, 2*float64(e[2*i+1])-1)
		roots[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/float64(half))
	}
	transform(out, in, half, 1, roots)
	for k := range half { // the sums over even and over odd places, which in holds no more
		mirrored := cmplx.Conj(out[(half-k)%half])
		even, odd := (out[k]+mirrored)/2, (out[k]-mirrored)/complex(0, 2)
		in[k] = even + odd*cmplx.Rect(1, -math.Pi*float64(k)/float64(half))
	}
	return in
}

// transform writes the discrete Fourier transform of the n values in[0], in[stride], … to out. roots are the powers of the first
// len(roots)-th root of unity; n*stride of them.
func transform(out, in []complex128, n, stride int, roots []complex128) {
	if n == 1 {
		out[0] = in[0]
		return
	}
	factor := 2
	for n%factor != 0 {
		factor++
	}
	part := n / factor
	for r := range factor {
		transform(out[r*part:(r+1)*part], in[r*stride:], part, stride*factor, roots)
	}
	terms := make([]complex128, factor)
	for k := range part {
		for r := range factor {
			terms[r] = out[r*part+k] * roots[r*k*stride]
		}
		for q := range factor {
			sum := terms[0]
			for r := 1; r < factor; r++ {
				sum += terms[r] * roots[r*q*part*stride%len(roots)]
			}
			out[q*part+k] = sum
		}
	}
}
