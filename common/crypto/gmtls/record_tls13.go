// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"

	gmcipher "github.com/emmansun/gmsm/cipher"

	"github.com/hyperledger/fabric/common/crypto/sm4"
)

// Records of TLS 1.3 (RFC 8446, section 5).
const (
	maxExpansion13     = 256
	legacyVersion      = 0x0303 // of every record but the first
	firstLegacyVersion = 0x0301 // of the first ClientHello, for old middleboxes
	aeadTagLen         = 16
	aeadNonceLen       = 12
)

// aeadCipher protects the records of one direction in TLS 1.3.
type aeadCipher struct {
	aead  cipher.AEAD
	gcm   bool
	typed typedSealer // aead if it is one, or nil
	inner []byte      // contents and type of a record, for CCM
	iv    [aeadNonceLen]byte
	nonce [aeadNonceLen]byte
	aad   [recordHeaderLen]byte
}

// typedSealer seals contents and content type that do not lie one behind the other. The GCM of package sm4 is one where it has kernels for
// the processor.
type typedSealer interface {
	SealTyped(dst, nonce, plaintext []byte, typ byte, additional []byte) []byte
}

func newAEADCipher(s *suite, key, iv []byte) (*aeadCipher, error) {
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("SM4 key: %w", err)
	}
	a := &aeadCipher{gcm: s.gcm, iv: [aeadNonceLen]byte(iv)}
	if s.gcm {
		a.aead, err = cipher.NewGCM(block)
	} else {
		a.aead, err = gmcipher.NewCCMWithNonceAndTagSize(block, aeadNonceLen, aeadTagLen)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	a.typed, _ = a.aead.(typedSealer)
	return a, nil
}

// prepare sets the nonce (section 5.3) and the additional data (section 5.2) of
// a record whose body has length bytes.
func (a *aeadCipher) prepare(seq uint64, length int) {
	a.nonce = a.iv
	tail := a.nonce[aeadNonceLen-8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^seq)
	a.aad = [recordHeaderLen]byte{
		recordApplicationData, legacyVersion >> 8, legacyVersion & 0xff, byte(length >> 8), byte(length),
	}
}

func (a *aeadCipher) seal(b []byte, _ io.Reader, seq uint64, typ uint8, payload []byte) ([]byte, error) {
	a.prepare(seq, len(payload)+1+aeadTagLen)
	if a.typed != nil {
		return a.typed.SealTyped(b, a.nonce[:], payload, typ, a.aad[:]), nil
	}
	if !a.gcm { // the engine's CCM authenticates the clear text after it has overwritten it in place
		a.inner = append(append(a.inner[:0], payload...), typ)
		return a.aead.Seal(b, a.nonce[:], a.inner, a.aad[:]), nil
	}
	start := len(b)
	b = append(append(b, payload...), typ)
	return a.aead.Seal(b[:start], a.nonce[:], b[start:], a.aad[:]), nil
}

func (a *aeadCipher) open(seq uint64, _ uint8, body []byte) ([]byte, bool) {
	if len(body) < aeadTagLen {
		return nil, false
	}
	a.prepare(seq, len(body))
	payload, err := a.aead.Open(body[:0], a.nonce[:], body, a.aad[:])
	return payload, err == nil
}

// innerPlaintext splits what a record protects into contents and content type,
// and drops the padding (section 5.4).
func innerPlaintext(inner []byte) (typ uint8, payload []byte, err error) {
	if len(inner) > maxPlaintext+1 {
		return 0, nil, failf(AlertRecordOverflow, "a record carries %d bytes, more than %d", len(inner)-1, maxPlaintext)
	}
	end := len(inner)
	for end > 0 && inner[end-1] == 0 {
		end--
	}
	if end == 0 {
		return 0, nil, failf(AlertUnexpectedMessage, "a record has no content type")
	}
	typ = inner[end-1]
	if typ < recordAlert || typ > recordApplicationData {
		return 0, nil, failf(AlertUnexpectedMessage, "a protected record has the content type %d", typ)
	}
	return typ, inner[:end-1], nil
}

// comesInTheClearLocked reports whether a record of the type is one that comes
// without protection after a key was agreed on: ChangeCipherSpec, and the alert
// of a client that could not read this server's hello and so has no key. Such an
// alert says no more than that the connection ended, which anyone can bring about.
func (c *Conn) comesInTheClearLocked(typ uint8) bool {
	return typ == recordChangeCipherSpec ||
		typ == recordAlert && !c.isClient && c.in.dummies && c.in.seq == 0
}

// checkDummyLocked checks a ChangeCipherSpec record, which means nothing and may
// come between the first ClientHello and the peer's Finished, where the standard
// lets it through for the sake of middleboxes (RFC 8446, appendix D.4).
func (c *Conn) checkDummyLocked(payload []byte) error {
	switch {
	case len(payload) != 1 || payload[0] != 1:
		return failf(AlertUnexpectedMessage, "ChangeCipherSpec is not the single byte 1")
	case !c.in.dummies:
		return failf(AlertUnexpectedMessage, "a ChangeCipherSpec came outside the handshake")
	}
	return nil
}

// setReadKeyLocked makes the peer's records be opened with the key of a traffic
// secret. No message may lie across the change.
func (c *Conn) setReadKeyLocked(secret []byte) error {
	in := &c.in
	if in.handOff != len(in.hand) {
		return failf(AlertUnexpectedMessage, "handshake data follows a message that changes the key")
	}
	protection, err := trafficCipher(c.suite, secret)
	if err != nil {
		return internal(err)
	}
	clear(in.secret)
	in.cipher, in.seq, in.secret = protection, 0, secret
	return nil
}

// setWriteKeyLocked makes this end's records be sealed with the key of a traffic
// secret.
func (c *Conn) setWriteKeyLocked(secret []byte) error {
	protection, err := trafficCipher(c.suite, secret)
	if err != nil {
		return internal(err)
	}
	out := &c.out
	clear(out.secret)
	out.cipher, out.seq, out.secret = protection, 0, secret
	return nil
}
