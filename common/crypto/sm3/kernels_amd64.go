// SPDX-License-Identifier: Apache-2.0

package sm3

import "golang.org/x/sys/cpu"

// compress16 hashes n blocks of 64 bytes of each of 16 messages: word i of the
// state of message j is state[i][j], its blocks are at blocks[j]. t has the
// constants of the rounds.
//
//go:noescape
func compress16(state *[8][lanes]uint32, blocks *[lanes]*byte, n int, t *[64]uint32)

// GODEBUG=cpu.avx512bw=off turns this off.
var useLanes = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ
