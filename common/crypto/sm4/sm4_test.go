// SPDX-License-Identifier: Apache-2.0

package sm4

import (
	"bytes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	engine "github.com/emmansun/gmsm/sm4"
	"github.com/stretchr/testify/require"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// GB/T 32907-2016, appendix A.
var (
	standardKey   = unhex("0123456789abcdeffedcba9876543210")
	standardOnce  = unhex("681edf34d206965e86b3e94f536e4246")
	standardMany  = unhex("595298c7c6fd271f0402f804c33d3f66")
	standardTimes = 1_000_000
)

func TestStandardVectors(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		b, err := NewCipher(standardKey)
		require.NoError(t, err)
		text := bytes.Clone(standardKey)
		b.Encrypt(text, text)
		require.Equal(t, standardOnce, text)
		for range standardTimes - 1 {
			b.Encrypt(text, text)
		}
		require.Equal(t, standardMany, text)
		for range standardTimes {
			b.Decrypt(text, text)
		}
		require.Equal(t, standardKey, text)
	})
}

// TestGCMVector is RFC 8998, appendix A.1.
func TestGCMVector(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		aead := newAEAD(t, standardKey)
		nonce := unhex("00001234567800000000abcd")
		additional := unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
		text := unhex("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd" +
			"eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa")
		sealed := unhex("17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735" +
			"d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d" +
			"83de3541e4c2b58177e065a9bf7b62ec")
		require.Equal(t, sealed, aead.Seal(nil, nonce, text, additional))
		opened, err := aead.Open(nil, nonce, sealed, additional)
		require.NoError(t, err)
		require.Equal(t, text, opened)
	})
}

// TestSealTyped compares with what Seal makes of the text and the byte in one piece, for each length that the batches split otherwise, and
// sees to it that the text stays as it was.
func TestSealTyped(t *testing.T) {
	r := newRand(t)
	forEachKernel(t, func(t *testing.T) {
		aead := newAEAD(t, random(r, KeySize))
		typed, ok := aead.(interface {
			SealTyped(dst, nonce, plaintext []byte, typ byte, additional []byte) []byte
		})
		if !ok {
			t.Skip("the GCM of gmsm has none")
		}
		nonce, additional := random(r, 12), random(r, 5)
		lengths := []int{4095, 4096, 4097, 1<<14 - 1, 1 << 14, 1<<14 + 1}
		for n := range 2600 {
			lengths = append(lengths, n)
		}
		for _, n := range lengths {
			text, prefix := random(r, n), random(r, 3)
			before := bytes.Clone(text)
			sealed := typed.SealTyped(bytes.Clone(prefix), nonce, text, 23, additional)
			require.Equal(t, append(prefix, aead.Seal(nil, nonce, append(bytes.Clone(text), 23), additional)...), sealed, n)
			require.Equal(t, before, text)
		}
		shared := make([]byte, 64)
		require.Panics(t, func() { typed.SealTyped(shared[:1], nonce, shared[:32], 23, nil) })
	})
}

func TestKeyAndBlockLengths(t *testing.T) {
	for _, n := range []int{0, 15, 17, 32} {
		_, err := NewCipher(make([]byte, n))
		require.EqualError(t, err, fmt.Sprintf("sm4: a key has 16 bytes, this one has %d", n))
	}
	forEachKernel(t, func(t *testing.T) {
		b, err := NewCipher(standardKey)
		require.NoError(t, err)
		require.Equal(t, 16, b.BlockSize())
		require.Panics(t, func() { b.Encrypt(make([]byte, 16), make([]byte, 15)) })
		require.Panics(t, func() { b.Decrypt(make([]byte, 15), make([]byte, 16)) })
		require.Panics(t, func() { cipher.NewCBCDecrypter(b, make([]byte, 16)).CryptBlocks(make([]byte, 32), make([]byte, 17)) })
		require.Panics(t, func() { cipher.NewCBCDecrypter(b, make([]byte, 16)).CryptBlocks(make([]byte, 16), make([]byte, 32)) })
		shared := make([]byte, 64)
		require.Panics(t, func() { b.Encrypt(shared[1:17], shared[:16]) })
		require.Panics(t, func() { cipher.NewCTR(b, make([]byte, 16)).XORKeyStream(shared[1:33], shared[:32]) })
		aead := newAEAD(t, standardKey)
		require.Panics(t, func() { aead.Seal(nil, make([]byte, 11), nil, nil) })
		require.Panics(t, func() { aead.Seal(shared[:1], make([]byte, 12), shared[:32], nil) })
		for n := range 16 {
			_, err := aead.Open(nil, make([]byte, 12), make([]byte, n), nil)
			require.Error(t, err)
		}
	})
}

func newAEAD(t testing.TB, key []byte) cipher.AEAD {
	b, err := NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(b)
	require.NoError(t, err)
	return aead
}

// engineOf returns the reference: the engine's block, without the engine's own
// modes, so that those of crypto/cipher are compared with.
func engineOf(t testing.TB, key []byte) cipher.Block {
	b, err := engine.NewCipher(key)
	require.NoError(t, err)
	return struct{ cipher.Block }{b}
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func newRand(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestBlocksAgainstEngine(t *testing.T) {
	r := newRand(t)
	forEachKernel(t, func(t *testing.T) {
		for range 2000 {
			key, text := random(r, 16), random(r, 16)
			b, err := NewCipher(key)
			require.NoError(t, err)
			want, got := make([]byte, 16), make([]byte, 16)
			engineOf(t, key).Encrypt(want, text)
			b.Encrypt(got, text)
			require.Equal(t, want, got)
			b.Decrypt(got, got)
			require.Equal(t, text, got)
		}
	})
}

// TestGCMAgainstGo compares every length up to several of the widest batches,
// at changing alignments, apart and in place, with crypto/cipher's GCM.
func TestGCMAgainstGo(t *testing.T) {
	r := newRand(t)
	forEachKernel(t, func(t *testing.T) {
		key := random(r, 16)
		aead := newAEAD(t, key)
		reference, err := cipher.NewGCM(engineOf(t, key))
		require.NoError(t, err)
		compare := func(length, additional, shift int) {
			nonce := random(r, 12)
			text := random(r, shift+length)[shift:]
			more := random(r, additional)
			want := reference.Seal(nil, nonce, text, more)
			got := aead.Seal(make([]byte, shift), nonce, text, more)[shift:]
			require.True(t, bytes.Equal(want, got), "length %d, %d bytes in addition", length, additional)

			opened, err := aead.Open(nil, nonce, got, more)
			require.NoError(t, err)
			require.True(t, bytes.Equal(text, opened))
			wrong := bytes.Clone(got)
			wrong[r.IntN(len(wrong))] ^= 1 << r.IntN(8)
			_, err = aead.Open(nil, nonce, wrong, more)
			require.Error(t, err)
			opened, err = aead.Open(got[:0], nonce, got, more)
			require.NoError(t, err)
			require.True(t, bytes.Equal(text, opened))
			inPlace := append(bytes.Clone(text), make([]byte, 16)...)
			require.True(t, bytes.Equal(want, aead.Seal(inPlace[:0], nonce, inPlace[:length], more)))
		}
		for length := range 3*wideLength + 40 {
			compare(length, r.IntN(40), r.IntN(64))
		}
		for additional := range 600 {
			compare(r.IntN(300), additional, 0)
		}
		for _, length := range []int{4095, 4096, 4097, 16384, 16384 + 240, 65537, 1 << 20} {
			compare(length, 13, 1)
		}
	})
}

const wideLength = 1024

func TestGCMOtherSizes(t *testing.T) {
	r := newRand(t)
	forEachKernel(t, func(t *testing.T) {
		key, text := random(r, 16), random(r, 100)
		b, err := NewCipher(key)
		require.NoError(t, err)
		for _, size := range []int{1, 8, 16} {
			aead, err := cipher.NewGCMWithNonceSize(b, size)
			require.NoError(t, err)
			reference, err := cipher.NewGCMWithNonceSize(engineOf(t, key), size)
			require.NoError(t, err)
			nonce := random(r, size)
			require.Equal(t, reference.Seal(nil, nonce, text, nil), aead.Seal(nil, nonce, text, nil))
		}
		aead, err := cipher.NewGCMWithTagSize(b, 12)
		require.NoError(t, err)
		require.Equal(t, 12, aead.Overhead())
	})
}

// TestCTRAgainstGo includes counters that overflow, in pieces of all lengths.
func TestCTRAgainstGo(t *testing.T) {
	r := newRand(t)
	forEachKernel(t, func(t *testing.T) {
		for _, end := range []string{"00000000", "ffffffff", "fffffff0", "ffffffbf", "ffffffc0", "7fffffff"} {
			for _, start := range []string{"000000000000000000000000", "ffffffffffffffffffffffff", "0123456789abcdeffedcba98"} {
				key, iv := random(r, 16), unhex(start+end)
				b, err := NewCipher(key)
				require.NoError(t, err)
				text := random(r, 9000)
				want := make([]byte, len(text))
				cipher.NewCTR(engineOf(t, key), iv).XORKeyStream(want, text)
				got := bytes.Clone(text)
				stream := cipher.NewCTR(b, iv)
				for n := 0; n < len(got); {
					m := min(len(got)-n, r.IntN(1500))
					stream.XORKeyStream(got[n:n+m], got[n:n+m])
					n += m
				}
				require.True(t, bytes.Equal(want, got), "counter %s%s", start, end)
			}
		}
	})
}

func TestCBCAgainstGo(t *testing.T) {
	r := newRand(t)
	forEachKernel(t, func(t *testing.T) {
		key, iv := random(r, 16), random(r, 16)
		b, err := NewCipher(key)
		require.NoError(t, err)
		enc, dec := cipher.NewCBCEncrypter(b, iv), cipher.NewCBCDecrypter(b, iv)
		wantEnc, wantDec := cipher.NewCBCEncrypter(engineOf(t, key), iv), cipher.NewCBCDecrypter(engineOf(t, key), iv)
		for blocks := range 140 { // one mode for all: vectors are carried on
			text := random(r, 16*blocks)
			want, got := make([]byte, len(text)), make([]byte, len(text))
			wantEnc.CryptBlocks(want, text)
			enc.CryptBlocks(got, text)
			require.True(t, bytes.Equal(want, got), "%d blocks", blocks)
			wantDec.CryptBlocks(want, text)
			dec.CryptBlocks(got, text)
			require.True(t, bytes.Equal(want, got), "%d blocks", blocks)
		}
		text := random(r, 4000)
		inPlace := bytes.Clone(text)
		cipher.NewCBCEncrypter(b, iv).CryptBlocks(inPlace, inPlace)
		cipher.NewCBCDecrypter(b, iv).CryptBlocks(inPlace, inPlace)
		require.True(t, bytes.Equal(text, inPlace))
	})
}

func TestNoAllocations(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		aead := newAEAD(t, standardKey)
		text, nonce := make([]byte, 16384, 16384+16), make([]byte, 12)
		if n := testing.AllocsPerRun(10, func() {
			sealed := aead.Seal(text[:0], nonce, text, nonce)
			if _, err := aead.Open(sealed[:0], nonce, sealed, nonce); err != nil {
				panic(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations for sealing and opening", n)
		}
	})
}

func FuzzAgainstEngine(f *testing.F) {
	f.Add(standardKey, []byte("nonce of 12."), []byte("additional"), []byte("text"))
	f.Add(standardKey, make([]byte, 12), []byte{}, make([]byte, 1300))
	f.Fuzz(func(t *testing.T, key, nonce, additional, text []byte) {
		if len(key) != 16 || len(nonce) != 12 {
			t.Skip()
		}
		reference, err := cipher.NewGCM(engineOf(t, key))
		require.NoError(t, err)
		forEachKernel(t, func(t *testing.T) {
			aead := newAEAD(t, key)
			sealed := aead.Seal(nil, nonce, text, additional)
			require.Equal(t, reference.Seal(nil, nonce, text, additional), sealed)
			_, err := aead.Open(nil, nonce, text, additional)
			_, want := reference.Open(nil, nonce, text, additional)
			require.Equal(t, want == nil, err == nil)
		})
	})
}

func BenchmarkGCM(b *testing.B) {
	for _, size := range []int{64, 1024, 16384} {
		text, nonce := make([]byte, size, size+16), make([]byte, 12)
		for _, k := range kernels() {
			b.Run(fmt.Sprintf("%d/%s", size, k.name), func(b *testing.B) {
				defer k.use()()
				aead := newAEAD(b, standardKey)
				b.SetBytes(int64(size))
				for b.Loop() {
					aead.Seal(text[:0], nonce, text, nonce)
				}
			})
		}
	}
}

func BenchmarkCBC(b *testing.B) {
	text, iv := make([]byte, 16384), make([]byte, 16)
	for _, k := range kernels() {
		for name, mode := range map[string]func(cipher.Block, []byte) cipher.BlockMode{"encrypt": cipher.NewCBCEncrypter, "decrypt": cipher.NewCBCDecrypter} {
			b.Run(name+"/"+k.name, func(b *testing.B) {
				defer k.use()()
				block, err := NewCipher(standardKey)
				require.NoError(b, err)
				m := mode(block, iv)
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					m.CryptBlocks(text, text)
				}
			})
		}
	}
}
