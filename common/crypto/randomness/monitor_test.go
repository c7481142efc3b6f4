// SPDX-License-Identifier: Apache-2.0

package randomness

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"math/big"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// TestMonitorNoticesFailures: each of the tests in use notices a generator that no other one does. From then on there are no bytes, and
// OnFailure is told once.
func TestMonitorNoticesFailures(t *testing.T) {
	noise := make([]byte, 4096)
	_, err := rand.Read(noise)
	require.NoError(t, err)
	count := 0
	gone := errors.New("gone")
	for name, test := range map[string]struct {
		r    io.Reader
		size int // of each read
		want error
	}{
		"constant, a byte a read":   {reader(func(p []byte) { p[0] = 7 }), 1, ErrRepeats},
		"two bytes alternate":       {reader(func(p []byte) { p[0] = []byte{0xaa, 0x55}[count%2]; count++ }), 1, ErrUneven},
		"every eighth byte is zero": {reader(func(p []byte) { copy(p, noise[count%64*32:]); count++; p[0], p[8], p[16], p[24] = 0, 0, 0, 0 }), 32, ErrUneven},
		"each answer is the same":   {reader(func(p []byte) { copy(p, noise) }), 32, ErrBlocks},
		"a block in a read repeats": {reader(func(p []byte) { copy(p, noise[count%128*32:][:32]); copy(p[32:], p[16:32]); count++ }), 48, ErrBlocks},
		"the source fails":          {iotest.ErrReader(gone), 32, gone},
	} {
		t.Run(name, func(t *testing.T) {
			var told []error
			defer func(before func(error)) { OnFailure = before }(OnFailure)
			OnFailure = func(err error) { told = append(told, err) }
			count = 0
			m := NewMonitor(test.r)
			p := make([]byte, test.size)
			var err error
			for range 400 {
				if _, err = m.Read(p); err != nil {
					break
				}
			}
			require.ErrorIs(t, err, test.want)
			require.Equal(t, make([]byte, test.size), p, "what failed is not given away")
			if test.want == gone {
				require.NoError(t, m.Err(), "a source may come back")
				return
			}
			m.r = rand.Reader
			_, err = m.Read(p)
			require.ErrorIs(t, err, test.want)
			require.Equal(t, make([]byte, test.size), p)
			require.Equal(t, []error{test.want}, told)
		})
	}
}

// TestMonitorPassesGoodBytes: a good generator is left alone, and its bytes are not changed; also by many at once.
func TestMonitorPassesGoodBytes(t *testing.T) {
	want := make([]byte, 1<<20)
	_, err := rand.Read(want)
	require.NoError(t, err)
	got, err := io.ReadAll(io.LimitReader(NewMonitor(bytes.NewReader(want)), int64(len(want))))
	require.NoError(t, err)
	require.Equal(t, want, got)
	m := NewMonitor(rand.Reader)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			p := make([]byte, 32)
			for range 1000 {
				if _, err := m.Read(p); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	fault := errors.New("self-test")
	m.Fail(fault)
	m.Fail(errors.New("later"))
	_, err = m.Read(make([]byte, 1))
	require.ErrorIs(t, err, fault)
}

// TestFalseAlarms computes how likely each test in use stops a good generator: less than 2^-64 a byte or a window.
func TestFalseAlarms(t *testing.T) {
	limit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 64))
	same := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 8*(repeated-1)))
	require.LessOrEqual(t, same.Cmp(limit), 0)
	// The first byte of a window is given; more than equalMost-1 of the others equal it.
	sum := new(big.Rat)
	for k := int64(equalMost); k < window; k++ {
		ways := new(big.Int).Binomial(window-1, k)
		ways.Mul(ways, new(big.Int).Exp(big.NewInt(255), big.NewInt(window-1-k), nil))
		sum.Add(sum, new(big.Rat).SetFrac(ways, new(big.Int).Lsh(big.NewInt(1), 8*(window-1))))
	}
	require.LessOrEqual(t, sum.Cmp(limit), 0, sum.FloatString(30))
}

func BenchmarkMonitor(b *testing.B) {
	m := NewMonitor(rand.Reader)
	p := make([]byte, 32)
	for range b.N {
		_, _ = m.Read(p)
	}
}

func BenchmarkSystem(b *testing.B) {
	p := make([]byte, 32)
	for range b.N {
		_, _ = rand.Read(p)
	}
}

func BenchmarkCheck(b *testing.B) {
	for range b.N {
		_ = Check(rand.Reader)
	}
}

func BenchmarkCheckFully(b *testing.B) {
	for range b.N {
		_ = CheckFully(rand.Reader)
	}
}
