// SPDX-License-Identifier: Apache-2.0

package sm4

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"unsafe"

	"github.com/emmansun/gmsm/sm4"
)

type roundKeys [32]uint32

// The fixed parameter CK of the key schedule (GB/T 32907-2016, 7.3): byte j of
// word i is 7(4i+j) mod 256.
var fixedKeys = func() (ck roundKeys) {
	for i := range ck {
		for j := range 4 {
			ck[i] = ck[i]<<8 | uint32(byte(7*(4*i+j)))
		}
	}
	return ck
}()

// systemParameter is FK of the key schedule.
var systemParameter = [4]uint32{0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc}

// block is a cipher.Block that crypto/cipher asks for its own CTR, GCM and CBC.
type block struct {
	encrypt, decrypt roundKeys
	key              [KeySize]byte // for what the engine does
}

func newAccelerated(key []byte) cipher.Block {
	if !useAVX2 {
		if useECB {
			return newEngineBlock(key)
		}
		return nil
	}
	b := new(block)
	copy(b.key[:], key)
	words := systemParameter
	for i := range words {
		words[i] ^= binary.BigEndian.Uint32(key[4*i:])
	}
	expandKey(&words, &fixedKeys, &b.encrypt)
	for i, k := range b.encrypt {
		b.decrypt[len(b.decrypt)-1-i] = k
	}
	return b
}

func (b *block) BlockSize() int { return BlockSize }

func (b *block) Encrypt(dst, src []byte) { oneBlock(&b.encrypt, dst, src) }
func (b *block) Decrypt(dst, src []byte) { oneBlock(&b.decrypt, dst, src) }

func oneBlock(rk *roundKeys, dst, src []byte) {
	if len(src) < BlockSize {
		panic("sm4: the input is shorter than a block")
	}
	if len(dst) < BlockSize {
		panic("sm4: the output is shorter than a block")
	}
	checkOverlap(dst[:BlockSize], src[:BlockSize])
	encryptBlock(rk, &dst[0], &src[0])
}

// batch is the number of bytes that all kernels take.
const batch = 16 * BlockSize

// wideBatch is the number of bytes that the widest kernel takes.
const wideBatch = 64 * BlockSize

// NewCTR is called by cipher.NewCTR.
func (b *block) NewCTR(iv []byte) cipher.Stream {
	if len(iv) != BlockSize {
		panic("sm4: the counter's length is not that of a block")
	}
	c := &ctr{rk: &b.encrypt, used: wideBatch}
	copy(c.counter[:], iv)
	return c
}

// ctr is counter mode (SP 800-38A, 6.5): all 128 bits count.
type ctr struct {
	rk      *roundKeys
	counter [BlockSize]byte // of the block that comes next
	stream  [wideBatch]byte
	used    int // bytes of stream
}

func (c *ctr) XORKeyStream(dst, src []byte) {
	if len(dst) < len(src) {
		panic("sm4: the output is shorter than the input")
	}
	dst = dst[:len(src)]
	checkOverlap(dst, src)
	for len(src) > 0 {
		if c.used == len(c.stream) {
			c.refill()
		}
		n := subtle.XORBytes(dst, src, c.stream[c.used:])
		c.used += n
		dst, src = dst[n:], src[n:]
	}
}

// refill makes the next part of the key stream. The kernels count in 32 bits,
// so where these overflow within it the blocks are made one after the other.
func (c *ctr) refill() {
	const blocks = wideBatch / BlockSize
	c.used = 0
	if low := binary.BigEndian.Uint32(c.counter[12:]); low <= ^uint32(0)-blocks {
		clear(c.stream[:])
		c.rk.ctr(c.stream[:], c.stream[:], &c.counter)
		return
	}
	for i := 0; i < wideBatch; i += BlockSize {
		copy(c.stream[i:], c.counter[:])
		for j := BlockSize - 1; j >= 0; j-- {
			c.counter[j]++
			if c.counter[j] != 0 {
				break
			}
		}
	}
	c.rk.ecb(c.stream[:], c.stream[:])
}

// cbc is what both directions of CBC keep (SP 800-38A, 6.2).
type cbc struct {
	rk *roundKeys
	iv [BlockSize]byte
}

func (c *cbc) BlockSize() int { return BlockSize }

// SetIV sets the vector for the next call of CryptBlocks.
func (c *cbc) SetIV(iv []byte) {
	if len(iv) != BlockSize {
		panic("sm4: the vector's length is not that of a block")
	}
	copy(c.iv[:], iv)
}

// NewCBCEncrypter is called by cipher.NewCBCEncrypter. Encryption is serial.
func (b *block) NewCBCEncrypter(iv []byte) cipher.BlockMode {
	c := &cbcEncrypter{cbc{rk: &b.encrypt}}
	c.SetIV(iv)
	return c
}

type cbcEncrypter struct{ cbc }

func (c *cbcEncrypter) CryptBlocks(dst, src []byte) {
	checkBlocks(dst, src)
	for len(src) > 0 {
		subtle.XORBytes(c.iv[:], c.iv[:], src[:BlockSize])
		encryptBlock(c.rk, &c.iv[0], &c.iv[0])
		copy(dst, c.iv[:])
		dst, src = dst[BlockSize:], src[BlockSize:]
	}
}

// NewCBCDecrypter is called by cipher.NewCBCDecrypter.
func (b *block) NewCBCDecrypter(iv []byte) cipher.BlockMode {
	c := &cbcDecrypter{cbc{rk: &b.decrypt}}
	c.SetIV(iv)
	return c
}

type cbcDecrypter struct{ cbc }

func (c *cbcDecrypter) CryptBlocks(dst, src []byte) {
	checkBlocks(dst, src)
	var clearText [wideBatch]byte
	for len(src) > 0 {
		n := min(len(src), wideBatch)
		copy(clearText[:], src[:n])
		padded := (n + batch - 1) / batch * batch
		c.rk.ecb(clearText[:padded], clearText[:padded])
		subtle.XORBytes(clearText[:], clearText[:], c.iv[:])
		subtle.XORBytes(clearText[BlockSize:], clearText[BlockSize:n], src)
		copy(c.iv[:], src[n-BlockSize:n])
		copy(dst, clearText[:n])
		dst, src = dst[n:], src[n:]
	}
}

func checkBlocks(dst, src []byte) {
	if len(src)%BlockSize != 0 {
		panic("sm4: the input is not whole blocks")
	}
	if len(dst) < len(src) {
		panic("sm4: the output is shorter than the input")
	}
	checkOverlap(dst[:len(src)], src)
}

// checkOverlap panics where a and b share memory without beginning together:
// what is read would have been written before.
func checkOverlap(a, b []byte) {
	if len(a) == 0 || len(b) == 0 || &a[0] == &b[0] {
		return
	}
	if uintptr(unsafe.Pointer(&a[0])) <= uintptr(unsafe.Pointer(&b[len(b)-1])) &&
		uintptr(unsafe.Pointer(&b[0])) <= uintptr(unsafe.Pointer(&a[len(a)-1])) {
		panic("sm4: input and output overlap, but not exactly")
	}
}

// NewGCM is called by cipher.NewGCM and its like. Lengths that TLS does not
// have are the engine's.
func (b *block) NewGCM(nonceSize, tagSize int) (cipher.AEAD, error) {
	if nonceSize == gcmNonceSize && tagSize == gcmTagSize {
		var h [BlockSize]byte
		b.Encrypt(h[:], h[:])
		return newGCM(&b.encrypt, nil, &h), nil
	}
	engine, err := sm4.NewCipher(b.key[:])
	if err != nil {
		return nil, err
	}
	return engine.(interface {
		NewGCM(nonceSize, tagSize int) (cipher.AEAD, error)
	}).NewGCM(nonceSize, tagSize)
}
