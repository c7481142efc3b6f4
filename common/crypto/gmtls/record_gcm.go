// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	gmcipher "github.com/emmansun/gmsm/cipher"
	"github.com/emmansun/gmsm/sm4"
)

const gcmTagLen = 16

// gcmCipher is SM4-GCM with the sequence number as the explicit nonce, which
// thus never repeats under a key.
type gcmCipher struct {
	aead   cipher.AEAD
	nonce  [gcmFixedLen + gcmNonceLen]byte // fixed part set once
	header [authHeaderLen]byte
}

func newGCMCipher(key, fixed []byte) (*gcmCipher, error) {
	aead, err := newSM4GCM(key)
	if err != nil {
		return nil, err
	}
	g := &gcmCipher{aead: aead}
	copy(g.nonce[:], fixed)
	return g, nil
}

func (g *gcmCipher) seal(b []byte, _ io.Reader, seq uint64, typ uint8, payload []byte) ([]byte, error) {
	binary.BigEndian.PutUint64(g.nonce[gcmFixedLen:], seq)
	putAuthHeader(&g.header, seq, typ, len(payload))
	b = append(b, g.nonce[gcmFixedLen:]...)
	return g.aead.Seal(b, g.nonce[:], payload, g.header[:]), nil
}

func (g *gcmCipher) open(seq uint64, typ uint8, body []byte) ([]byte, bool) {
	if len(body) < gcmNonceLen+gcmTagLen {
		return nil, false
	}
	copy(g.nonce[gcmFixedLen:], body)
	sealed := body[gcmNonceLen:]
	putAuthHeader(&g.header, seq, typ, len(sealed)-gcmTagLen)
	payload, err := g.aead.Open(sealed[:0], g.nonce[:], sealed, g.header[:])
	return payload, err == nil
}

// sm4GCM is SM4-GCM (NIST SP 800-38D with the block cipher of GB/T 32907) at
// about twice the speed of the engine's own for long payloads. Of the engine's
// modes ECB keeps the processor's vector units busiest, so it makes the key
// stream, from blocks that hold the counter. The tag is the engine's GMAC over
// the additional data and the ciphertext, each padded to whole blocks: GHASH
// takes the same blocks then as for GCM, all but the last one, which holds the
// lengths. As GHASH is linear, a term that depends on lengths alone puts that
// right.
//
// It is used by one goroutine at a time.
type sm4GCM struct {
	engine cipher.AEAD
	ecb    cipher.BlockMode
	key    [2]uint64 // of GHASH, as the two halves of a block

	// What was computed for the last pair of lengths: a bulk transfer has
	// records of one length.
	additional, payload int
	term                [sm4.BlockSize]byte

	sum [gcmTagLen]byte // where tag puts its result
}

const (
	// ownGCMFrom is the length from which on this is faster than the engine.
	ownGCMFrom = 256

	gcmScratchLen = 2*sm4.BlockSize + maxPlaintext
)

// gcmScratches hold additional data and ciphertext in one piece.
var gcmScratches = sync.Pool{New: func() any { return new([gcmScratchLen]byte) }}

func newSM4GCM(key []byte) (*sm4GCM, error) {
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("SM4 key: %w", err)
	}
	engine, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("SM4-GCM: %w", err)
	}
	var h [sm4.BlockSize]byte
	block.Encrypt(h[:], h[:])
	g := &sm4GCM{engine: engine, ecb: gmcipher.NewECBEncrypter(block)}
	g.key = [2]uint64{binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])}
	return g, nil
}

func (g *sm4GCM) NonceSize() int { return g.engine.NonceSize() }
func (g *sm4GCM) Overhead() int  { return g.engine.Overhead() }

// takes tells whether payload and additional data have lengths for which this
// is made; the engine does the others.
func (*sm4GCM) takes(payload, additional int) bool {
	return payload >= ownGCMFrom && payload <= maxPlaintext && additional <= sm4.BlockSize
}

func (g *sm4GCM) Seal(dst, nonce, plaintext, additional []byte) []byte {
	if !g.takes(len(plaintext), len(additional)) {
		return g.engine.Seal(dst, nonce, plaintext, additional)
	}
	scratch := gcmScratches.Get().(*[gcmScratchLen]byte)
	defer gcmScratches.Put(scratch)
	text := scratch[sm4.BlockSize:][:len(plaintext)]
	g.keyStream(scratch[sm4.BlockSize:], nonce, len(plaintext))
	subtle.XORBytes(text, text, plaintext)
	dst = append(dst, text...)
	return append(dst, g.tag(scratch, nonce, additional, len(plaintext))...)
}

// Open authenticates before it decrypts, as the engine does.
func (g *sm4GCM) Open(dst, nonce, sealed, additional []byte) ([]byte, error) {
	length := len(sealed) - gcmTagLen
	if !g.takes(length, len(additional)) {
		return g.engine.Open(dst, nonce, sealed, additional)
	}
	scratch := gcmScratches.Get().(*[gcmScratchLen]byte)
	defer gcmScratches.Put(scratch)
	text := scratch[sm4.BlockSize:][:length]
	copy(text, sealed)
	if subtle.ConstantTimeCompare(g.tag(scratch, nonce, additional, length), sealed[length:]) != 1 {
		return nil, errors.New("gmtls: the tag is wrong")
	}
	g.keyStream(scratch[sm4.BlockSize:], nonce, length)
	opened := append(dst, sealed[:length]...) // nothing to copy where it is done in place
	clearText := opened[len(dst):]
	subtle.XORBytes(clearText, clearText, text)
	return opened, nil
}

// keyStream fills as many blocks of b as n bytes need.
func (g *sm4GCM) keyStream(b, nonce []byte, n int) {
	b = b[:wholeBlocks(n)]
	high := binary.BigEndian.Uint64(nonce)
	low := uint64(binary.BigEndian.Uint32(nonce[8:])) << 32
	counter := low + 2 // 1 is for the tag
	for i := 0; i < len(b); i += sm4.BlockSize {
		block := b[i:][:sm4.BlockSize]
		binary.BigEndian.PutUint64(block, high)
		binary.BigEndian.PutUint64(block[8:], counter)
		counter++
	}
	g.ecb.CryptBlocks(b, b)
}

// tag returns GCM's tag of the additional data and of the n bytes of ciphertext
// that lie in scratch behind its first block. It writes to the rest of scratch.
func (g *sm4GCM) tag(scratch *[gcmScratchLen]byte, nonce, additional []byte, n int) []byte {
	clear(scratch[copy(scratch[:sm4.BlockSize], additional):sm4.BlockSize])
	clear(scratch[sm4.BlockSize+n : sm4.BlockSize+wholeBlocks(n)])
	tag := g.engine.Seal(g.sum[:0], nonce, nil, scratch[:sm4.BlockSize+wholeBlocks(n)])
	if g.additional != len(additional) || g.payload != n {
		g.additional, g.payload, g.term = len(additional), n, g.lengthTerm(len(additional), n)
	}
	// The tag before this must not leave here: the difference of the two is
	// a multiple of GHASH's key.
	subtle.XORBytes(tag, tag, g.term[:])
	return tag
}

// lengthTerm returns the difference of the block of lengths that GCM takes and
// of the one that was taken in tag, multiplied by GHASH's key. The lengths are
// public, the key is not: branches depend on the former alone.
func (g *sm4GCM) lengthTerm(additional, payload int) (term [sm4.BlockSize]byte) {
	const reduction = 0xe1 << 56 // of x^128, in the order of bits of SP 800-38D, 6.3
	taken := sm4.BlockSize + wholeBlocks(payload)
	lengths := [2]uint64{uint64(additional)*8 ^ uint64(taken)*8, uint64(payload) * 8}
	var high, low uint64
	power := g.key // times x^i
	for i := range 128 {
		if lengths[i/64]>>(63-i%64)&1 == 1 {
			high ^= power[0]
			low ^= power[1]
		}
		carry := -(power[1] & 1) // all ones or zero
		power[1] = power[1]>>1 | power[0]<<63
		power[0] = power[0]>>1 ^ carry&reduction
	}
	binary.BigEndian.PutUint64(term[:], high)
	binary.BigEndian.PutUint64(term[8:], low)
	return term
}

func wholeBlocks(n int) int { return (n + sm4.BlockSize - 1) &^ (sm4.BlockSize - 1) }
