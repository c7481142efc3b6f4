// SPDX-License-Identifier: Apache-2.0

package sm2table

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

var curve = sm2.P256()

// signature is one that need not be valid.
type signature struct {
	key          *ecdsa.PublicKey
	digest, r, s []byte
}

func bytes32(v *big.Int) []byte { return v.FillBytes(make([]byte, 32)) }

// check compares the verdict with the engine's, and returns it.
func (c signature) check(t *testing.T) bool {
	t.Helper()
	table, err := New(c.key)
	require.NoError(t, err)
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(c.r), new(big.Int).SetBytes(c.s)})
	require.NoError(t, err)
	got := table.verify(c.digest, c.r, c.s)
	require.Equal(t, got, table.VerifyASN1(c.digest, der))
	require.Equal(t, sm2.VerifyASN1(c.key, c.digest, der), got, "%+v", c)
	return got
}

// forScalars returns the signature that makes a verifier compute u G + v P: r is v - u, and the digest what r demands.
func forScalars(key *ecdsa.PublicKey, u, v *big.Int) signature {
	x := sumX(key, u, v)
	r := new(big.Int).Sub(v, u)
	r.Mod(r, n)
	e := new(big.Int).Sub(r, x)
	return signature{key, bytes32(e.Mod(e, n)), bytes32(r), bytes32(u)}
}

// sumX returns the coordinate x of u G + v P, or 0 at infinity.
func sumX(key *ecdsa.PublicKey, u, v *big.Int) *big.Int {
	x1, y1 := curve.ScalarBaseMult(bytes32(u))
	x2, y2 := curve.ScalarMult(key.X, key.Y, bytes32(v))
	if x1.Cmp(x2) == 0 && y1.Cmp(y2) != 0 {
		return new(big.Int)
	}
	if x1.Cmp(x2) == 0 {
		x, _ := curve.Double(x1, y1)
		return x
	}
	x, _ := curve.Add(x1, y1, x2, y2)
	return x
}

func multipleOfG(d *big.Int) *ecdsa.PublicKey {
	x, y := curve.ScalarBaseMult(bytes32(d))
	return &ecdsa.PublicKey{Curve: curve, X: x, Y: y}
}

func TestSignaturesOfEngine(t *testing.T) {
	for range 20 {
		key, err := sm2.GenerateKey(rand.Reader)
		require.NoError(t, err)
		for i := range 5 {
			digest := make([]byte, 32)
			rand.Read(digest)
			if i == 0 {
				digest = bytes32(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))) // more than n
			}
			der, err := sm2.SignASN1(rand.Reader, key, digest, nil)
			require.NoError(t, err)
			var rs struct{ R, S *big.Int }
			_, err = asn1.Unmarshal(der, &rs)
			require.NoError(t, err)
			valid := signature{&key.PublicKey, digest, bytes32(rs.R), bytes32(rs.S)}
			require.True(t, valid.check(t))
			for _, bit := range []int{0, 7, 100, 255} {
				for field := range 3 {
					changed := valid
					which := []*[]byte{&changed.digest, &changed.r, &changed.s}[field]
					*which = slices.Clone(*which)
					(*which)[bit/8] ^= 1 << (bit % 8)
					require.False(t, changed.check(t))
				}
			}
		}
	}
}

// Keys that are small multiples of the generator, and scalars at edges, make both tables meet in the same and in opposite
// points on the way.
func TestKeysThatMeetTheGenerator(t *testing.T) {
	small := func(v int64) *big.Int { return big.NewInt(v) }
	keys := []*big.Int{small(1), small(2), small(3), small(255), new(big.Int).Lsh(small(1), 32), new(big.Int).Lsh(small(3), 192)}
	for _, d := range keys[:len(keys):len(keys)] {
		keys = append(keys, new(big.Int).Sub(n, d))
	}
	var scalars []*big.Int
	for _, v := range numbers(n, 3) {
		if v.Sign() > 0 && v.Bit(1) == 0 { // half of them are enough
			scalars = append(scalars, v)
		}
	}
	valid, infinite := 0, 0
	for _, d := range keys {
		key := multipleOfG(d)
		for i, u := range scalars {
			others := []*big.Int{u, scalars[(i+1)%len(scalars)], new(big.Int).Sub(n, u), small(1)}
			// The v for which u G + v P is the point at infinity, and G.
			inverse := new(big.Int).ModInverse(d, n)
			v := new(big.Int).Mul(new(big.Int).Neg(u), inverse)
			others = append(others, v.Mod(v, n))
			v = new(big.Int).Mul(new(big.Int).Sub(small(1), u), inverse)
			others = append(others, v.Mod(v, n))
			for _, v := range others {
				if v.Sign() == 0 || u.Cmp(v) == 0 {
					continue // the sum of r and s, or r, is zero: no signature
				}
				c := forScalars(key, u, v)
				switch {
				case sumX(key, u, v).Sign() == 0:
					infinite++
					require.False(t, c.check(t))
				default:
					valid++
					require.True(t, c.check(t), "key %x, u %x, v %x", d, u, v)
				}
			}
		}
	}
	require.Greater(t, valid, 500)
	require.Greater(t, infinite, 50)
}

// A coordinate x that is not less than n counts modulo n.
func TestCoordinateAboveOrder(t *testing.T) {
	found := 0
	for k := int64(0); found < 5; k++ {
		x := new(big.Int).Add(n, big.NewInt(k))
		key, u, v := keyForX(x)
		if key == nil {
			continue
		}
		found++
		c := forScalars(key, u, v)
		require.Equal(t, x, sumX(key, u, v))
		require.True(t, c.check(t))
		c.digest = bytes32(new(big.Int).Add(new(big.Int).SetBytes(c.digest), big.NewInt(1)))
		require.False(t, c.check(t))
	}
}

func TestNoSignature(t *testing.T) {
	key := multipleOfG(big.NewInt(5))
	good := forScalars(key, big.NewInt(2), big.NewInt(9))
	require.True(t, good.check(t))
	for what, change := range map[string]func(*signature){
		"r is 0":      func(c *signature) { c.r = make([]byte, 32) },
		"s is 0":      func(c *signature) { c.s = make([]byte, 32) },
		"r is n":      func(c *signature) { c.r = bytes32(n) },
		"s is n":      func(c *signature) { c.s = bytes32(n) },
		"r is more":   func(c *signature) { c.r = bytes32(new(big.Int).Add(new(big.Int).SetBytes(c.r), n)) },
		"s is more":   func(c *signature) { c.s = bytes32(new(big.Int).Add(new(big.Int).SetBytes(c.s), n)) },
		"r + s is n":  func(c *signature) { c.s = bytes32(new(big.Int).Sub(n, new(big.Int).SetBytes(c.r))) },
		"all bits":    func(c *signature) { c.r, c.s = bytes32(p), bytes32(p) },
		"s - n of it": func(c *signature) { c.s = bytes32(new(big.Int).Sub(n, new(big.Int).SetBytes(c.s))) },
	} {
		t.Run(what, func(t *testing.T) {
			bad := good
			change(&bad)
			require.False(t, bad.check(t))
		})
	}
	table, err := New(key)
	require.NoError(t, err)
	require.False(t, table.verify(good.digest[1:], good.r, good.s))
	require.False(t, table.verify(good.digest, good.r[1:], good.s))
	require.False(t, table.verify(good.digest, good.r, append([]byte{0}, good.s...)))
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(good.r), new(big.Int).SetBytes(good.s)})
	require.NoError(t, err)
	require.True(t, table.VerifyASN1(good.digest, der))
	for what, bad := range map[string][]byte{
		"nothing": nil, "cut": der[:len(der)-1], "data behind": append(slices.Clone(der), 0), "long length": append([]byte{0x30, 0x81}, der[1:]...),
		"data behind s": append(append([]byte{0x30, der[1] + 2}, der[2:]...), 5, 0),
	} {
		require.False(t, table.VerifyASN1(good.digest, bad), what)
	}
	for _, r := range []*big.Int{new(big.Int).Neg(new(big.Int).SetBytes(good.r)), new(big.Int).Lsh(big.NewInt(1), 300)} {
		der, err = asn1.Marshal(struct{ R, S *big.Int }{r, new(big.Int).SetBytes(good.s)})
		require.NoError(t, err)
		require.False(t, table.VerifyASN1(good.digest, der))
		if r.Sign() > 0 { // one that would overwrite the other with the same
			r = new(big.Int).SetBytes(slices.Concat(good.r, good.s))
		}
		der, err = asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(good.r), r})
		require.NoError(t, err)
		require.False(t, table.VerifyASN1(good.digest, der))
	}
}

func TestNewRefuses(t *testing.T) {
	for what, key := range map[string]*ecdsa.PublicKey{
		"not on the curve": {Curve: curve, X: big.NewInt(1), Y: big.NewInt(1)},
		"infinity":         {Curve: curve, X: new(big.Int), Y: new(big.Int)},
	} {
		_, err := New(key)
		require.ErrorContains(t, err, "sm2table: ", what)
	}
}

// Every entry is the multiple of the key that its bits say.
func TestEntries(t *testing.T) {
	key := multipleOfG(big.NewInt(77))
	table, err := New(key)
	require.NoError(t, err)
	for i, entry := range table.entries {
		scalar := new(big.Int)
		for tooth := range teeth {
			if (i+1)>>tooth&1 == 1 {
				scalar.SetBit(scalar, tooth*space, 1)
			}
		}
		x, y := curve.ScalarMult(key.X, key.Y, bytes32(scalar))
		got := []element{mul(entry.x, element{l0: 1}), mul(entry.y, element{l0: 1})}
		require.Equal(t, []*big.Int{x, y}, []*big.Int{got[0].big(), got[1].big()}, "entry %d", i)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte{5}, []byte{2}, []byte{9}, byte(0))
	f.Fuzz(func(t *testing.T, d, u, v []byte, change byte) {
		scalars := make([]*big.Int, 3)
		for i, b := range [][]byte{d, u, v} {
			scalars[i] = new(big.Int).Mod(new(big.Int).SetBytes(b[:min(len(b), 40)]), n)
			if scalars[i].Sign() == 0 {
				scalars[i].SetInt64(1)
			}
		}
		c := forScalars(multipleOfG(scalars[0]), scalars[1], scalars[2])
		c.s[change%32] ^= change / 32
		c.check(t)
	})
}

func BenchmarkVerify(b *testing.B) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(b, err)
	digest := make([]byte, 32)
	der, err := sm2.SignASN1(rand.Reader, key, digest, nil)
	require.NoError(b, err)
	table, err := New(&key.PublicKey)
	require.NoError(b, err)
	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !table.VerifyASN1(digest, der) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("engine", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !sm2.VerifyASN1(&key.PublicKey, digest, der) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := New(&key.PublicKey); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// With r or s that is 0 the equations can be made to fit as well. r + s = n leaves s G of the sum, for which r and the digest can be chosen to fit: a signature that any key would have.
func TestSumOfRAndSIsOrder(t *testing.T) {
	key := multipleOfG(big.NewInt(5))
	for _, s := range []int64{1, 2, 1234567} {
		u := big.NewInt(s)
		require.False(t, forScalars(key, u, u).check(t), "r is 0, the rest fits")
		require.False(t, forScalars(key, new(big.Int), u).check(t), "s is 0, the rest fits")
		x, _ := curve.ScalarBaseMult(bytes32(u))
		r := new(big.Int).Sub(n, u)
		e := new(big.Int).Sub(r, x)
		c := signature{key, bytes32(e.Mod(e, n)), bytes32(r), bytes32(u)}
		require.False(t, c.check(t))
	}
}

// A coordinate is compared as the number that it is, not modulo p or 2^256: x is what r demands, plus n, only if that is less
// than p.
func TestCoordinateBeyondField(t *testing.T) {
	for what, m := range map[string]*big.Int{"p": p, "2^256": new(big.Int).Lsh(big.NewInt(1), 256)} {
		found := 0
		for k := int64(0); found < 5; k++ {
			x := big.NewInt(k) // of the point, while x + m - n is what r demands
			key, u, v := keyForX(x)
			if key == nil {
				continue
			}
			found++
			c := forScalars(key, u, v)
			require.True(t, c.check(t))
			demanded := new(big.Int).Sub(m, n)
			demanded.Add(demanded, x)
			e := new(big.Int).Sub(new(big.Int).SetBytes(c.r), demanded)
			c.digest = bytes32(e.Mod(e, n))
			require.False(t, c.check(t), "%s, x %d", what, k)
		}
	}
}

// A digest that is not less than n counts modulo n, where r is less than what is taken from it.
func TestDigestAboveOrder(t *testing.T) {
	found := 0
	for k := int64(1); found < 5; k++ {
		key, u, v := keyForX(new(big.Int).Sub(n, big.NewInt(k)))
		if key == nil {
			continue
		}
		found++
		c := forScalars(key, u, v)
		e := new(big.Int).SetBytes(c.digest) // r + k
		require.Less(t, e.BitLen(), 128)
		c.digest = bytes32(e.Add(e, n))
		require.True(t, c.check(t))
	}
}

// keyForX returns a key and scalars for which u G + v P has the coordinate x, or nil if no point has.
func keyForX(x *big.Int) (key *ecdsa.PublicKey, u, v *big.Int) {
	square := new(big.Int).Exp(x, big.NewInt(3), p)
	square.Sub(square, new(big.Int).Mul(big.NewInt(3), x)).Add(square, curve.Params().B).Mod(square, p)
	y := new(big.Int).ModSqrt(square, p)
	if y == nil {
		return nil, nil, nil
	}
	u, v = big.NewInt(1234567), big.NewInt(7654321)
	gx, gy := curve.ScalarBaseMult(bytes32(new(big.Int).Sub(n, u)))
	dx, dy := curve.Add(x, y, gx, gy)
	kx, ky := curve.ScalarMult(dx, dy, bytes32(new(big.Int).ModInverse(v, n))) // (Q - u G) / v
	return &ecdsa.PublicKey{Curve: curve, X: kx, Y: ky}, u, v
}
