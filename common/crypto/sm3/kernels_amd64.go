// SPDX-License-Identifier: Apache-2.0

package sm3

import "golang.org/x/sys/cpu"

// compressOne hashes n blocks of 64 bytes of one message.
//
//go:noescape
func compressOne(state *[8]uint32, blocks *byte, n int)

// compress16 hashes n blocks of 64 bytes of each of 16 messages: word i of the
// state of message j is state[i][j], its blocks are at blocks[j]. t has the
// constants of the rounds.
//
//go:noescape
func compress16(state *[8][mostLanes]uint32, blocks *[mostLanes]*byte, n int, t *[64]uint32)

// compress8 does the same for the first 8.
//
//go:noescape
func compress8(state *[8][mostLanes]uint32, blocks *[mostLanes]*byte, n int, t *[64]uint32)

// GODEBUG=cpu.avx512bw=off turns the first of these off, cpu.avx2=off all.
var (
	useAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && useAVX2
	useAVX2   = cpu.X86.HasAVX2
	useOne    = useAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2
)

// lanes is the number of messages that are hashed at once, or 0.
func lanes() int {
	switch {
	case useAVX512:
		return 16
	case useAVX2:
		return 8
	}
	return 0
}

func compress(state *[8][mostLanes]uint32, blocks *[mostLanes]*byte, n int) {
	if useAVX512 {
		compress16(state, blocks, n, &constants)
	} else {
		compress8(state, blocks, n, &constants)
	}
}
