// SPDX-License-Identifier: Apache-2.0

package sm3

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	engine "github.com/emmansun/gmsm/sm3"
	"github.com/stretchr/testify/require"
)

// TestStandardVectors is GB/T 32905-2016, annex A, in every lane.
func TestStandardVectors(t *testing.T) {
	abcd := []byte("abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd")
	var messages []Message
	for i := range 3 * mostLanes {
		messages = append(messages, Message{Data: []byte("abc")}, Message{Prefix: abcd[:i], Data: abcd[i:]})
	}
	forEachKernel(t, func(t *testing.T) { requireStandard(t, messages) })
}

func requireStandard(t *testing.T, messages []Message) {
	t.Helper()
	for i, sum := range SumMany(messages) {
		want := "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
		if i%2 == 1 {
			want = "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
		}
		require.Equal(t, want, hex.EncodeToString(sum[:]), "message %d", i)
	}
}

func randomMessages(r *rand.Rand, n, longest int) []Message {
	messages := make([]Message, n)
	for i := range messages {
		b := make([]byte, r.IntN(longest+1))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		messages[i].Data = b
		if r.IntN(2) == 0 {
			cut := r.IntN(min(len(b)+1, BlockSize))
			messages[i] = Message{Prefix: b[:cut], Data: b[cut:]}
		}
	}
	return messages
}

func requireSums(t testing.TB, messages []Message) {
	t.Helper()
	for i, sum := range SumMany(messages) {
		m := &messages[i]
		require.Equal(t, engine.Sum(append(append([]byte{}, m.Prefix...), m.Data...)), sum,
			"message %d of %d: %d and %d bytes", i, len(messages), len(m.Prefix), len(m.Data))
	}
}

// TestAgainstEngine has every number of messages around the number of lanes,
// and every length around the ends of blocks.
func TestAgainstEngine(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	forEachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 1))
		for n := range 4*mostLanes + 2 {
			requireSums(t, randomMessages(r, n, 700))
		}
		for range 20 {
			requireSums(t, randomMessages(r, 40, 20_000))
		}
		for length := range 4*BlockSize + 2 {
			for _, prefix := range []int{0, 1, 31, 32, 33, 63} {
				messages := make([]Message, fewest)
				for i := range messages {
					messages[i] = Message{Prefix: make([]byte, prefix), Data: make([]byte, length+i)}
				}
				requireSums(t, messages)
			}
		}
	})
}

func TestPrefixTooLong(t *testing.T) {
	require.Panics(t, func() { SumMany([]Message{{Prefix: make([]byte, BlockSize)}}) })
}

func FuzzSumMany(f *testing.F) {
	f.Add(uint64(1), uint8(17), uint16(300))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8, longest uint16) {
		requireSums(t, randomMessages(rand.New(rand.NewPCG(seed, 2)), int(n), int(longest)))
	})
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{1, 2, 4, 8, 16, 64} {
		for _, size := range []int{1 << 10, 8 << 10, 260 << 10} {
			messages := make([]Message, n)
			for i := range messages {
				messages[i].Data = make([]byte, size)
			}
			b.Run(fmt.Sprintf("%d/%d/lanes", n, size), func(b *testing.B) {
				b.SetBytes(int64(n * size))
				for b.Loop() {
					newScheduler(messages, make([][Size]byte, n)).run()
				}
			})
			b.Run(fmt.Sprintf("%d/%d/engine", n, size), func(b *testing.B) {
				b.SetBytes(int64(n * size))
				for b.Loop() {
					for i := range messages {
						engine.Sum(messages[i].Data)
					}
				}
			})
		}
	}
}
