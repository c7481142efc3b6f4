// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hyperledger/fabric/common/crypto/sm4"
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
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("SM4-GCM: %w", err)
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
