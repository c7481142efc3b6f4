// SPDX-License-Identifier: Apache-2.0

package sm2table

import (
	"encoding/binary"
	"math/big"
	"math/bits"

	"github.com/emmansun/gmsm/sm2"
)

// number has 256 bits, l0 being the least significant. It is a struct since the compiler keeps such a one in registers, and
// no array.
type number struct{ l0, l1, l2, l3 uint64 }

// element is x * 2^256 mod p for an x of the field (Montgomery's form), less than p.
type element = number

// The prime p of the field is 2^256 - 2^224 - 2^96 + 2^64 - 1 (GB/T 32918.5, section 2).
var (
	prime = numberOf(sm2.P256().Params().P)
	order = numberOf(sm2.P256().Params().N)

	one     = numberOf(power(256)) // 1 as an element
	toField = numberOf(power(512)) // mul by it makes an element of a number
)

// power returns 2^exponent mod p.
func power(exponent uint) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), exponent)
	return n.Mod(n, sm2.P256().Params().P)
}

// numberOf takes an n of at most 256 bits.
func numberOf(n *big.Int) number {
	var b [32]byte
	return numberOfBytes(n.FillBytes(b[:]))
}

// numberOfBytes takes 32 bytes, big-endian.
func numberOfBytes(b []byte) number {
	return number{
		l3: binary.BigEndian.Uint64(b),
		l2: binary.BigEndian.Uint64(b[8:]),
		l1: binary.BigEndian.Uint64(b[16:]),
		l0: binary.BigEndian.Uint64(b[24:]),
	}
}

func (a number) isZero() bool { return a == number{} }

// less reports whether a < b.
func (a number) less(b number) bool {
	_, borrow := bits.Sub64(a.l0, b.l0, 0)
	_, borrow = bits.Sub64(a.l1, b.l1, borrow)
	_, borrow = bits.Sub64(a.l2, b.l2, borrow)
	_, borrow = bits.Sub64(a.l3, b.l3, borrow)
	return borrow == 1
}

// plus returns a + b mod 2^256, and the carry.
func (a number) plus(b number) (sum number, carry uint64) {
	s0, c := bits.Add64(a.l0, b.l0, 0)
	s1, c := bits.Add64(a.l1, b.l1, c)
	s2, c := bits.Add64(a.l2, b.l2, c)
	s3, c := bits.Add64(a.l3, b.l3, c)
	return number{s0, s1, s2, s3}, c
}

// reduce returns a + carry * 2^256 mod m, if that is less than 2m. It does not branch, which would cost more than the work
// when it is guessed wrong.
func (a number) reduce(carry uint64, m number) number {
	d0, borrow := bits.Sub64(a.l0, m.l0, 0)
	d1, borrow := bits.Sub64(a.l1, m.l1, borrow)
	d2, borrow := bits.Sub64(a.l2, m.l2, borrow)
	d3, borrow := bits.Sub64(a.l3, m.l3, borrow)
	_, borrow = bits.Sub64(carry, 0, borrow)
	keep := -borrow
	return number{d0 ^ keep&(d0^a.l0), d1 ^ keep&(d1^a.l1), d2 ^ keep&(d2^a.l2), d3 ^ keep&(d3^a.l3)}
}

// addMod returns a + b mod m. Both are less than m.
func addMod(a, b, m number) number {
	sum, carry := a.plus(b)
	return sum.reduce(carry, m)
}

// subMod returns a - b mod m. Both are less than m.
func subMod(a, b, m number) number {
	d0, borrow := bits.Sub64(a.l0, b.l0, 0)
	d1, borrow := bits.Sub64(a.l1, b.l1, borrow)
	d2, borrow := bits.Sub64(a.l2, b.l2, borrow)
	d3, borrow := bits.Sub64(a.l3, b.l3, borrow)
	back := -borrow
	difference, _ := number{d0, d1, d2, d3}.plus(number{m.l0 & back, m.l1 & back, m.l2 & back, m.l3 & back})
	return difference
}

func add(a, b element) element { return addMod(a, b, prime) }
func sub(a, b element) element { return subMod(a, b, prime) }

// mul returns the product of elements by Montgomery's multiplication, which is to say a * b / 2^256 mod p.
func mul(a, b element) element {
	t0, t1, t2, t3, t4 := mulStep(a, b.l0, 0, 0, 0, 0, 0)
	t0, t1, t2, t3, t4 = mulStep(a, b.l1, t0, t1, t2, t3, t4)
	t0, t1, t2, t3, t4 = mulStep(a, b.l2, t0, t1, t2, t3, t4)
	t0, t1, t2, t3, t4 = mulStep(a, b.l3, t0, t1, t2, t3, t4)
	return number{t0, t1, t2, t3}.reduce(t4, prime)
}

func sqr(a element) element { return mul(a, a) }

// mulStep returns (t + a * limb) / 2^64 mod p, not wholly reduced.
func mulStep(a element, limb, t0, t1, t2, t3, t4 uint64) (_, _, _, _, _ uint64) {
	h0, l0 := bits.Mul64(a.l0, limb)
	h1, l1 := bits.Mul64(a.l1, limb)
	h2, l2 := bits.Mul64(a.l2, limb)
	h3, l3 := bits.Mul64(a.l3, limb)
	l1, c := bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	l4 := h3 + c
	t0, c = bits.Add64(t0, l0, 0)
	t1, c = bits.Add64(t1, l1, c)
	t2, c = bits.Add64(t2, l2, c)
	t3, c = bits.Add64(t3, l3, c)
	t4, t5 := bits.Add64(t4, l4, c)

	// p is -1 mod 2^64, so adding p * t0 makes the lowest limb vanish. What it adds to the others is
	// u = t0 * (p + 1) / 2^64 = t0 * (2^192 - 2^160 - 2^32 + 1).
	low, high := t0<<32, t0>>32
	u0, c := bits.Sub64(t0, low, 0)
	u1, c := bits.Sub64(0, high, c)
	u2, c := bits.Sub64(0, low, c)
	u3 := t0 - high - c
	t1, c = bits.Add64(t1, u0, 0)
	t2, c = bits.Add64(t2, u1, c)
	t3, c = bits.Add64(t3, u2, c)
	t4, c = bits.Add64(t4, u3, c)
	return t1, t2, t3, t4, t5 + c
}

// invert returns 1/a by Fermat's little theorem, and 0 for 0.
func invert(a element) element {
	exponent := new(big.Int).Sub(sm2.P256().Params().P, big.NewInt(2))
	result := one
	for i := exponent.BitLen() - 1; i >= 0; i-- {
		result = sqr(result)
		if exponent.Bit(i) == 1 {
			result = mul(result, a)
		}
	}
	return result
}
