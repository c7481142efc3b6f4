// SPDX-License-Identifier: Apache-2.0

package sm4

import (
	"encoding/binary"
	"os"
	"strings"

	"golang.org/x/sys/cpu"
)

// Written in kernels_amd64.s. A round key is a word in the processor's byte
// order; dst and src may be the same. All take the same time whatever keys and
// data are.

// hasVectorFields reports whether the processor has GFNI and VPCLMULQDQ, which
// x/sys/cpu knows together with AVX-512 alone.
func hasVectorFields() bool

// expandKey computes the 32 round keys from MK ^ FK and the constants CK.
//
//go:noescape
func expandKey(key *[4]uint32, ck, rk *roundKeys)

//go:noescape
func encryptBlock(rk *roundKeys, dst, src *byte)

// ecb16AVX2 encrypts 16 blocks, ecb64AVX512 64.
//
//go:noescape
func ecb16AVX2(rk *roundKeys, dst, src *byte)

//go:noescape
func ecb16AVX512(rk *roundKeys, dst, src *byte)

//go:noescape
func ecb64AVX512(rk *roundKeys, dst, src *byte)

// ctr16AVX2 adds to n times 16 blocks the encryptions of counter and of the
// blocks after it. It increments the last 32 bits alone (SP 800-38D, 6.2), and
// leaves counter as it is.
//
//go:noescape
func ctr16AVX2(rk *roundKeys, dst, src *byte, counter *[BlockSize]byte, n int)

//go:noescape
func ctr16AVX512(rk *roundKeys, dst, src *byte, counter *[BlockSize]byte)

//go:noescape
func ctr64AVX512(rk *roundKeys, dst, src *byte, counter *[BlockSize]byte, n int)

// ghashMultiply and the two below it see blocks with their bytes reversed.
// powers has the key's powers 16 to 1, each times x.
//
//go:noescape
func ghashMultiply(product, a, b *[BlockSize]byte)

//go:noescape
func ghash16AVX2(powers *[ghashBatch][BlockSize]byte, sum *[BlockSize]byte, data *byte, n int)

//go:noescape
func ghash16AVX512(powers *[ghashBatch][BlockSize]byte, sum *[BlockSize]byte, data *byte, n int)

// ghash16CLMUL needs AVX and PCLMULQDQ alone.
//
//go:noescape
func ghash16CLMUL(powers *[ghashBatch][BlockSize]byte, sum *[BlockSize]byte, data *byte, n int)

// GODEBUG=cpu.avx512gfni=off turns the first of these off, cpu.gfni=off the
// first two, as it does in the engine, and cpu.avx2=off all.
var (
	useAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ &&
		cpu.X86.HasAVX512GFNI && useAVX2
	useAVX2 = cpu.X86.HasAVX2 && hasVectorFields() && !strings.Contains(os.Getenv("GODEBUG"), "cpu.gfni=off")
	useECB  = cpu.X86.HasAVX2 && cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ
)

// ecb encrypts whole batches.
func (rk *roundKeys) ecb(dst, src []byte) {
	for useAVX512 && len(src) >= wideBatch {
		ecb64AVX512(rk, &dst[0], &src[0])
		dst, src = dst[wideBatch:], src[wideBatch:]
	}
	for len(src) > 0 {
		if useAVX512 {
			ecb16AVX512(rk, &dst[0], &src[0])
		} else {
			ecb16AVX2(rk, &dst[0], &src[0])
		}
		dst, src = dst[batch:], src[batch:]
	}
}

// ctr adds the key stream from counter on to src, and advances counter by the
// blocks that were begun.
func (rk *roundKeys) ctr(dst, src []byte, counter *[BlockSize]byte) {
	if useAVX512 {
		if n := len(src) / wideBatch; n > 0 {
			ctr64AVX512(rk, &dst[0], &src[0], counter, n)
			advance(counter, n*wideBatch/BlockSize)
			dst, src = dst[n*wideBatch:], src[n*wideBatch:]
		}
	} else if n := len(src) / batch; n > 0 {
		ctr16AVX2(rk, &dst[0], &src[0], counter, n)
		advance(counter, n*batch/BlockSize)
		dst, src = dst[n*batch:], src[n*batch:]
	}
	if len(src) == 0 {
		return
	}
	var text [wideBatch]byte
	copy(text[:], src)
	switch {
	case len(src) > batch: // which AVX2 leaves never
		ctr64AVX512(rk, &text[0], &text[0], counter, 1)
	case useAVX512:
		ctr16AVX512(rk, &text[0], &text[0], counter)
	default:
		ctr16AVX2(rk, &text[0], &text[0], counter, 1)
	}
	copy(dst, text[:len(src)])
	advance(counter, blocksOf(len(src)))
}

// advance adds n to the last 32 bits of the counter.
func advance(counter *[BlockSize]byte, n int) {
	last := counter[BlockSize-4:]
	binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)+uint32(n))
}
