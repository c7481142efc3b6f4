// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// One message. A round needs the round before, and from one E to the next it
// is six steps: that bounds the rounds, in general registers. At the same time
// vector registers expand the message. Names follow GB/T 32905-2016,
// 5.3: A to H are the state, W the expanded message.

DATA swapOne<>+0x00(SB)/8, $0x0405060700010203
DATA swapOne<>+0x08(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swapOne<>(SB), RODATA|NOPTR, $16

// turnOne turns each word left by 8 bits.
DATA turnOne<>+0x00(SB)/8, $0x0605040702010003
DATA turnOne<>+0x08(SB)/8, $0x0e0d0c0f0a09080b
GLOBL turnOne<>(SB), RODATA|NOPTR, $16

// BEGIN and END are the parts of a round that do not depend on its number.
// BEGIN leaves SS1 in R13 and SS2 in R12, END the new A in d and the new E
// in h. W is at w(SP), W' at w+16(SP), t is the constant T_j turned left by j.
#define BEGIN(a, d, e, h, w, t) \
	RORXL $20, a, R12; \
	LEAL t(R12), R13; \
	ADDL e, R13; \
	RORXL $25, R13, R13; \
	ADDL w(SP), h; \
	ADDL (w+16)(SP), d

#define END(b, d, f, h) \
	RORXL $23, h, SI; \
	RORXL $15, h, DI; \
	ADDL R12, d; \
	RORXL $23, b, b; \
	XORL SI, DI; \
	XORL DI, h; \
	RORXL $13, f, f

#define EARLY(a, b, c, d, e, f, g, h, w, t) \
	BEGIN(a, d, e, h, w, t); \
	MOVL e, SI; \
	XORL f, SI; \
	XORL g, SI; \
	ADDL SI, h; \
	XORL R13, R12; \
	ADDL R13, h; \
	MOVL a, R14; \
	XORL b, R14; \
	XORL c, R14; \
	ADDL R14, d; \
	END(b, d, f, h)

// LATE adds FF and GG as two terms each, which have no bit in common.
#define LATE(a, b, c, d, e, f, g, h, w, t) \
	BEGIN(a, d, e, h, w, t); \
	MOVL e, SI; \
	ANDL f, SI; \
	ANDNL g, e, DI; \
	ADDL SI, h; \
	ADDL DI, h; \
	XORL R13, R12; \
	ADDL R13, h; \
	MOVL a, R14; \
	XORL b, R14; \
	ANDL c, R14; \
	MOVL a, SI; \
	ANDL b, SI; \
	ADDL R14, d; \
	ADDL SI, d; \
	END(b, d, f, h)

// FOUR is four rounds. w0 has their words of W, w1 the next four.
#define FOUR(round, w0, w1, i, t0, t1, t2, t3) \
	VMOVDQU w0, (i*32)(SP); \
	VPXOR w0, w1, X4; \
	VMOVDQU X4, (i*32+16)(SP); \
	round(AX, BX, CX, DX, R8, R9, R10, R11, (i*32+0), t0); \
	round(DX, AX, BX, CX, R11, R8, R9, R10, (i*32+4), t1); \
	round(CX, DX, AX, BX, R10, R11, R8, R9, (i*32+8), t2); \
	round(BX, CX, DX, AX, R9, R10, R11, R8, (i*32+12), t3)

// EXPAND replaces w0, the four words 16 before, by the next four of W. The
// last of them depends on the first, and gets that share at the end: P1 is
// linear, and P1(x <<< 15) is x turned by 15, 30 and 38.
#define EXPAND(w0, w1, w2, w3) \
	VPSRLDQ $4, w3, X4; \
	VPSLLD $15, X4, X5; \
	VPSRLD $17, X4, X4; \
	VPALIGNR $12, w1, w2, X6; \
	VPXOR X4, X5, X4; \
	VPALIGNR $12, w0, w1, X7; \
	VPXOR X6, w0, w0; \
	VPXOR X4, w0, w0; \
	VPSLLD $7, X7, X5; \
	VPSRLD $25, X7, X7; \
	VPALIGNR $8, w2, w3, X6; \
	VPSLLD $15, w0, X4; \
	VPXOR X5, X6, X6; \
	VPSRLD $17, w0, X5; \
	VPXOR X7, X6, X6; \
	VPXOR X4, X5, X4; \
	VPXOR X6, w0, w0; \
	VPSHUFB X9, X4, X5; \
	VPXOR X4, w0, w0; \
	VPXOR X5, w0, w0; \
	VPSHUFD $0, w0, X4; \
	VPSRLQ $17, X4, X5; \
	VPSRLQ $2, X4, X6; \
	VPSRLQ $26, X4, X7; \
	VPXOR X5, X6, X6; \
	VPXOR X6, X7, X7; \
	VPSLLDQ $12, X7, X7; \
	VPXOR X7, w0, w0

// func compressOne(state *[8]uint32, blocks *byte, n int)
TEXT ·compressOne(SB), NOSPLIT, $512-24
	MOVQ state+0(FP), SI
	MOVQ blocks+8(FP), R15
	VMOVDQU swapOne<>(SB), X8
	VMOVDQU turnOne<>(SB), X9
	MOVL 0(SI), AX
	MOVL 4(SI), BX
	MOVL 8(SI), CX
	MOVL 12(SI), DX
	MOVL 16(SI), R8
	MOVL 20(SI), R9
	MOVL 24(SI), R10
	MOVL 28(SI), R11

next:
	VMOVDQU 0(R15), X0
	VMOVDQU 16(R15), X1
	VMOVDQU 32(R15), X2
	VMOVDQU 48(R15), X3
	ADDQ $64, R15
	VPSHUFB X8, X0, X0
	VPSHUFB X8, X1, X1
	VPSHUFB X8, X2, X2
	VPSHUFB X8, X3, X3
	FOUR(EARLY, X0, X1, 0, 0x79cc4519, 0xf3988a32, 0xe7311465, 0xce6228cb)
	EXPAND(X0, X1, X2, X3)
	FOUR(EARLY, X1, X2, 1, 0x9cc45197, 0x3988a32f, 0x7311465e, 0xe6228cbc)
	EXPAND(X1, X2, X3, X0)
	FOUR(EARLY, X2, X3, 2, 0xcc451979, 0x988a32f3, 0x311465e7, 0x6228cbce)
	EXPAND(X2, X3, X0, X1)
	FOUR(EARLY, X3, X0, 3, 0xc451979c, 0x88a32f39, 0x11465e73, 0x228cbce6)
	EXPAND(X3, X0, X1, X2)
	FOUR(LATE, X0, X1, 4, 0x9d8a7a87, 0x3b14f50f, 0x7629ea1e, 0xec53d43c)
	EXPAND(X0, X1, X2, X3)
	FOUR(LATE, X1, X2, 5, 0xd8a7a879, 0xb14f50f3, 0x629ea1e7, 0xc53d43ce)
	EXPAND(X1, X2, X3, X0)
	FOUR(LATE, X2, X3, 6, 0x8a7a879d, 0x14f50f3b, 0x29ea1e76, 0x53d43cec)
	EXPAND(X2, X3, X0, X1)
	FOUR(LATE, X3, X0, 7, 0xa7a879d8, 0x4f50f3b1, 0x9ea1e762, 0x3d43cec5)
	EXPAND(X3, X0, X1, X2)
	FOUR(LATE, X0, X1, 8, 0x7a879d8a, 0xf50f3b14, 0xea1e7629, 0xd43cec53)
	EXPAND(X0, X1, X2, X3)
	FOUR(LATE, X1, X2, 9, 0xa879d8a7, 0x50f3b14f, 0xa1e7629e, 0x43cec53d)
	EXPAND(X1, X2, X3, X0)
	FOUR(LATE, X2, X3, 10, 0x879d8a7a, 0x0f3b14f5, 0x1e7629ea, 0x3cec53d4)
	EXPAND(X2, X3, X0, X1)
	FOUR(LATE, X3, X0, 11, 0x79d8a7a8, 0xf3b14f50, 0xe7629ea1, 0xcec53d43)
	EXPAND(X3, X0, X1, X2)
	FOUR(LATE, X0, X1, 12, 0x9d8a7a87, 0x3b14f50f, 0x7629ea1e, 0xec53d43c)
	EXPAND(X0, X1, X2, X3)
	FOUR(LATE, X1, X2, 13, 0xd8a7a879, 0xb14f50f3, 0x629ea1e7, 0xc53d43ce)
	FOUR(LATE, X2, X3, 14, 0x8a7a879d, 0x14f50f3b, 0x29ea1e76, 0x53d43cec)
	FOUR(LATE, X3, X0, 15, 0xa7a879d8, 0x4f50f3b1, 0x9ea1e762, 0x3d43cec5)

	MOVQ state+0(FP), SI
	XORL 0(SI), AX
	XORL 4(SI), BX
	XORL 8(SI), CX
	XORL 12(SI), DX
	XORL 16(SI), R8
	XORL 20(SI), R9
	XORL 24(SI), R10
	XORL 28(SI), R11
	MOVL AX, 0(SI)
	MOVL BX, 4(SI)
	MOVL CX, 8(SI)
	MOVL DX, 12(SI)
	MOVL R8, 16(SI)
	MOVL R9, 20(SI)
	MOVL R10, 24(SI)
	MOVL R11, 28(SI)
	DECQ n+16(FP)
	JNZ  next
	RET
