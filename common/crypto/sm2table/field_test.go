// SPDX-License-Identifier: Apache-2.0

package sm2table

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

var p, n = sm2.P256().Params().P, sm2.P256().Params().N

func (a number) big() *big.Int {
	out := new(big.Int)
	for _, limb := range []uint64{a.l3, a.l2, a.l1, a.l0} {
		out.Lsh(out, 64).Or(out, new(big.Int).SetUint64(limb))
	}
	return out
}

// numbers returns numbers below m: those at the edges of limbs and of m, and random ones.
func numbers(m *big.Int, random int) []*big.Int {
	var out []*big.Int
	add := func(v *big.Int) {
		if v.Sign() >= 0 && v.Cmp(m) < 0 {
			out = append(out, v)
		}
	}
	for _, shift := range []uint{0, 31, 32, 33, 63, 64, 96, 127, 128, 160, 191, 192, 224, 255, 256} {
		power := new(big.Int).Lsh(big.NewInt(1), shift)
		for _, delta := range []int64{-2, -1, 0, 1, 2} {
			add(new(big.Int).Add(power, big.NewInt(delta)))
			add(new(big.Int).Sub(m, new(big.Int).Add(power, big.NewInt(delta))))
		}
	}
	source := rand.New(rand.NewChaCha8([32]byte{2}))
	for range random {
		v := number{source.Uint64(), source.Uint64(), source.Uint64(), source.Uint64()}.big()
		add(v.Mod(v, m))
	}
	return out
}

func TestArithmeticLikeBig(t *testing.T) {
	same := func(want *big.Int, got number, what string, args ...any) {
		t.Helper()
		require.Zero(t, want.Cmp(got.big()), append([]any{what}, args...)...)
	}
	unshift := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 256), p)
	mod := func(v, m *big.Int) *big.Int { return v.Mod(v, m) }
	for _, m := range []*big.Int{p, n} {
		all := numbers(m, 100)
		mn := numberOf(m)
		for _, a := range all {
			an := numberOf(a)
			same(a, an, "conversion of %x", a)
			require.Equal(t, a.Sign() == 0, an.isZero())
			for _, b := range all {
				bn := numberOf(b)
				same(mod(new(big.Int).Add(a, b), m), addMod(an, bn, mn), "%x + %x", a, b)
				same(mod(new(big.Int).Sub(a, b), m), subMod(an, bn, mn), "%x - %x", a, b)
				require.Equal(t, a.Cmp(b) < 0, an.less(bn), "%x < %x", a, b)
				if m == p {
					want := mod(new(big.Int).Mul(mod(new(big.Int).Mul(a, b), p), unshift), p)
					same(want, mul(an, bn), "%x * %x", a, b)
				}
			}
		}
	}
}

func TestInvert(t *testing.T) {
	require.Equal(t, element{}, invert(element{}))
	for _, a := range numbers(p, 10) {
		if a.Sign() != 0 {
			x := mul(numberOf(a), toField)
			require.Equal(t, one, mul(x, invert(x)), "%x", a)
		}
	}
}
