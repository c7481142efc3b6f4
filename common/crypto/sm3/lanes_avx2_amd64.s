// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// Eight messages at once, each in a lane of the registers of AVX2, as
// lanes_avx512_amd64.s has sixteen. Words are turned by two shifts, and W
// stands on the stack.

DATA swapEight<>+0x00(SB)/8, $0x0405060700010203
DATA swapEight<>+0x08(SB)/8, $0x0c0d0e0f08090a0b
DATA swapEight<>+0x10(SB)/8, $0x0405060700010203
DATA swapEight<>+0x18(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swapEight<>(SB), RODATA|NOPTR, $32

// turnEight turns each word left by 8 bits.
DATA turnEight<>+0x00(SB)/8, $0x0605040702010003
DATA turnEight<>+0x08(SB)/8, $0x0e0d0c0f0a09080b
DATA turnEight<>+0x10(SB)/8, $0x0605040702010003
DATA turnEight<>+0x18(SB)/8, $0x0e0d0c0f0a09080b
GLOBL turnEight<>(SB), RODATA|NOPTR, $32

// TURN sets to to x turned left by n bits; m is 32 - n.
#define TURN(n, m, x, to, t) \
	VPSLLD $n, x, to; \
	VPSRLD $m, x, t; \
	VPXOR t, to, to

// EXPAND8 replaces word w0 of W, 16 before, by the next one.
#define EXPAND8(w0, w3, w7, w10, w13) \
	VMOVDQU (w13*32)(SP), Y8; \
	TURN(15, 17, Y8, Y9, Y10); \
	VPXOR (w0*32)(SP), Y9, Y9; \
	VPXOR (w7*32)(SP), Y9, Y9; \
	TURN(15, 17, Y9, Y10, Y11); \
	VPSHUFB Y15, Y10, Y11; \
	VPXOR Y10, Y9, Y9; \
	VPXOR Y11, Y9, Y9; \
	VMOVDQU (w3*32)(SP), Y8; \
	TURN(7, 25, Y8, Y10, Y11); \
	VPXOR Y10, Y9, Y9; \
	VPXOR (w10*32)(SP), Y9, Y9; \
	VMOVDQU Y9, (w0*32)(SP)

// SS8 leaves SS1 in Y9 and SS2 in Y8.
#define SS8(a, e, t) \
	TURN(12, 20, a, Y8, Y9); \
	VPBROADCASTD (t*4)(AX), Y10; \
	VPADDD e, Y10, Y10; \
	VPADDD Y8, Y10, Y10; \
	TURN(7, 25, Y10, Y9, Y11); \
	VPXOR Y9, Y8, Y8

// END8 has FF in Y12 and GG in Y13, and leaves the new A in d and the new E
// in h.
#define END8(b, d, f, h, w0, w4) \
	VMOVDQU (w0*32)(SP), Y10; \
	VPADDD Y13, h, h; \
	VPADDD Y9, h, h; \
	VPADDD Y10, h, h; \
	VPXOR (w4*32)(SP), Y10, Y10; \
	VPADDD Y12, d, d; \
	VPADDD Y8, d, d; \
	VPADDD Y10, d, d; \
	TURN(9, 23, h, Y10, Y11); \
	VPSHUFB Y15, Y10, Y11; \
	VPXOR Y10, h, h; \
	VPXOR Y11, h, h; \
	TURN(9, 23, b, Y12, Y11); \
	VMOVDQA Y12, b; \
	TURN(19, 13, f, Y13, Y11); \
	VMOVDQA Y13, f

#define EARLY8(a, b, c, d, e, f, g, h, w0, w4, t) \
	SS8(a, e, t); \
	VPXOR a, b, Y12; \
	VPXOR c, Y12, Y12; \
	VPXOR e, f, Y13; \
	VPXOR g, Y13, Y13; \
	END8(b, d, f, h, w0, w4)

#define LATE8(a, b, c, d, e, f, g, h, w0, w4, t) \
	SS8(a, e, t); \
	VPXOR a, b, Y12; \
	VPAND c, Y12, Y12; \
	VPAND a, b, Y11; \
	VPXOR Y11, Y12, Y12; \
	VPXOR f, g, Y13; \
	VPAND e, Y13, Y13; \
	VPXOR g, Y13, Y13; \
	END8(b, d, f, h, w0, w4)

// PAIRS8 transposes four words of four messages in each half of the registers.
#define PAIRS8(r0, r1, r2, r3) \
	VPUNPCKLDQ r1, r0, Y8; \
	VPUNPCKHDQ r1, r0, Y9; \
	VPUNPCKLDQ r3, r2, Y10; \
	VPUNPCKHDQ r3, r2, Y11; \
	VPUNPCKLQDQ Y10, Y8, r0; \
	VPUNPCKHQDQ Y10, Y8, r1; \
	VPUNPCKLQDQ Y11, Y9, r2; \
	VPUNPCKHQDQ Y11, Y9, r3

// HALVES8 stores words i and i+4 of all messages.
#define HALVES8(r0, r4, i) \
	VPERM2I128 $0x20, r4, r0, Y8; \
	VPERM2I128 $0x31, r4, r0, Y9; \
	VMOVDQU Y8, (i*32)(SP); \
	VMOVDQU Y9, ((i+4)*32)(SP)

#define LOAD8(lane, from, y) \
	MOVQ (lane*8)(BX), R8; \
	VMOVDQU from(R8)(DX*1), y; \
	VPSHUFB Y15, y, y

// WORDS8 fills words i to i+7 of W.
#define WORDS8(from, i) \
	LOAD8(0, from, Y0); \
	LOAD8(1, from, Y1); \
	LOAD8(2, from, Y2); \
	LOAD8(3, from, Y3); \
	LOAD8(4, from, Y4); \
	LOAD8(5, from, Y5); \
	LOAD8(6, from, Y6); \
	LOAD8(7, from, Y7); \
	PAIRS8(Y0, Y1, Y2, Y3); \
	PAIRS8(Y4, Y5, Y6, Y7); \
	HALVES8(Y0, Y4, (i+0)); \
	HALVES8(Y1, Y5, (i+1)); \
	HALVES8(Y2, Y6, (i+2)); \
	HALVES8(Y3, Y7, (i+3))

// func compress8(state *[8][16]uint32, blocks *[16]*byte, n int, t *[64]uint32)
TEXT ·compress8(SB), NOSPLIT, $512-32
	MOVQ state+0(FP), DI
	MOVQ blocks+8(FP), BX
	MOVQ n+16(FP), CX
	MOVQ t+24(FP), SI
	XORQ DX, DX

next:
	VMOVDQU swapEight<>(SB), Y15
	WORDS8(0, 0)
	WORDS8(32, 8)
	VMOVDQU turnEight<>(SB), Y15
	VMOVDQU 0(DI), Y0
	VMOVDQU 64(DI), Y1
	VMOVDQU 128(DI), Y2
	VMOVDQU 192(DI), Y3
	VMOVDQU 256(DI), Y4
	VMOVDQU 320(DI), Y5
	VMOVDQU 384(DI), Y6
	VMOVDQU 448(DI), Y7
	MOVQ SI, AX
	EARLY8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 0, 4, 0)
	EARLY8(Y3, Y0, Y1, Y2, Y7, Y4, Y5, Y6, 1, 5, 1)
	EARLY8(Y2, Y3, Y0, Y1, Y6, Y7, Y4, Y5, 2, 6, 2)
	EARLY8(Y1, Y2, Y3, Y0, Y5, Y6, Y7, Y4, 3, 7, 3)
	EARLY8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 4, 8, 4)
	EARLY8(Y3, Y0, Y1, Y2, Y7, Y4, Y5, Y6, 5, 9, 5)
	EARLY8(Y2, Y3, Y0, Y1, Y6, Y7, Y4, Y5, 6, 10, 6)
	EARLY8(Y1, Y2, Y3, Y0, Y5, Y6, Y7, Y4, 7, 11, 7)
	EARLY8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 8, 12, 8)
	EARLY8(Y3, Y0, Y1, Y2, Y7, Y4, Y5, Y6, 9, 13, 9)
	EARLY8(Y2, Y3, Y0, Y1, Y6, Y7, Y4, Y5, 10, 14, 10)
	EARLY8(Y1, Y2, Y3, Y0, Y5, Y6, Y7, Y4, 11, 15, 11)
	EXPAND8(0, 3, 7, 10, 13)
	EARLY8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 12, 0, 12)
	EXPAND8(1, 4, 8, 11, 14)
	EARLY8(Y3, Y0, Y1, Y2, Y7, Y4, Y5, Y6, 13, 1, 13)
	EXPAND8(2, 5, 9, 12, 15)
	EARLY8(Y2, Y3, Y0, Y1, Y6, Y7, Y4, Y5, 14, 2, 14)
	EXPAND8(3, 6, 10, 13, 0)
	EARLY8(Y1, Y2, Y3, Y0, Y5, Y6, Y7, Y4, 15, 3, 15)
	MOVQ $3, R9

late:
	ADDQ $64, AX
	EXPAND8(4, 7, 11, 14, 1)
	LATE8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 0, 4, 0)
	EXPAND8(5, 8, 12, 15, 2)
	LATE8(Y3, Y0, Y1, Y2, Y7, Y4, Y5, Y6, 1, 5, 1)
	EXPAND8(6, 9, 13, 0, 3)
	LATE8(Y2, Y3, Y0, Y1, Y6, Y7, Y4, Y5, 2, 6, 2)
	EXPAND8(7, 10, 14, 1, 4)
	LATE8(Y1, Y2, Y3, Y0, Y5, Y6, Y7, Y4, 3, 7, 3)
	EXPAND8(8, 11, 15, 2, 5)
	LATE8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 4, 8, 4)
	EXPAND8(9, 12, 0, 3, 6)
	LATE8(Y3, Y0, Y1, Y2, Y7, Y4, Y5, Y6, 5, 9, 5)
	EXPAND8(10, 13, 1, 4, 7)
	LATE8(Y2, Y3, Y0, Y1, Y6, Y7, Y4, Y5, 6, 10, 6)
	EXPAND8(11, 14, 2, 5, 8)
	LATE8(Y1, Y2, Y3, Y0, Y5, Y6, Y7, Y4, 7, 11, 7)
	EXPAND8(12, 15, 3, 6, 9)
	LATE8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 8, 12, 8)
	EXPAND8(13, 0, 4, 7, 10)
	LATE8(Y3, Y0, Y1, Y2, Y7, Y4, Y5, Y6, 9, 13, 9)
	EXPAND8(14, 1, 5, 8, 11)
	LATE8(Y2, Y3, Y0, Y1, Y6, Y7, Y4, Y5, 10, 14, 10)
	EXPAND8(15, 2, 6, 9, 12)
	LATE8(Y1, Y2, Y3, Y0, Y5, Y6, Y7, Y4, 11, 15, 11)
	EXPAND8(0, 3, 7, 10, 13)
	LATE8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 12, 0, 12)
	EXPAND8(1, 4, 8, 11, 14)
	LATE8(Y3, Y0, Y1, Y2, Y7, Y4, Y5, Y6, 13, 1, 13)
	EXPAND8(2, 5, 9, 12, 15)
	LATE8(Y2, Y3, Y0, Y1, Y6, Y7, Y4, Y5, 14, 2, 14)
	EXPAND8(3, 6, 10, 13, 0)
	LATE8(Y1, Y2, Y3, Y0, Y5, Y6, Y7, Y4, 15, 3, 15)
	DECQ R9
	JNZ  late

	VPXOR 0(DI), Y0, Y0
	VPXOR 64(DI), Y1, Y1
	VPXOR 128(DI), Y2, Y2
	VPXOR 192(DI), Y3, Y3
	VPXOR 256(DI), Y4, Y4
	VPXOR 320(DI), Y5, Y5
	VPXOR 384(DI), Y6, Y6
	VPXOR 448(DI), Y7, Y7
	VMOVDQU Y0, 0(DI)
	VMOVDQU Y1, 64(DI)
	VMOVDQU Y2, 128(DI)
	VMOVDQU Y3, 192(DI)
	VMOVDQU Y4, 256(DI)
	VMOVDQU Y5, 320(DI)
	VMOVDQU Y6, 384(DI)
	VMOVDQU Y7, 448(DI)
	ADDQ $64, DX
	DECQ CX
	JNZ  next
	VZEROUPPER
	RET
