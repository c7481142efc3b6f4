// SPDX-License-Identifier: Apache-2.0

// Package sm4 makes the block cipher SM4 (GB/T 32907-2016) as fast as the
// processor allows.
//
// [NewCipher] returns a [cipher.Block] to give to [cipher.NewGCM],
// [cipher.NewCTR] and [cipher.NewCBCDecrypter], as crypto/aes does. On amd64
// with GFNI and AVX2, better with AVX-512 and VPCLMULQDQ, those three process
// 16 to 64 blocks at once; with AVX2 alone the engine makes the blocks and GCM
// is made here; everywhere else the engine's cipher is returned as it is.
// Nothing here branches on keys or data, nor looks anything up by them.
//
// GODEBUG=cpu.avx512gfni=off forces the AVX2 kernels, GODEBUG=cpu.gfni=off the
// engine's blocks, GODEBUG=cpu.avx2=off the engine.
package sm4

import (
	"crypto/cipher"
	"strconv"

	"github.com/emmansun/gmsm/sm4"
)

const (
	// BlockSize is the length of a block in bytes.
	BlockSize = 16
	// KeySize is the length of a key in bytes.
	KeySize = 16
)

// KeySizeError is the length in bytes of a key that is no key of SM4.
type KeySizeError int

func (k KeySizeError) Error() string {
	return "sm4: a key has 16 bytes, this one has " + strconv.Itoa(int(k))
}

// NewCipher returns SM4 with the given key of 16 bytes.
func NewCipher(key []byte) (cipher.Block, error) {
	if len(key) != KeySize {
		return nil, KeySizeError(len(key))
	}
	if b := newAccelerated(key); b != nil {
		return b, nil
	}
	return sm4.NewCipher(key)
}
