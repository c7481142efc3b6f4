// SPDX-License-Identifier: Apache-2.0

// Package sm4 implements the block cipher SM4 (GB/T 32907-2016) with the vector
// instructions of the processor.
//
// [NewCipher] returns a [cipher.Block] for [cipher.NewGCM], [cipher.NewCTR] and
// [cipher.NewCBCDecrypter], as that of crypto/aes does. On amd64 with GFNI and
// AVX2, or with AVX-512 and VPCLMULQDQ, these three process 16 to 64 blocks at
// once. With AVX2 alone the package computes GCM, and github.com/emmansun/gmsm
// the blocks. On other processors NewCipher returns the cipher of gmsm. No
// branch and no memory access of this package depends on keys or data.
//
// GODEBUG=cpu.avx512gfni=off makes the package use AVX2 with GFNI,
// GODEBUG=cpu.gfni=off the blocks of gmsm, and GODEBUG=cpu.avx2=off all of gmsm.
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

// KeySizeError is the error for a key whose length in bytes is not 16.
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
