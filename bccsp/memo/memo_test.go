// SPDX-License-Identifier: Apache-2.0

//fork:file perf: tests of the memo

package memo

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// fields are what a tag is made of.
type fields struct {
	algorithm               byte
	key, signature, message []byte
}

func (f fields) tag(m *Memo) Tag { return m.Tag(f.algorithm, f.key, f.signature, f.message) }

func random(t *testing.T, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	_, err := rand.Read(b)
	require.NoError(t, err)
	return b
}

func TestEveryByteCounts(t *testing.T) {
	m := New()
	for _, size := range []int{0, 1, 32, 300} {
		known := fields{2, random(t, 64), random(t, 71), random(t, size)}
		m.Add(known.tag(m))
		require.True(t, m.Has(known.tag(m)))
		for algorithm := range 256 {
			changed := known
			changed.algorithm = byte(algorithm)
			require.Equal(t, changed.algorithm == known.algorithm, m.Has(changed.tag(m)))
		}
		for _, field := range []*[]byte{&known.key, &known.signature, &known.message} {
			original := *field
			for bit := range 8 * len(original) {
				*field = append([]byte{}, original...)
				(*field)[bit/8] ^= 1 << (bit % 8)
				require.False(t, m.Has(known.tag(m)))
			}
			*field = append(append([]byte{}, original...), 0)
			require.False(t, m.Has(known.tag(m)))
			if len(original) > 0 {
				*field = original[:len(original)-1]
				require.False(t, m.Has(known.tag(m)))
			}
			*field = original
		}
		require.True(t, m.Has(known.tag(m)))
	}
}

// Bytes that move from one field into the next give another tag.
func TestFieldsHaveBounds(t *testing.T) {
	m := New()
	all := random(t, 12)
	seen := map[Tag]bool{}
	for i := range len(all) + 1 {
		for j := i; j <= len(all); j++ {
			tag := m.Tag(1, all[:i], all[i:j], all[j:])
			require.False(t, seen[tag])
			seen[tag] = true
		}
	}
}

func TestEachMemoHasItsOwnKey(t *testing.T) {
	f := fields{1, []byte("key"), []byte("signature"), []byte("message")}
	require.NotEqual(t, f.tag(New()), f.tag(New()))
}

// What an empty place holds is not a verification.
func TestNothingIsKnownAtFirst(t *testing.T) {
	m := New()
	require.False(t, m.Has(Tag{}))
	for range 1000 {
		require.False(t, m.Has(Tag(random(t, len(Tag{})))))
	}
}

// numbered spreads over the sets as tags do.
func numbered(i int) (t Tag) {
	binary.BigEndian.PutUint32(t[:4], uint32(i)*2654435761)
	binary.BigEndian.PutUint64(t[8:], uint64(i)+1)
	return t
}

func TestBound(t *testing.T) {
	m := New()
	require.LessOrEqual(t, int(unsafe.Sizeof(*m))+Capacity*len(Tag{}), 1<<19+1<<12)
	const many = 3_000_000
	evicted := 0
	for i := range many {
		if m.Add(numbered(i)) {
			evicted++
		}
		if !m.Has(numbered(i)) {
			t.Fatalf("tag %d is not known at once", i)
		}
	}
	kept := 0
	for i := range many {
		if m.Has(numbered(i)) {
			kept++
		}
	}
	require.Equal(t, many, kept+evicted)
	require.LessOrEqual(t, kept, Capacity)
	require.Greater(t, kept, Capacity*9/10)
	require.Len(t, m.sets, sets)
}

// In a set that is full, the oldest makes room.
func TestOldestIsForgotten(t *testing.T) {
	m := New()
	tag := func(i int) Tag { return Tag{31: byte(i + 1)} } // all of one set
	for i := range ways {
		require.False(t, m.Add(tag(i)))
	}
	require.False(t, m.Add(tag(0)), "known already")
	require.True(t, m.Add(tag(ways)))
	require.False(t, m.Has(tag(0)))
	for i := 1; i <= ways; i++ {
		require.True(t, m.Has(tag(i)))
	}
}

func TestConcurrentUse(t *testing.T) {
	m := New()
	message := random(t, 1000)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for n := range 4000 {
				// So few that no set overflows; half of them are the same for all workers.
				i := n % 200
				own := byte(worker + 1)
				if i%2 == 0 {
					own = 0
				}
				f := fields{own, binary.BigEndian.AppendUint32(nil, uint32(i)), message[:71], message}
				m.Add(f.tag(m))
				if !m.Has(f.tag(m)) {
					t.Error("the newest of a set is not known")
					return
				}
				f.algorithm = 99
				if m.Has(f.tag(m)) {
					t.Error("something unknown is known")
					return
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkHit(b *testing.B) {
	for name, size := range map[string]int{"digest": 32, "4KiB": 4096} {
		b.Run(name, func(b *testing.B) {
			m := New()
			f := fields{1, make([]byte, 64), make([]byte, 71), make([]byte, size)}
			m.Add(f.tag(m))
			b.ReportAllocs()
			for b.Loop() {
				if !m.Has(f.tag(m)) {
					b.Fatal("not known")
				}
			}
		})
	}
}
