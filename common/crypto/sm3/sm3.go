// SPDX-License-Identifier: Apache-2.0

// Package sm3 hashes with SM3 (GB/T 32905-2016), one message or many at once.
//
// [New] and [Sum] hash one message. [SumMany] hashes many messages at once: 16
// with AVX-512, 8 with AVX2. For messages of similar length, such as those
// signed in a block, it needs about a quarter of the time. Processors without
// AVX2 use github.com/emmansun/gmsm.
//
// GODEBUG=cpu.avx512bw=off makes the package use AVX2, and GODEBUG=cpu.avx2=off
// makes it use gmsm.
package sm3

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

const (
	// Size is the length of a hash in bytes.
	Size = 32
	// BlockSize is the length of a block in bytes.
	BlockSize = 64

	mostLanes = 16
	// fewest messages for which lanes gain over one after the other.
	fewest = 3
)

// Message is Prefix and Data, one after the other. For an SM2 signature Prefix
// is Z, which depends on the signer (GB/T 32918.2-2016, 5.5).
type Message struct {
	Prefix, Data []byte
}

func (m *Message) len() int { return len(m.Prefix) + len(m.Data) }

// initial is the state before the first block (GB/T 32905-2016, 4.1).
var initial = [8]uint32{
	0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600,
	0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
}

// constants has T_j turned left by j bits (GB/T 32905-2016, 4.2 and 5.3.3).
var constants = func() (t [64]uint32) {
	for j := range t {
		c := uint32(0x7a879d8a)
		if j < 16 {
			c = 0x79cc4519
		}
		t[j] = bits.RotateLeft32(c, j)
	}
	return t
}()

// SumMany returns the hashes of the messages, in their order. Prefixes are
// shorter than a block.
func SumMany(messages []Message) [][Size]byte {
	sums := make([][Size]byte, len(messages))
	for i := range messages {
		if len(messages[i].Prefix) >= BlockSize {
			panic("sm3: a prefix is shorter than a block")
		}
	}
	if lanes() == 0 || len(messages) < fewest {
		for i := range messages {
			sums[i] = sumOne(&messages[i])
		}
		return sums
	}
	newScheduler(messages, sums).run()
	return sums
}

// lane is a message that is being hashed: the block that begins it, whole
// blocks of its data, and the one or two blocks that end it.
type lane struct {
	sum   *[Size]byte // nil: the lane is idle
	parts [3][]byte
	head  [BlockSize]byte
	tail  [2 * BlockSize]byte
}

// start cuts the message into parts (padding: GB/T 32905-2016, 5.2).
func (l *lane) start(m *Message, sum *[Size]byte) {
	l.sum = sum
	rest := m.Data
	n := copy(l.head[:], m.Prefix)
	if len(m.Prefix) > 0 {
		k := copy(l.head[n:], rest)
		n, rest = n+k, rest[k:]
	}
	if n == BlockSize {
		l.parts[0], n = l.head[:], 0
	} else {
		l.parts[0] = nil
	}
	whole := len(rest) / BlockSize * BlockSize
	l.parts[1] = rest[:whole]

	clear(l.tail[:])
	end := copy(l.tail[:], l.head[:n]) // a message that does not fill its first block
	end += copy(l.tail[end:], rest[whole:])
	size := pad(&l.tail, end, uint64(m.len())) * BlockSize
	l.parts[2] = l.tail[:size]
}

// next returns what is to be hashed now, or nil at the end.
func (l *lane) next() []byte {
	for _, p := range l.parts {
		if len(p) > 0 {
			return p
		}
	}
	return nil
}

func (l *lane) skip(n int) {
	for i := range l.parts {
		if len(l.parts[i]) > 0 {
			l.parts[i] = l.parts[i][n:]
			return
		}
	}
}

// scheduler keeps the lanes busy.
type scheduler struct {
	messages []Message
	sums     [][Size]byte
	order    []int  // of messages that have no lane yet, the longest first
	lanes    []lane // as many as the processor has
	state    [8][mostLanes]uint32
}

func newScheduler(messages []Message, sums [][Size]byte) *scheduler {
	s := &scheduler{messages: messages, sums: sums, order: make([]int, len(messages)), lanes: make([]lane, lanes())}
	for i := range s.order {
		s.order[i] = i
	}
	// Lanes that begin long messages together end together.
	slices.SortFunc(s.order, func(a, b int) int { return cmp.Compare(messages[b].len(), messages[a].len()) })
	return s
}

func (s *scheduler) run() {
	for j := range s.lanes {
		s.fill(j)
	}
	var blocks [mostLanes]*byte
	for {
		n := s.step(&blocks)
		if n == 0 {
			return
		}
		compress(&s.state, &blocks, n)
		for j := range s.lanes {
			l := &s.lanes[j]
			if l.sum == nil {
				continue
			}
			l.skip(n * BlockSize)
			if l.next() == nil {
				s.finish(j)
				s.fill(j)
			}
		}
	}
}

// step points blocks to what is to be hashed and returns for how many blocks
// all lanes have something, or 0 when all are idle. An idle lane hashes what
// another one does, for nothing.
func (s *scheduler) step(blocks *[mostLanes]*byte) (n int) {
	var some *byte
	for j := range s.lanes {
		blocks[j] = nil
		if s.lanes[j].sum == nil {
			continue
		}
		p := s.lanes[j].next()
		blocks[j], some = &p[0], &p[0]
		if m := len(p) / BlockSize; n == 0 || m < n {
			n = m
		}
	}
	for j := range blocks {
		if blocks[j] == nil {
			blocks[j] = some
		}
	}
	return n
}

func (s *scheduler) fill(j int) {
	if len(s.order) == 0 {
		s.lanes[j].sum = nil
		return
	}
	i := s.order[0]
	s.order = s.order[1:]
	s.lanes[j].start(&s.messages[i], &s.sums[i])
	for w := range s.state {
		s.state[w][j] = initial[w]
	}
}

func (s *scheduler) finish(j int) {
	for w := range s.state {
		binary.BigEndian.PutUint32(s.lanes[j].sum[4*w:], s.state[w][j])
	}
}
