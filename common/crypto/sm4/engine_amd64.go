// SPDX-License-Identifier: Apache-2.0

package sm4

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"sync"

	gmcipher "github.com/emmansun/gmsm/cipher"
	"github.com/emmansun/gmsm/sm4"
)

// engineBlock is the engine's cipher for a processor without GFNI. Its GCM is
// ours: of the engine's modes ECB keeps such a processor's vector units
// busiest, so it makes the key stream, from blocks that hold the counter.
type engineBlock struct {
	engineModes
}

// engineModes are what crypto/cipher asks a block for.
type engineModes interface {
	cipher.Block
	NewCTR(iv []byte) cipher.Stream
	NewGCM(nonceSize, tagSize int) (cipher.AEAD, error)
	NewCBCEncrypter(iv []byte) cipher.BlockMode
	NewCBCDecrypter(iv []byte) cipher.BlockMode
}

// newEngineBlock returns nil if the engine does not implement modes here.
func newEngineBlock(key []byte) cipher.Block {
	b, err := sm4.NewCipher(key)
	if err != nil {
		return nil
	}
	modes, ok := b.(engineModes)
	if !ok {
		return nil
	}
	return engineBlock{modes}
}

// NewGCM is called by cipher.NewGCM and its like.
func (b engineBlock) NewGCM(nonceSize, tagSize int) (cipher.AEAD, error) {
	if nonceSize != gcmNonceSize || tagSize != gcmTagSize {
		return b.engineModes.NewGCM(nonceSize, tagSize)
	}
	var h [BlockSize]byte
	b.Encrypt(h[:], h[:])
	return newGCM(nil, gmcipher.NewECBEncrypter(b.engineModes), &h), nil
}

// streams hold the key stream of ecbCTR, which would else be allocated: what an
// interface is called with escapes.
var streams = sync.Pool{New: func() any { return new([wideBatch]byte) }}

// ecbCTR is roundKeys.ctr by a mode of the engine.
func ecbCTR(ecb cipher.BlockMode, dst, src []byte, counter *[BlockSize]byte) {
	stream := streams.Get().(*[wideBatch]byte)
	for len(src) > 0 {
		n := min(len(src), wideBatch)
		begun := blocksOf(n)
		low := binary.BigEndian.Uint32(counter[BlockSize-4:])
		for i := range begun {
			block := stream[i*BlockSize:][:BlockSize]
			copy(block, counter[:])
			binary.BigEndian.PutUint32(block[BlockSize-4:], low+uint32(i))
		}
		ecb.CryptBlocks(stream[:begun*BlockSize], stream[:begun*BlockSize])
		subtle.XORBytes(dst, src[:n], stream[:])
		advance(counter, begun)
		dst, src = dst[n:], src[n:]
	}
	clear(stream[:])
	streams.Put(stream)
}
