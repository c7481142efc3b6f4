// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/common/crypto/sm4"
)

// recordCipher protects the records of one direction (GB/T 38636-2020,
// 6.3.3.4). It is used by one goroutine at a time.
type recordCipher interface {
	// seal appends to b the protected form of payload, without the record
	// header. payload must not overlap the part of b behind its length.
	seal(b []byte, rand io.Reader, seq uint64, typ uint8, payload []byte) ([]byte, error)
	// open checks and decrypts body in place and returns the payload, which
	// lies in body. Whatever is wrong, it returns ok false and nothing else.
	open(seq uint64, typ uint8, body []byte) (payload []byte, ok bool)
}

// The data that is authenticated before the payload: sequence number, type,
// version, and length of the payload.
const authHeaderLen = 8 + 1 + 2 + 2

func putAuthHeader(b *[authHeaderLen]byte, seq uint64, typ uint8, length int) {
	binary.BigEndian.PutUint64(b[:], seq)
	b[8] = typ
	binary.BigEndian.PutUint16(b[9:], VersionTLCP)
	binary.BigEndian.PutUint16(b[11:], uint16(length))
}

// cbcMode is what the engine's CBC modes can do.
type cbcMode interface {
	cipher.BlockMode
	SetIV([]byte)
}

// cbcCipher is SM4-CBC with a fresh IV in each record over payload, HMAC-SM3
// and padding.
type cbcCipher struct {
	block    cipher.Block
	enc, dec cbcMode // made on first use: a direction needs one of them
	mac      hmacSM3
	header   [authHeaderLen]byte
	state    sm3State
	inner    [sm3.Size]byte
	pad      [sm3.BlockSize]byte
}

func (c *cbcCipher) seal(b []byte, rand io.Reader, seq uint64, typ uint8, payload []byte) ([]byte, error) {
	start := len(b)
	b = append(b, make([]byte, sm4.BlockSize)...)
	iv := b[start:]
	if _, err := io.ReadFull(rand, iv); err != nil {
		return nil, fmt.Errorf("gmtls: reading randomness for an IV: %w", err)
	}
	putAuthHeader(&c.header, seq, typ, len(payload))
	c.mac.begin()
	c.mac.h.Write(c.header[:])
	c.mac.h.Write(payload)
	b = append(b, payload...)
	b = append(b, c.mac.finish()...)
	padLen := sm4.BlockSize - (len(payload)+sm3.Size)%sm4.BlockSize
	for range padLen {
		b = append(b, byte(padLen-1))
	}
	if c.enc == nil {
		c.enc = cipher.NewCBCEncrypter(c.block, iv).(cbcMode)
	} else {
		c.enc.SetIV(iv)
	}
	clearText := b[start+sm4.BlockSize:]
	c.enc.CryptBlocks(clearText, clearText)
	return b, nil
}

// open decrypts first, since the standard authenticates the clear text, and
// must therefore not let an observer tell bad padding from a bad MAC by the
// time it takes: both checks are always done, in a number of steps that depends
// on the length of the record alone.
func (c *cbcCipher) open(seq uint64, typ uint8, body []byte) ([]byte, bool) {
	if len(body)%sm4.BlockSize != 0 || len(body) < sm4.BlockSize+sm3.Size+1 {
		return nil, false
	}
	iv, text := body[:sm4.BlockSize], body[sm4.BlockSize:]
	if c.dec == nil {
		c.dec = cipher.NewCBCDecrypter(c.block, iv).(cbcMode)
	} else {
		c.dec.SetIV(iv)
	}
	c.dec.CryptBlocks(text, text)

	padLen, good := paddingLen(text)
	length := len(text) - sm3.Size - padLen
	putAuthHeader(&c.header, seq, typ, length)
	want := c.macConstantTime(text, length)
	var got [sm3.Size]byte
	macAt(&got, text, length)
	good &= subtle.ConstantTimeCompare(want, got[:])
	return text[:length], good == 1
}

// paddingLen returns the number of padding bytes at the end of text, its length
// byte included, and whether the padding is well formed. Bad padding counts as
// one byte long, so that the MAC is computed over something. len(text) is
// public and greater than sm3.Size.
func paddingLen(text []byte) (n, good int) {
	last := text[len(text)-1]
	n = int(last) + 1
	good = subtle.ConstantTimeLessOrEq(n+sm3.Size, len(text))
	for i := range min(256, len(text)) {
		isPadding := subtle.ConstantTimeLessOrEq(i+1, n)
		isRight := subtle.ConstantTimeByteEq(text[len(text)-1-i], last)
		good &= subtle.ConstantTimeSelect(isPadding, isRight, 1)
	}
	return subtle.ConstantTimeSelect(good, n, 1), good
}

// maxSecretSpan is the number of different lengths that the padding can give a
// payload.
const maxSecretSpan = 256

// macAt copies text[offset:offset+32] to mac without its memory accesses
// depending on offset, which is secret.
func macAt(mac *[sm3.Size]byte, text []byte, offset int) {
	var ring [sm3.Size]byte
	first := max(0, len(text)-sm3.Size-maxSecretSpan)
	for i := first; i < len(text); i++ {
		inside := subtle.ConstantTimeLessOrEq(offset, i) & subtle.ConstantTimeLessOrEq(i+1, offset+sm3.Size)
		ring[(i-first)%sm3.Size] |= text[i] & byte(-inside)
	}
	// The MAC lies in the ring, turned by a secret amount: turn it back by
	// each power of two that the amount has.
	turn := (offset - first) % sm3.Size
	for shift := 1; shift < sm3.Size; shift <<= 1 {
		mask := byte(-subtle.ConstantTimeEq(int32(turn&shift), int32(shift)))
		for i := range mac {
			mac[i] = ring[i]&^mask | ring[(i+shift)%sm3.Size]&mask
		}
		ring = *mac
	}
}

// macConstantTime returns HMAC-SM3 over c.header and text[:length], where
// length is secret but for lying in the span that padding can give. The number
// of SM3 compressions depends on len(text) alone: from the first block that
// could be the last one on, every block is made and hashed, and the chaining
// value after the right one is kept.
func (c *cbcCipher) macConstantTime(text []byte, length int) []byte {
	maxLen := authHeaderLen + len(text) - sm3.Size - 1
	minLen := max(authHeaderLen, maxLen-maxSecretSpan+1)
	secretLen := authHeaderLen + length // of the message, in [minLen, maxLen]

	// Blocks that are message whatever the length is.
	c.mac.begin()
	whole := minLen / sm3.BlockSize * sm3.BlockSize
	if whole > 0 {
		c.mac.h.Write(c.header[:])
		c.mac.h.Write(text[:whole-authHeaderLen])
	}

	var bitLen [8]byte
	binary.BigEndian.PutUint64(bitLen[:], uint64(sm3.BlockSize+secretLen)*8)
	lastBlock := (secretLen + 8) / sm3.BlockSize // the one that ends with bitLen

	inner := &c.inner
	clear(inner[:])
	for n := whole / sm3.BlockSize; n <= (maxLen+8)/sm3.BlockSize; n++ {
		isLast := subtle.ConstantTimeEq(int32(n), int32(lastBlock))
		c.messageBlock(n*sm3.BlockSize, secretLen, maxLen, text)
		for i, b := range bitLen {
			c.pad[sm3.BlockSize-8+i] |= b & byte(-isLast)
		}
		c.mac.h.Write(c.pad[:])
		c.state.save(c.mac.h)
		for i := range inner {
			inner[i] |= c.state[sm3StateValue+i] & byte(-isLast)
		}
	}
	clear(c.state[:])
	clear(c.pad[:])
	return c.mac.finishWith(inner[:])
}

// messageBlock puts into c.pad the 64 bytes from position start on of: message
// of secretLen bytes, 0x80, zeros.
func (c *cbcCipher) messageBlock(start, secretLen, maxLen int, text []byte) {
	for i := range c.pad {
		pos := start + i
		var b byte
		switch { // on public values
		case pos < authHeaderLen:
			b = c.header[pos]
		case pos < maxLen:
			b = text[pos-authHeaderLen]
		}
		isMessage := subtle.ConstantTimeLessOrEq(pos+1, secretLen)
		isEnd := subtle.ConstantTimeEq(int32(pos), int32(secretLen))
		c.pad[i] = b&byte(-isMessage) | 0x80&byte(-isEnd)
	}
}
