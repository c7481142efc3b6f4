// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"encoding"
	"hash"

	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// sm3Digest is the engine's SM3 with access to its chaining value, which lets
// HMAC start from a prepared state and lets the CBC record check look at the
// hash after each block.
type sm3Digest interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// The marshalled state of an sm3Digest: 4 bytes that identify it, 32 of
// chaining value, 64 of pending input, 8 of length.
const (
	sm3StateSize  = 4 + sm3.Size + sm3.BlockSize + 8
	sm3StateValue = 4
)

type sm3State [sm3StateSize]byte

func newSM3() sm3Digest { return sm3.New().(sm3Digest) }

// save writes the state of h into s. The engine's AppendBinary and
// UnmarshalBinary fail on nothing that this package passes.
func (s *sm3State) save(h sm3Digest) {
	if out, err := h.AppendBinary(s[:0]); err != nil || len(out) != sm3StateSize {
		panic("gmtls: the SM3 engine changed the form of its state")
	}
}

func (s *sm3State) restore(h sm3Digest) {
	if err := h.UnmarshalBinary(s[:]); err != nil {
		panic("gmtls: the SM3 engine refused its own state: " + err.Error())
	}
}

// hmacSM3 is HMAC-SM3 (GB/T 15852.2) under one key. It allocates nothing after
// init.
type hmacSM3 struct {
	h            sm3Digest
	inner, outer sm3State
	sum          [sm3.Size]byte
	chain        [sm3.Size]byte // for prf
	label        [16]byte       // for prf
}

func (m *hmacSM3) init(key []byte) {
	if m.h == nil {
		m.h = newSM3()
	}
	var block [sm3.BlockSize]byte
	if len(key) > len(block) {
		digest := sm3.Sum(key)
		copy(block[:], digest[:])
	} else {
		copy(block[:], key)
	}
	for i := range block {
		block[i] ^= 0x36
	}
	m.h.Reset()
	m.h.Write(block[:])
	m.inner.save(m.h)
	for i := range block {
		block[i] ^= 0x36 ^ 0x5c
	}
	m.h.Reset()
	m.h.Write(block[:])
	m.outer.save(m.h)
	clear(block[:])
}

// begin starts a message; the caller writes it to m.h and ends it with finish.
func (m *hmacSM3) begin() { m.inner.restore(m.h) }

// finish returns the MAC in a buffer that the next message overwrites.
func (m *hmacSM3) finish() []byte {
	return m.finishWith(m.h.Sum(m.sum[:0]))
}

// finishWith returns the MAC for a message whose inner hash is known.
func (m *hmacSM3) finishWith(inner []byte) []byte {
	m.outer.restore(m.h)
	m.h.Write(inner)
	return m.h.Sum(m.sum[:0])
}

// wipe forgets the key.
func (m *hmacSM3) wipe() {
	clear(m.inner[:])
	clear(m.outer[:])
	clear(m.sum[:])
	clear(m.chain[:])
	if m.h != nil {
		m.h.Reset()
	}
}

// prf fills out with PRF(secret, label, seed1 || seed2), which is P_SM3 of the
// label followed by the seeds (GB/T 38636-2020, 5.2.2).
func prf(m *hmacSM3, out []byte, label string, seed1, seed2 []byte) {
	a, l := m.chain[:], m.label[:copy(m.label[:], label)]

	// a is A(i) = HMAC(secret, A(i-1)), A(0) being label and seeds.
	m.begin()
	m.h.Write(l)
	m.h.Write(seed1)
	m.h.Write(seed2)
	copy(a, m.finish())
	for len(out) > 0 {
		m.begin()
		m.h.Write(a)
		m.h.Write(l)
		m.h.Write(seed1)
		m.h.Write(seed2)
		out = out[copy(out, m.finish()):]
		if len(out) > 0 {
			m.begin()
			m.h.Write(a)
			copy(a, m.finish())
		}
	}
	clear(a)
}
