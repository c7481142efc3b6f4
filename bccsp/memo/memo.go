// SPDX-License-Identifier: Apache-2.0

//fork:file perf: the memo of verifications

// Package memo remembers which signatures have been verified. Several policies of a node verify the same signature; with the
// memo, only the first of them computes.
//
// An entry says that a signature over a message verifies under a key by an algorithm. This fact never changes. An entry says
// nothing about the identity that has the key: whether it is valid, expired or revoked, and what it may do, is checked each
// time. Signatures that do not verify are never remembered.
package memo

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// Capacity is the number of verifications that a Memo remembers. With some four new ones for each transaction it reaches back
// several seconds on the fastest peers; repetitions follow within one request or one block.
const Capacity = sets * ways

const (
	sets  = 2048
	ways  = 8 // tags that compete for the places of a set
	locks = 64
)

// Tag stands for one verification: a hash, under a key of the Memo, of everything that decides its outcome.
type Tag [sha256.Size]byte

// Memo is a set of tags of fixed size, 512 KiB. All methods may be called concurrently.
type Memo struct {
	key     [32]byte // keeps others from knowing which set a tag goes to
	hashers sync.Pool
	locks   [locks]sync.Mutex // lock i protects the sets whose number is i modulo locks
	sets    [][ways]Tag       // newest first; a place not in use is zero
}

// New returns an empty Memo.
func New() *Memo {
	m := &Memo{sets: make([][ways]Tag, sets)}
	rand.Read(m.key[:]) // never fails
	m.hashers.New = func() any { return &hasher{Hash: sha256.New()} }
	return m
}

// hasher is a hash with room for what goes into it first and comes out of it.
type hasher struct {
	hash.Hash
	head [len(Memo{}.key) + 1 + 3*8]byte
	sum  Tag
}

// Tag names the verification of signature over message, which may be a digest, with a public key in an encoding of fixed form.
// Each algorithm has its own number, which distinguishes messages and keys of the same bytes but different meaning.
func (m *Memo) Tag(algorithm byte, key, signature, message []byte) Tag {
	h := m.hashers.Get().(*hasher)
	defer m.hashers.Put(h)
	head := append(h.head[:0], m.key[:]...)
	head = append(head, algorithm)
	for _, field := range [][]byte{key, signature, message} {
		head = binary.BigEndian.AppendUint64(head, uint64(len(field)))
	}
	h.Reset()
	h.Write(head)
	h.Write(key)
	h.Write(signature)
	h.Write(message)
	h.Sum(h.sum[:0])
	return h.sum
}

// set returns the places of a tag and their lock.
func (m *Memo) set(t *Tag) (*[ways]Tag, *sync.Mutex) {
	i := binary.BigEndian.Uint32(t[:4]) % sets
	return &m.sets[i], &m.locks[i%locks]
}

// Has reports whether the verification is known to succeed.
func (m *Memo) Has(t Tag) bool {
	if t == (Tag{}) { // an empty place
		return false
	}
	set, lock := m.set(&t)
	lock.Lock()
	defer lock.Unlock()
	for i := range set {
		if set[i] == t {
			return true
		}
	}
	return false
}

// Add remembers that the verification succeeded, and reports whether an older one of the same set was forgotten for it.
func (m *Memo) Add(t Tag) (evicted bool) {
	set, lock := m.set(&t)
	lock.Lock()
	defer lock.Unlock()
	for i := range set {
		if set[i] == t {
			return false
		}
	}
	evicted = set[ways-1] != Tag{}
	copy(set[1:], set[:ways-1])
	set[0] = t
	return evicted
}
