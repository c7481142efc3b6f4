// SPDX-License-Identifier: Apache-2.0

package sm4

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"
)

const (
	gcmNonceSize = 12
	gcmTagSize   = 16
	// gcmMaxText is the length of text that 32 bits can count, without the
	// block that the tag takes (SP 800-38D, 5.2.1.1).
	gcmMaxText = (1<<32 - 2) * BlockSize

	ghashBatch = 16 // blocks that GHASH takes at once

	headSize = batch - BlockSize // bytes that the first batch of the key stream is for

	// pass is how much is encrypted before it is hashed, while it is still in
	// the processor's first cache.
	pass = 4 * wideBatch
)

var errOpen = errors.New("sm4: message authentication failed")

// gcm is SM4-GCM (SP 800-38D, RFC 8998) with a nonce of 12 bytes and a tag of
// 16. It may be used by several goroutines.
type gcm struct {
	rk     *roundKeys
	ecb    cipher.BlockMode            // the engine's, in place of rk, or nil
	powers [ghashBatch][BlockSize]byte // see ghashMultiply
}

// newGCM has either rk or ecb. h is the encryption of a block of zeros.
func newGCM(rk *roundKeys, ecb cipher.BlockMode, h *[BlockSize]byte) *gcm {
	g := &gcm{rk: rk, ecb: ecb}
	last := &g.powers[ghashBatch-1]
	timesX(last, h)
	for i := ghashBatch - 2; i >= 0; i-- {
		ghashMultiply(&g.powers[i], &g.powers[i+1], last)
	}
	return g
}

// ctr adds the key stream from counter on to src, and advances counter by the
// blocks that were begun.
func (g *gcm) ctr(dst, src []byte, counter *[BlockSize]byte) {
	if g.ecb != nil {
		ecbCTR(g.ecb, dst, src, counter)
		return
	}
	g.rk.ctr(dst, src, counter)
}

// timesX multiplies h by x in GHASH's field and reverses its bytes.
func timesX(product, h *[BlockSize]byte) {
	high, low := binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])
	carry := -(high >> 63) // all ones or zero
	high = high<<1 | low>>63
	low <<= 1
	binary.LittleEndian.PutUint64(product[:], low^carry&1)
	binary.LittleEndian.PutUint64(product[8:], high^carry&(0xc2<<56))
}

func (*gcm) NonceSize() int { return gcmNonceSize }
func (*gcm) Overhead() int  { return gcmTagSize }

func (g *gcm) Seal(dst, nonce, plaintext, additional []byte) []byte {
	return g.seal(dst, nonce, plaintext, nil, additional)
}

// SealTyped is Seal of plaintext and one byte behind it, as a record of TLS 1.3 has its content type, without the cost of putting them
// together. Package gmtls looks for it.
func (g *gcm) SealTyped(dst, nonce, plaintext []byte, typ byte, additional []byte) []byte {
	return g.seal(dst, nonce, plaintext, []byte{typ}, additional)
}

func (g *gcm) seal(dst, nonce, plaintext, last, additional []byte) []byte {
	checkNonce(nonce)
	length := len(plaintext) + len(last)
	if uint64(length) > gcmMaxText {
		panic("sm4: the text is too long for GCM")
	}
	start := len(dst)
	dst = slices.Grow(dst, length+gcmTagSize)[:start+length+gcmTagSize]
	out := dst[start:][:length]
	checkOverlap(out[:len(plaintext)], plaintext)
	whole := len(plaintext) // what is read from there; the rest is put together where it is to be
	if last != nil {
		whole = max(0, len(plaintext)-headSize) / wideBatch * wideBatch
		if len(plaintext) >= headSize {
			whole += headSize
		}
		copy(out[whole:], plaintext[whole:])
		copy(out[len(plaintext):], last)
	}

	var s gcmState
	g.begin(&s, nonce, additional, length)
	first := plaintext[:whole]
	if whole == 0 {
		first = out
	}
	n := s.head(out, first)
	s.hash.write(out[:n])
	for n < length {
		end := min(length, n+pass)
		k := max(n, min(whole, end))
		g.ctr(out[n:k], plaintext[n:k], &s.counter)
		g.ctr(out[k:end], out[k:end], &s.counter)
		s.hash.write(out[n:end])
		n = end
	}
	tag := s.tag()
	copy(dst[start+length:], tag[:])
	return dst
}

// Open authenticates all before it decrypts anything.
func (g *gcm) Open(dst, nonce, sealed, additional []byte) ([]byte, error) {
	checkNonce(nonce)
	length := len(sealed) - gcmTagSize
	if length < 0 || uint64(length) > gcmMaxText {
		return nil, errOpen
	}
	start := len(dst)
	dst = slices.Grow(dst, length)[:start+length]
	out, text := dst[start:], sealed[:length]
	checkOverlap(out, text)

	var s gcmState
	g.begin(&s, nonce, additional, length)
	s.hash.write(text)
	tag := s.tag()
	if subtle.ConstantTimeCompare(tag[:], sealed[length:]) != 1 {
		return nil, errOpen
	}
	n := s.head(out, text)
	g.ctr(out[n:], text[n:], &s.counter)
	return dst, nil
}

func checkNonce(nonce []byte) {
	if len(nonce) != gcmNonceSize {
		panic("sm4: the nonce's length is not GCM's")
	}
}

// gcmState is what one call of Seal or Open keeps.
type gcmState struct {
	stream  [batch]byte // of the tag's block and of the first ones of the text
	counter [BlockSize]byte
	hash    ghash
	lengths [BlockSize]byte
}

// begin makes the first 16 blocks of the key stream, of which the very first is
// the tag's, and hashes the additional data.
func (g *gcm) begin(s *gcmState, nonce, additional []byte, length int) {
	copy(s.counter[:], nonce)
	s.counter[BlockSize-1] = 1
	g.ctr(s.stream[:], s.stream[:], &s.counter)
	s.hash.begin(&g.powers, blocksOf(len(additional))+blocksOf(length)+1)
	s.hash.write(additional)
	s.hash.pad()
	binary.BigEndian.PutUint64(s.lengths[:], uint64(len(additional))*8)
	binary.BigEndian.PutUint64(s.lengths[8:], uint64(length)*8)
}

// head processes the text for which begin made the key stream.
func (s *gcmState) head(dst, src []byte) int {
	return subtle.XORBytes(dst, src, s.stream[BlockSize:])
}

func (s *gcmState) tag() (tag [gcmTagSize]byte) {
	s.hash.pad()
	s.hash.write(s.lengths[:])
	s.hash.sumTo(&tag)
	subtle.XORBytes(tag[:], tag[:], s.stream[:BlockSize])
	return tag
}

func blocksOf(n int) int { return (n + BlockSize - 1) / BlockSize }

// ghash hashes a number of blocks that is known at its beginning. Zero blocks
// in front, which change nothing, make it a multiple of ghashBatch.
type ghash struct {
	powers *[ghashBatch][BlockSize]byte
	sum    [BlockSize]byte // with its bytes reversed
	buf    [batch]byte
	n      int // bytes in buf
}

func (h *ghash) begin(powers *[ghashBatch][BlockSize]byte, blocks int) {
	h.powers = powers
	h.n = (ghashBatch - blocks%ghashBatch) % ghashBatch * BlockSize
}

func (h *ghash) write(p []byte) {
	if h.n > 0 {
		n := copy(h.buf[h.n:], p)
		h.n, p = h.n+n, p[n:]
		if h.n < len(h.buf) {
			return
		}
		h.batches(h.buf[:])
	}
	whole := len(p) / batch * batch
	h.batches(p[:whole])
	h.n = copy(h.buf[:], p[whole:])
}

// pad ends a block that has begun.
func (h *ghash) pad() {
	if n := -h.n & (BlockSize - 1); n > 0 {
		var zero [BlockSize]byte
		h.write(zero[:n])
	}
}

func (h *ghash) batches(p []byte) {
	n := len(p) / batch
	switch {
	case n == 0:
	case useAVX512:
		ghash16AVX512(h.powers, &h.sum, &p[0], n)
	case useAVX2:
		ghash16AVX2(h.powers, &h.sum, &p[0], n)
	default:
		ghash16CLMUL(h.powers, &h.sum, &p[0], n)
	}
}

// sumTo gives the hash of all blocks, which have filled the last batch.
func (h *ghash) sumTo(sum *[BlockSize]byte) {
	binary.BigEndian.PutUint64(sum[:], binary.LittleEndian.Uint64(h.sum[8:]))
	binary.BigEndian.PutUint64(sum[8:], binary.LittleEndian.Uint64(h.sum[:]))
}
