// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The S-box of SM4 (GB/T 32907-2016, 6.2) is an inversion in GF(2^8) between
// two affine maps. GFNI inverts in the field of AES; the matrices below contain
// the isomorphism between the two fields. In the encoding of GF2P8AFFINEQB:
//
//	S(x) = post * inverse(pre*x + 0x3e) + 0xd3
#define PRE_CONSTANT $0x3e
#define POST_CONSTANT $0xd3

DATA pre<>+0x00(SB)/8, $0x4c287db91a22505d
DATA pre<>+0x08(SB)/8, $0x4c287db91a22505d
DATA pre<>+0x10(SB)/8, $0x4c287db91a22505d
DATA pre<>+0x18(SB)/8, $0x4c287db91a22505d
GLOBL pre<>(SB), RODATA|NOPTR, $32
DATA post<>+0x00(SB)/8, $0xf3ab34a974a6b589
DATA post<>+0x08(SB)/8, $0xf3ab34a974a6b589
DATA post<>+0x10(SB)/8, $0xf3ab34a974a6b589
DATA post<>+0x18(SB)/8, $0xf3ab34a974a6b589
GLOBL post<>(SB), RODATA|NOPTR, $32

// Byte shuffles in each lane of 16 bytes: words between the byte orders,
// a whole block reversed, words turned left by 8, 16 and 24 bits.
#define SHUFFLE(name, low, high) \
	DATA name<>+0x00(SB)/8, low; \
	DATA name<>+0x08(SB)/8, high; \
	DATA name<>+0x10(SB)/8, low; \
	DATA name<>+0x18(SB)/8, high; \
	DATA name<>+0x20(SB)/8, low; \
	DATA name<>+0x28(SB)/8, high; \
	DATA name<>+0x30(SB)/8, low; \
	DATA name<>+0x38(SB)/8, high; \
	GLOBL name<>(SB), RODATA|NOPTR, $64
SHUFFLE(swapWords, $0x0405060700010203, $0x0c0d0e0f08090a0b)
SHUFFLE(swapBlock, $0x08090a0b0c0d0e0f, $0x0001020304050607)
SHUFFLE(turn8, $0x0605040702010003, $0x0e0d0c0f0a09080b)
SHUFFLE(turn16, $0x0504070601000302, $0x0d0c0f0e09080b0a)
SHUFFLE(turn24, $0x0407060500030201, $0x0c0f0e0d080b0a09)

// Where a transposed word of a counter belongs: element j of lane k is of
// block 4j+k with four lanes, of block 2j+k with two.
DATA order4<>+0x00(SB)/8, $0x0000000400000000
DATA order4<>+0x08(SB)/8, $0x0000000c00000008
DATA order4<>+0x10(SB)/8, $0x0000000500000001
DATA order4<>+0x18(SB)/8, $0x0000000d00000009
DATA order4<>+0x20(SB)/8, $0x0000000600000002
DATA order4<>+0x28(SB)/8, $0x0000000e0000000a
DATA order4<>+0x30(SB)/8, $0x0000000700000003
DATA order4<>+0x38(SB)/8, $0x0000000f0000000b
GLOBL order4<>(SB), RODATA|NOPTR, $64
DATA order2<>+0x00(SB)/8, $0x0000000200000000
DATA order2<>+0x08(SB)/8, $0x0000000600000004
DATA order2<>+0x10(SB)/8, $0x0000000300000001
DATA order2<>+0x18(SB)/8, $0x0000000700000005
GLOBL order2<>(SB), RODATA|NOPTR, $32

DATA eight<>+0x00(SB)/4, $8
GLOBL eight<>(SB), RODATA|NOPTR, $4
DATA sixteen<>+0x00(SB)/4, $16
GLOBL sixteen<>(SB), RODATA|NOPTR, $4

// The polynomial of GHASH for a reduction by two multiplications.
DATA reduction<>+0x00(SB)/8, $0xc200000000000000
DATA reduction<>+0x08(SB)/8, $0xc200000000000000
GLOBL reduction<>(SB), RODATA|NOPTR, $16

// func hasVectorFields() bool
TEXT ·hasVectorFields(SB), NOSPLIT, $0-1
	MOVL $0, AX
	CPUID
	XORL R8, R8
	CMPL AX, $7
	JB   done
	MOVL $7, AX
	XORL CX, CX
	CPUID
	ANDL $(1<<8|1<<10), CX // GFNI, VPCLMULQDQ
	CMPL CX, $(1<<8|1<<10)
	SETEQ R8

done:
	MOVB R8, ret+0(FP)
	RET

// ---- one block, and the key schedule

// SBOX applies the S-box to the bytes of x.
#define SBOX(x) \
	VGF2P8AFFINEQB PRE_CONSTANT, X14, x, x; \
	VGF2P8AFFINEINVQB POST_CONSTANT, X15, x, x

// ROUND1 is a round of one block: x0 ^= T(x1 ^ x2 ^ x3 ^ rk). X13 turns words
// by 8 bits, X12 by 16, X11 by 24.
#define ROUND1(x0, x1, x2, x3, off) \
	VMOVD  off(AX), X4; \
	VPXOR  x1, x2, X5; \
	VPXOR  X4, X5, X5; \
	VPXOR  x3, X5, X4; \
	SBOX(X4); \
	VPSHUFB X13, X4, X5; \
	VPSHUFB X12, X4, X6; \
	VPSHUFB X11, X4, X7; \
	VPXOR  X4, X5, X5; \
	VPXOR  X6, X5, X5; \
	VPXOR  X4, x0, x0; \
	VPXOR  X7, x0, x0; \
	VPSLLD $2, X5, X6; \
	VPSRLD $30, X5, X5; \
	VPXOR  X6, x0, x0; \
	VPXOR  X5, x0, x0

// func encryptBlock(rk *[32]uint32, dst, src *byte)
TEXT ·encryptBlock(SB), NOSPLIT, $0-24
	MOVQ rk+0(FP), AX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	VMOVDQU pre<>(SB), X14
	VMOVDQU post<>(SB), X15
	VMOVDQU turn8<>(SB), X13
	VMOVDQU turn16<>(SB), X12
	VMOVDQU turn24<>(SB), X11
	VMOVDQU (SI), X0
	VPSHUFB swapWords<>(SB), X0, X0
	VPSRLDQ $4, X0, X1
	VPSRLDQ $8, X0, X2
	VPSRLDQ $12, X0, X3
	MOVQ $8, CX

loop:
	ROUND1(X0, X1, X2, X3, 0)
	ROUND1(X1, X2, X3, X0, 4)
	ROUND1(X2, X3, X0, X1, 8)
	ROUND1(X3, X0, X1, X2, 12)
	ADDQ $16, AX
	DECQ CX
	JNZ  loop

	VPUNPCKLDQ X2, X3, X3
	VPUNPCKLDQ X0, X1, X1
	VPUNPCKLQDQ X1, X3, X0
	VPSHUFB swapWords<>(SB), X0, X0
	VMOVDQU X0, (DI)
	VZEROALL
	RET

// KEY is a step of the key schedule (GB/T 32907-2016, 7.3): k0 is replaced by
// the next round key, k0 ^ T'(k1 ^ k2 ^ k3 ^ CK), where L' turns by 13 and 23.
#define KEY(k0, k1, k2, k3, off) \
	VMOVD  off(BX), X4; \
	VPXOR  k1, k2, X5; \
	VPXOR  X4, k3, X4; \
	VPXOR  X4, X5, X4; \
	SBOX(X4); \
	VPSLLD $13, X4, X5; \
	VPSRLD $19, X4, X6; \
	VPXOR  X5, X6, X5; \
	VPSLLD $23, X4, X6; \
	VPSRLD $9, X4, X7; \
	VPXOR  X6, X7, X6; \
	VPXOR  X4, k0, k0; \
	VPXOR  X5, X6, X5; \
	VPXOR  X5, k0, k0; \
	VMOVD  k0, off(AX)

// func expandKey(key *[4]uint32, ck, rk *[32]uint32)
TEXT ·expandKey(SB), NOSPLIT, $0-24
	MOVQ key+0(FP), SI
	MOVQ ck+8(FP), BX
	MOVQ rk+16(FP), AX
	VMOVDQU pre<>(SB), X14
	VMOVDQU post<>(SB), X15
	VMOVD 0(SI), X0
	VMOVD 4(SI), X1
	VMOVD 8(SI), X2
	VMOVD 12(SI), X3
	MOVQ $8, CX

loop:
	KEY(X0, X1, X2, X3, 0)
	KEY(X1, X2, X3, X0, 4)
	KEY(X2, X3, X0, X1, 8)
	KEY(X3, X0, X1, X2, 12)
	ADDQ $16, AX
	ADDQ $16, BX
	DECQ CX
	JNZ  loop
	VZEROALL
	RET

// ---- AVX-512: 16 blocks in the four registers of a group

// ROUND16 is a round of the 16 blocks in x0 to x3. t, u and v are scratch.
#define ROUND16(x0, x1, x2, x3, t, u, v, off) \
	VPXORD.BCST off(AX), x1, t; \
	VPTERNLOGD $0x96, x2, x3, t; \
	VGF2P8AFFINEQB PRE_CONSTANT, Z30, t, t; \
	VGF2P8AFFINEINVQB POST_CONSTANT, Z31, t, t; \
	VPROLD $2, t, u; \
	VPROLD $10, t, v; \
	VPTERNLOGD $0x96, t, u, x0; \
	VPROLD $18, t, u; \
	VPROLD $24, t, t; \
	VPTERNLOGD $0x96, v, u, x0; \
	VPXORD t, x0, x0

#define FOUR_ROUNDS16 \
	ROUND16(Z0, Z1, Z2, Z3, Z16, Z20, Z24, 0); \
	ROUND16(Z1, Z2, Z3, Z0, Z16, Z20, Z24, 4); \
	ROUND16(Z2, Z3, Z0, Z1, Z16, Z20, Z24, 8); \
	ROUND16(Z3, Z0, Z1, Z2, Z16, Z20, Z24, 12)

#define ROUND64(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3, off) \
	ROUND16(a0, a1, a2, a3, Z16, Z20, Z24, off); \
	ROUND16(b0, b1, b2, b3, Z17, Z21, Z24, off); \
	ROUND16(c0, c1, c2, c3, Z18, Z22, Z24, off); \
	ROUND16(d0, d1, d2, d3, Z19, Z23, Z24, off)

#define FOUR_ROUNDS64 \
	ROUND64(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15, 0); \
	ROUND64(Z1, Z2, Z3, Z0, Z5, Z6, Z7, Z4, Z9, Z10, Z11, Z8, Z13, Z14, Z15, Z12, 4); \
	ROUND64(Z2, Z3, Z0, Z1, Z6, Z7, Z4, Z5, Z10, Z11, Z8, Z9, Z14, Z15, Z12, Z13, 8); \
	ROUND64(Z3, Z0, Z1, Z2, Z7, Z4, Z5, Z6, Z11, Z8, Z9, Z10, Z15, Z12, Z13, Z14, 12)

// TRANSPOSE16 transposes the words of r0 to r3 in each lane. Z16 to Z19 are
// scratch.
#define TRANSPOSE16(r0, r1, r2, r3) \
	VPUNPCKLDQ r1, r0, Z16; \
	VPUNPCKHDQ r1, r0, Z17; \
	VPUNPCKLDQ r3, r2, Z18; \
	VPUNPCKHDQ r3, r2, Z19; \
	VPUNPCKLQDQ Z18, Z16, r0; \
	VPUNPCKHQDQ Z18, Z16, r1; \
	VPUNPCKLQDQ Z19, Z17, r2; \
	VPUNPCKHQDQ Z19, Z17, r3

#define SWAP16(r0, r1, r2, r3) \
	VPSHUFB Z29, r0, r0; \
	VPSHUFB Z29, r1, r1; \
	VPSHUFB Z29, r2, r2; \
	VPSHUFB Z29, r3, r3

// LOAD16 loads 16 blocks as words of the group.
#define LOAD16(r0, r1, r2, r3, off) \
	VMOVDQU32 (off+0)(SI), r0; \
	VMOVDQU32 (off+64)(SI), r1; \
	VMOVDQU32 (off+128)(SI), r2; \
	VMOVDQU32 (off+192)(SI), r3; \
	SWAP16(r0, r1, r2, r3); \
	TRANSPOSE16(r0, r1, r2, r3)

// FINISH16 leaves the 16 blocks of a group in x3, x2, x1, x0, in this order.
#define FINISH16(x0, x1, x2, x3) \
	TRANSPOSE16(x3, x2, x1, x0); \
	SWAP16(x0, x1, x2, x3)

#define STORE16(x0, x1, x2, x3, off) \
	VMOVDQU32 x3, (off+0)(DI); \
	VMOVDQU32 x2, (off+64)(DI); \
	VMOVDQU32 x1, (off+128)(DI); \
	VMOVDQU32 x0, (off+192)(DI)

#define XOR16(x0, x1, x2, x3, off) \
	VPXORD (off+0)(SI), x3, x3; \
	VPXORD (off+64)(SI), x2, x2; \
	VPXORD (off+128)(SI), x1, x1; \
	VPXORD (off+192)(SI), x0, x0

#define CONSTANTS16 \
	VPBROADCASTQ pre<>(SB), Z30; \
	VPBROADCASTQ post<>(SB), Z31; \
	VMOVDQU32 swapWords<>(SB), Z29

// COUNTER16 loads the words of the block at BX to all lanes of Z26 to Z28, and
// the counters of 16 blocks to Z25.
#define COUNTER16 \
	MOVL 0(BX), R8; \
	MOVL 4(BX), R9; \
	MOVL 8(BX), R10; \
	MOVL 12(BX), R11; \
	BSWAPL R8; \
	BSWAPL R9; \
	BSWAPL R10; \
	BSWAPL R11; \
	VPBROADCASTD R8, Z26; \
	VPBROADCASTD R9, Z27; \
	VPBROADCASTD R10, Z28; \
	VPBROADCASTD R11, Z25; \
	VPADDD order4<>(SB), Z25, Z25

#define COUNT16(x0, x1, x2, x3) \
	VMOVDQA32 Z26, x0; \
	VMOVDQA32 Z27, x1; \
	VMOVDQA32 Z28, x2; \
	VMOVDQA32 Z25, x3; \
	VPADDD.BCST sixteen<>(SB), Z25, Z25

// CLEAR16 leaves neither key stream nor text in registers.
#define CLEAR16 \
	VPXORD Z16, Z16, Z16; \
	VMOVDQA32 Z16, Z17; \
	VMOVDQA32 Z16, Z18; \
	VMOVDQA32 Z16, Z19; \
	VMOVDQA32 Z16, Z20; \
	VMOVDQA32 Z16, Z21; \
	VMOVDQA32 Z16, Z22; \
	VMOVDQA32 Z16, Z23; \
	VMOVDQA32 Z16, Z24; \
	VZEROALL

// func ctr16AVX512(rk *[32]uint32, dst, src *byte, counter *[16]byte)
TEXT ·ctr16AVX512(SB), NOSPLIT, $0-32
	MOVQ rk+0(FP), AX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ counter+24(FP), BX
	CONSTANTS16
	COUNTER16
	COUNT16(Z0, Z1, Z2, Z3)
	MOVQ $8, CX

loop:
	FOUR_ROUNDS16
	ADDQ $16, AX
	DECQ CX
	JNZ  loop
	FINISH16(Z0, Z1, Z2, Z3)
	XOR16(Z0, Z1, Z2, Z3, 0)
	STORE16(Z0, Z1, Z2, Z3, 0)
	CLEAR16
	RET

// func ctr64AVX512(rk *[32]uint32, dst, src *byte, counter *[16]byte, n int)
TEXT ·ctr64AVX512(SB), NOSPLIT, $0-40
	MOVQ rk+0(FP), DX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ counter+24(FP), BX
	MOVQ n+32(FP), R12
	CONSTANTS16
	COUNTER16

next:
	COUNT16(Z0, Z1, Z2, Z3)
	COUNT16(Z4, Z5, Z6, Z7)
	COUNT16(Z8, Z9, Z10, Z11)
	COUNT16(Z12, Z13, Z14, Z15)
	MOVQ DX, AX
	MOVQ $8, CX

loop:
	FOUR_ROUNDS64
	ADDQ $16, AX
	DECQ CX
	JNZ  loop
	FINISH16(Z0, Z1, Z2, Z3)
	XOR16(Z0, Z1, Z2, Z3, 0)
	STORE16(Z0, Z1, Z2, Z3, 0)
	FINISH16(Z4, Z5, Z6, Z7)
	XOR16(Z4, Z5, Z6, Z7, 256)
	STORE16(Z4, Z5, Z6, Z7, 256)
	FINISH16(Z8, Z9, Z10, Z11)
	XOR16(Z8, Z9, Z10, Z11, 512)
	STORE16(Z8, Z9, Z10, Z11, 512)
	FINISH16(Z12, Z13, Z14, Z15)
	XOR16(Z12, Z13, Z14, Z15, 768)
	STORE16(Z12, Z13, Z14, Z15, 768)
	ADDQ $1024, SI
	ADDQ $1024, DI
	DECQ R12
	JNZ  next
	CLEAR16
	RET

// func ecb16AVX512(rk *[32]uint32, dst, src *byte)
TEXT ·ecb16AVX512(SB), NOSPLIT, $0-24
	MOVQ rk+0(FP), AX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	CONSTANTS16
	LOAD16(Z0, Z1, Z2, Z3, 0)
	MOVQ $8, CX

loop:
	FOUR_ROUNDS16
	ADDQ $16, AX
	DECQ CX
	JNZ  loop
	FINISH16(Z0, Z1, Z2, Z3)
	STORE16(Z0, Z1, Z2, Z3, 0)
	CLEAR16
	RET

// func ecb64AVX512(rk *[32]uint32, dst, src *byte)
TEXT ·ecb64AVX512(SB), NOSPLIT, $0-24
	MOVQ rk+0(FP), AX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	CONSTANTS16
	LOAD16(Z0, Z1, Z2, Z3, 0)
	LOAD16(Z4, Z5, Z6, Z7, 256)
	LOAD16(Z8, Z9, Z10, Z11, 512)
	LOAD16(Z12, Z13, Z14, Z15, 768)
	MOVQ $8, CX

loop:
	FOUR_ROUNDS64
	ADDQ $16, AX
	DECQ CX
	JNZ  loop
	FINISH16(Z0, Z1, Z2, Z3)
	STORE16(Z0, Z1, Z2, Z3, 0)
	FINISH16(Z4, Z5, Z6, Z7)
	STORE16(Z4, Z5, Z6, Z7, 256)
	FINISH16(Z8, Z9, Z10, Z11)
	STORE16(Z8, Z9, Z10, Z11, 512)
	FINISH16(Z12, Z13, Z14, Z15)
	STORE16(Z12, Z13, Z14, Z15, 768)
	CLEAR16
	RET

// ---- AVX2: 8 blocks in the four registers of a group, two groups at once

// ROUND8 is a round of the 8 blocks in x0 to x3, whose round key Y15 has in all
// words. t, u and v are scratch.
#define ROUND8(x0, x1, x2, x3, t, u, v) \
	VPXOR  x1, x2, t; \
	VPXOR  Y15, x3, u; \
	VPXOR  t, u, t; \
	VGF2P8AFFINEQB PRE_CONSTANT, Y14, t, t; \
	VGF2P8AFFINEINVQB POST_CONSTANT, post<>(SB), t, t; \
	VPXOR  t, x0, x0; \
	VPSHUFB turn8<>(SB), t, u; \
	VPSHUFB turn16<>(SB), t, v; \
	VPXOR  t, u, u; \
	VPXOR  u, v, u; \
	VPSHUFB turn24<>(SB), t, t; \
	VPSLLD $2, u, v; \
	VPSRLD $30, u, u; \
	VPXOR  t, x0, x0; \
	VPXOR  u, v, u; \
	VPXOR  u, x0, x0

#define TWO_ROUND8(a0, a1, a2, a3, b0, b1, b2, b3, off) \
	VPBROADCASTD off(AX), Y15; \
	ROUND8(a0, a1, a2, a3, Y8, Y9, Y10); \
	ROUND8(b0, b1, b2, b3, Y11, Y12, Y13)

#define FOUR_ROUNDS8 \
	TWO_ROUND8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 0); \
	TWO_ROUND8(Y1, Y2, Y3, Y0, Y5, Y6, Y7, Y4, 4); \
	TWO_ROUND8(Y2, Y3, Y0, Y1, Y6, Y7, Y4, Y5, 8); \
	TWO_ROUND8(Y3, Y0, Y1, Y2, Y7, Y4, Y5, Y6, 12)

#define TRANSPOSE8(r0, r1, r2, r3) \
	VPUNPCKLDQ r1, r0, Y8; \
	VPUNPCKHDQ r1, r0, Y9; \
	VPUNPCKLDQ r3, r2, Y10; \
	VPUNPCKHDQ r3, r2, Y11; \
	VPUNPCKLQDQ Y10, Y8, r0; \
	VPUNPCKHQDQ Y10, Y8, r1; \
	VPUNPCKLQDQ Y11, Y9, r2; \
	VPUNPCKHQDQ Y11, Y9, r3

#define SWAP8(r0, r1, r2, r3) \
	VPSHUFB swapWords<>(SB), r0, r0; \
	VPSHUFB swapWords<>(SB), r1, r1; \
	VPSHUFB swapWords<>(SB), r2, r2; \
	VPSHUFB swapWords<>(SB), r3, r3

#define LOAD8(r0, r1, r2, r3, off) \
	VMOVDQU (off+0)(SI), r0; \
	VMOVDQU (off+32)(SI), r1; \
	VMOVDQU (off+64)(SI), r2; \
	VMOVDQU (off+96)(SI), r3; \
	SWAP8(r0, r1, r2, r3); \
	TRANSPOSE8(r0, r1, r2, r3)

#define FINISH8(x0, x1, x2, x3) \
	TRANSPOSE8(x3, x2, x1, x0); \
	SWAP8(x0, x1, x2, x3)

#define STORE8(x0, x1, x2, x3, off) \
	VMOVDQU x3, (off+0)(DI); \
	VMOVDQU x2, (off+32)(DI); \
	VMOVDQU x1, (off+64)(DI); \
	VMOVDQU x0, (off+96)(DI)

#define XOR8(x0, x1, x2, x3, off) \
	VPXOR (off+0)(SI), x3, x3; \
	VPXOR (off+32)(SI), x2, x2; \
	VPXOR (off+64)(SI), x1, x1; \
	VPXOR (off+96)(SI), x0, x0

// func ctr16AVX2(rk *[32]uint32, dst, src *byte, counter *[16]byte, n int)
TEXT ·ctr16AVX2(SB), NOSPLIT, $0-40
	MOVQ rk+0(FP), DX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ counter+24(FP), BX
	MOVQ n+32(FP), R12
	MOVL 12(BX), R11
	BSWAPL R11
	VMOVDQU pre<>(SB), Y14

next:
	VBROADCASTI128 (BX), Y3
	VPSHUFB swapWords<>(SB), Y3, Y3
	VPSHUFD $0x00, Y3, Y0
	VPSHUFD $0x55, Y3, Y1
	VPSHUFD $0xaa, Y3, Y2
	VMOVD R11, X3
	VPBROADCASTD X3, Y3
	VPADDD order2<>(SB), Y3, Y3
	VPBROADCASTD eight<>(SB), Y7
	VPADDD Y3, Y7, Y7
	VMOVDQA Y0, Y4
	VMOVDQA Y1, Y5
	VMOVDQA Y2, Y6
	MOVQ DX, AX
	MOVQ $8, CX

loop:
	FOUR_ROUNDS8
	ADDQ $16, AX
	DECQ CX
	JNZ  loop
	FINISH8(Y0, Y1, Y2, Y3)
	XOR8(Y0, Y1, Y2, Y3, 0)
	STORE8(Y0, Y1, Y2, Y3, 0)
	FINISH8(Y4, Y5, Y6, Y7)
	XOR8(Y4, Y5, Y6, Y7, 128)
	STORE8(Y4, Y5, Y6, Y7, 128)
	ADDL $16, R11
	ADDQ $256, SI
	ADDQ $256, DI
	DECQ R12
	JNZ  next
	VZEROALL
	RET

// func ecb16AVX2(rk *[32]uint32, dst, src *byte)
TEXT ·ecb16AVX2(SB), NOSPLIT, $0-24
	MOVQ rk+0(FP), AX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	VMOVDQU pre<>(SB), Y14
	LOAD8(Y0, Y1, Y2, Y3, 0)
	LOAD8(Y4, Y5, Y6, Y7, 128)
	MOVQ $8, CX

loop:
	FOUR_ROUNDS8
	ADDQ $16, AX
	DECQ CX
	JNZ  loop
	FINISH8(Y0, Y1, Y2, Y3)
	STORE8(Y0, Y1, Y2, Y3, 0)
	FINISH8(Y4, Y5, Y6, Y7)
	STORE8(Y4, Y5, Y6, Y7, 128)
	VZEROALL
	RET

// ---- GHASH (NIST SP 800-38D, 6.4)
//
// Blocks are kept with their bytes reversed. The key is kept times x, so that
// the product of a block and of a power of the key needs no shift before it is
// reduced.

// REDUCE folds the 256 bits in high and low into high. X15 is the polynomial,
// t scratch.
#define REDUCE(high, low, t) \
	VPCLMULQDQ $0x00, X15, low, t; \
	VPSHUFD $0x4e, low, low; \
	VPXOR t, low, low; \
	VPCLMULQDQ $0x00, X15, low, t; \
	VPSHUFD $0x4e, low, low; \
	VPXOR t, low, low; \
	VPXOR low, high, high

// JOIN adds the middle product to high and low. t is scratch.
#define JOIN(high, middle, low, t) \
	VPSLLDQ $8, middle, t; \
	VPSRLDQ $8, middle, middle; \
	VPXOR t, low, low; \
	VPXOR middle, high, high

// func ghashMultiply(product, a, b *[16]byte)
TEXT ·ghashMultiply(SB), NOSPLIT, $0-24
	MOVQ product+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), BX
	VMOVDQU (SI), X0
	VMOVDQU (BX), X1
	VMOVDQU reduction<>(SB), X15
	VPCLMULQDQ $0x11, X0, X1, X2
	VPCLMULQDQ $0x00, X0, X1, X3
	VPCLMULQDQ $0x01, X0, X1, X4
	VPCLMULQDQ $0x10, X0, X1, X5
	VPXOR X4, X5, X4
	JOIN(X2, X4, X3, X5)
	REDUCE(X2, X3, X5)
	VMOVDQU X2, (DI)
	VZEROALL
	RET

// TIMES2 adds the products of the two blocks at off(SI) and of the key's powers
// at off(BX) to Y2 (high), Y3 (low) and Y4 (middle).
#define TIMES2(off) \
	VMOVDQU off(SI), Y5; \
	VPSHUFB Y14, Y5, Y5; \
	TIMES2_LOADED(off)

#define TIMES2_LOADED(off) \
	VMOVDQU off(BX), Y6; \
	VPCLMULQDQ $0x11, Y5, Y6, Y7; \
	VPCLMULQDQ $0x00, Y5, Y6, Y8; \
	VPCLMULQDQ $0x01, Y5, Y6, Y9; \
	VPCLMULQDQ $0x10, Y5, Y6, Y10; \
	VPXOR Y7, Y2, Y2; \
	VPXOR Y8, Y3, Y3; \
	VPXOR Y9, Y10, Y9; \
	VPXOR Y9, Y4, Y4

// FOLD2 leaves the sum of the two lanes of y in its lower one, x.
#define FOLD2(y, x) \
	VEXTRACTI128 $1, y, X5; \
	VPXOR X5, x, x

// func ghash16AVX2(powers *[16][16]byte, sum *[16]byte, data *byte, n int)
TEXT ·ghash16AVX2(SB), NOSPLIT, $0-32
	MOVQ powers+0(FP), BX
	MOVQ sum+8(FP), DI
	MOVQ data+16(FP), SI
	MOVQ n+24(FP), CX
	VMOVDQU (DI), X0
	VMOVDQU swapBlock<>(SB), Y14
	VMOVDQU reduction<>(SB), X15

loop:
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	TIMES2(32)
	TIMES2(64)
	TIMES2(96)
	TIMES2(128)
	TIMES2(160)
	TIMES2(192)
	TIMES2(224)
	VMOVDQU (SI), Y5
	VPSHUFB Y14, Y5, Y5
	VPXOR Y0, Y5, Y5
	TIMES2_LOADED(0)
	FOLD2(Y2, X2)
	FOLD2(Y3, X3)
	FOLD2(Y4, X4)
	JOIN(X2, X4, X3, X5)
	REDUCE(X2, X3, X5)
	VMOVDQA X2, X0
	ADDQ $256, SI
	DECQ CX
	JNZ  loop
	VMOVDQU X0, (DI)
	VZEROALL
	RET

// TIMES1 is TIMES2 for one block, in X2, X3 and X4.
#define TIMES1(off) \
	VMOVDQU off(SI), X5; \
	VPSHUFB X14, X5, X5; \
	TIMES1_LOADED(off)

#define TIMES1_LOADED(off) \
	VMOVDQU off(BX), X6; \
	VPCLMULQDQ $0x11, X5, X6, X7; \
	VPCLMULQDQ $0x00, X5, X6, X8; \
	VPCLMULQDQ $0x01, X5, X6, X9; \
	VPCLMULQDQ $0x10, X5, X6, X10; \
	VPXOR X7, X2, X2; \
	VPXOR X8, X3, X3; \
	VPXOR X9, X10, X9; \
	VPXOR X9, X4, X4

// func ghash16CLMUL(powers *[16][16]byte, sum *[16]byte, data *byte, n int)
TEXT ·ghash16CLMUL(SB), NOSPLIT, $0-32
	MOVQ powers+0(FP), BX
	MOVQ sum+8(FP), DI
	MOVQ data+16(FP), SI
	MOVQ n+24(FP), CX
	VMOVDQU (DI), X0
	VMOVDQU swapBlock<>(SB), X14
	VMOVDQU reduction<>(SB), X15

loop:
	VPXOR X2, X2, X2
	VPXOR X3, X3, X3
	VPXOR X4, X4, X4
	TIMES1(16)
	TIMES1(32)
	TIMES1(48)
	TIMES1(64)
	TIMES1(80)
	TIMES1(96)
	TIMES1(112)
	TIMES1(128)
	TIMES1(144)
	TIMES1(160)
	TIMES1(176)
	TIMES1(192)
	TIMES1(208)
	TIMES1(224)
	TIMES1(240)
	VMOVDQU (SI), X5
	VPSHUFB X14, X5, X5
	VPXOR X0, X5, X5
	TIMES1_LOADED(0)
	JOIN(X2, X4, X3, X5)
	REDUCE(X2, X3, X5)
	VMOVDQA X2, X0
	ADDQ $256, SI
	DECQ CX
	JNZ  loop
	VMOVDQU X0, (DI)
	VZEROALL
	RET

// TIMES4 is TIMES2 for the four blocks in x: the sums are in Z2, Z3, Z4.
#define TIMES4(x, power) \
	VPCLMULQDQ $0x11, x, power, Z7; \
	VPCLMULQDQ $0x00, x, power, Z8; \
	VPCLMULQDQ $0x01, x, power, Z9; \
	VPCLMULQDQ $0x10, x, power, Z10; \
	VPXORD Z7, Z2, Z2; \
	VPXORD Z8, Z3, Z3; \
	VPTERNLOGD $0x96, Z9, Z10, Z4

// FOLD4 leaves the sum of the four lanes of z in its lowest one, x.
#define FOLD4(z, y, x) \
	VEXTRACTI64X4 $1, z, Y5; \
	VPXOR Y5, y, y; \
	FOLD2(y, x)

// func ghash16AVX512(powers *[16][16]byte, sum *[16]byte, data *byte, n int)
TEXT ·ghash16AVX512(SB), NOSPLIT, $0-32
	MOVQ powers+0(FP), BX
	MOVQ sum+8(FP), DI
	MOVQ data+16(FP), SI
	MOVQ n+24(FP), CX
	VMOVDQU (DI), X0
	VMOVDQU32 swapBlock<>(SB), Z14
	VMOVDQU reduction<>(SB), X15
	VMOVDQU32 0(BX), Z16
	VMOVDQU32 64(BX), Z17
	VMOVDQU32 128(BX), Z18
	VMOVDQU32 192(BX), Z19

loop:
	VMOVDQU32 0(SI), Z20
	VMOVDQU32 64(SI), Z21
	VMOVDQU32 128(SI), Z22
	VMOVDQU32 192(SI), Z23
	VPSHUFB Z14, Z20, Z20
	VPSHUFB Z14, Z21, Z21
	VPSHUFB Z14, Z22, Z22
	VPSHUFB Z14, Z23, Z23
	VPXORD Z0, Z20, Z20
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	TIMES4(Z21, Z17)
	TIMES4(Z22, Z18)
	TIMES4(Z23, Z19)
	TIMES4(Z20, Z16)
	FOLD4(Z2, Y2, X2)
	FOLD4(Z3, Y3, X3)
	FOLD4(Z4, Y4, X4)
	JOIN(X2, X4, X3, X5)
	REDUCE(X2, X3, X5)
	VMOVDQA X2, X0
	ADDQ $256, SI
	DECQ CX
	JNZ  loop
	VMOVDQU X0, (DI)
	CLEAR16
	RET
