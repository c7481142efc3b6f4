// SPDX-License-Identifier: Apache-2.0

package sm3

import (
	"crypto/hmac"
	"encoding"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"strconv"
	"testing"

	engine "github.com/emmansun/gmsm/sm3"
	"github.com/stretchr/testify/require"
)

type marshaler interface {
	hash.Hash
	encoding.BinaryMarshaler
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// TestOneMessage is GB/T 32905-2016, annex A.
func TestOneMessage(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		require.Equal(t, 32, New().Size())
		require.Equal(t, 64, New().BlockSize())
		for message, want := range map[string]string{
			"abc": "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
			"abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd": "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
		} {
			sum := Sum([]byte(message))
			require.Equal(t, want, hex.EncodeToString(sum[:]))
			h := New()
			h.Write([]byte(message))
			require.Equal(t, "tail"+want, "tail"+hex.EncodeToString(h.Sum([]byte("tail"))[4:]))
		}
	})
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// requirePieces hashes in pieces, asks for the sum between them, and continues
// from a written state now and then.
func requirePieces(t testing.TB, r *rand.Rand, message []byte) {
	t.Helper()
	h := New().(marshaler)
	for done := 0; done < len(message); {
		n := min(1+r.IntN(3*BlockSize), len(message)-done)
		h.Write(message[done : done+n])
		done += n
		want := engine.Sum(message[:done])
		require.Equal(t, want[:], h.Sum(nil), "%d bytes", done)
		if r.IntN(2) == 0 {
			state, err := h.MarshalBinary()
			require.NoError(t, err)
			h = New().(marshaler)
			h.Write([]byte("what was there before"))
			require.NoError(t, h.UnmarshalBinary(state))
		}
	}
	h.Reset()
	empty := engine.Sum(nil)
	require.Equal(t, empty[:], h.Sum(nil))
}

func TestDigest(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	forEachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 3))
		long := randomBytes(r, 10_000)
		for offset := range BlockSize { // alignment, and every end of a block
			for _, length := range []int{0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 5000 + offset} {
				message := long[offset:][:length]
				require.Equal(t, engine.Sum(message), Sum(message), "%d bytes at %d", length, offset)
			}
		}
		for range 50 {
			requirePieces(t, r, long[:r.IntN(2000)])
		}
		for range 20 {
			key, message := randomBytes(r, r.IntN(100)), randomBytes(r, r.IntN(300))
			ours, engines := hmac.New(New, key), hmac.New(engine.New, key)
			for range 2 { // the second from the state that hmac kept
				ours.Write(message)
				engines.Write(message)
				require.Equal(t, engines.Sum(nil), ours.Sum(nil))
				ours.Reset()
				engines.Reset()
			}
		}
	})
}

func TestStateRefused(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		h := New().(marshaler)
		state, err := h.AppendBinary([]byte("front"))
		require.NoError(t, err)
		require.Equal(t, "front", string(state[:5]))
		state = state[5:]
		require.NoError(t, h.UnmarshalBinary(state))
		require.Error(t, h.UnmarshalBinary(state[:len(state)-1]))
		require.Error(t, h.UnmarshalBinary(nil))
		state[0]++
		require.Error(t, h.UnmarshalBinary(state))
	})
}

func FuzzDigest(f *testing.F) {
	f.Add(uint64(1), []byte("abc"))
	f.Fuzz(func(t *testing.T, seed uint64, message []byte) {
		requirePieces(t, rand.New(rand.NewPCG(seed, 4)), message)
	})
}

func BenchmarkOne(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 8 << 10} {
		message := make([]byte, size)
		for name, sum := range map[string]func([]byte) [Size]byte{"ours": Sum, "engine": engine.Sum} {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					sum(message)
				}
			})
		}
	}
}
