// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/emmansun/gmsm/sm4"
)

// gcmPair returns this package's SM4-GCM and the engine's under one key.
func gcmPair(t testing.TB, key []byte) (own *sm4GCM, engine cipher.AEAD) {
	t.Helper()
	own, err := newSM4GCM(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := sm4.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	if engine, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	return own, engine
}

// The engine's GCM is the yardstick at every length around the limits of both
// ways, and at lengths in turn, as the lengths' term is kept from one to the next.
func TestGCMLikeEngine(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{1}))
	fill := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	lengths := []int{0, 1, 15, 16, 17, maxPlaintext - 17, maxPlaintext - 1, maxPlaintext, maxPlaintext + 1, maxPlaintext + 100}
	for n := ownGCMFrom - 2; n < ownGCMFrom+40; n++ {
		lengths = append(lengths, n)
	}
	for range 40 {
		lengths = append(lengths, random.IntN(maxPlaintext))
	}
	for range 4 {
		own, engine := gcmPair(t, fill(16))
		for _, additionalLen := range []int{0, 1, authHeaderLen, 15, 16, 17, 40} {
			for _, n := range lengths {
				nonce, additional, payload := fill(12), fill(additionalLen), fill(n)
				prefix := fill(5)
				want := engine.Seal(bytes.Clone(prefix), nonce, payload, additional)
				if got := own.Seal(bytes.Clone(prefix), nonce, payload, additional); !bytes.Equal(got, want) {
					t.Fatalf("Seal of %d bytes with %d additional ones is not the engine's", n, additionalLen)
				}
				sealed := want[len(prefix):]
				opened, err := own.Open(sealed[:0], nonce, bytes.Clone(sealed), additional)
				if err != nil || !bytes.Equal(opened, payload) {
					t.Fatalf("Open of %d bytes with %d additional ones: %v", n, additionalLen, err)
				}
			}
		}
	}
}

// A changed bit anywhere is noticed, and nothing is decrypted then.
func TestGCMNoticesChanges(t *testing.T) {
	own, _ := gcmPair(t, []byte("0123456789abcdef"))
	nonce, additional, payload := make([]byte, 12), make([]byte, authHeaderLen), make([]byte, ownGCMFrom+7)
	sealed := own.Seal(nil, nonce, payload, additional)
	refused := func(what string, nonce, sealed, additional []byte) {
		t.Helper()
		before := bytes.Clone(sealed)
		if _, err := own.Open(sealed[:0], nonce, sealed, additional); err == nil {
			t.Errorf("%s: opened", what)
		}
		if !bytes.Equal(before, sealed) {
			t.Errorf("%s: the record was decrypted though it is refused", what)
		}
	}
	flipped := func(b []byte, i int) []byte {
		b = bytes.Clone(b)
		b[i/8] ^= 1 << (i % 8)
		return b
	}
	for i := range len(sealed) * 8 {
		refused(fmt.Sprintf("bit %d of the record", i), nonce, flipped(sealed, i), additional)
	}
	for i := range len(nonce) * 8 {
		refused(fmt.Sprintf("bit %d of the nonce", i), flipped(nonce, i), bytes.Clone(sealed), additional)
	}
	for i := range len(additional) * 8 {
		refused(fmt.Sprintf("bit %d of the additional data", i), nonce, bytes.Clone(sealed), flipped(additional, i))
	}
	refused("a record without its end", nonce, bytes.Clone(sealed[:len(sealed)-1]), additional)
	refused("additional data without its end", nonce, bytes.Clone(sealed), additional[1:])
}

// RFC 8998, appendix A.1.
func TestGCMKnownAnswer(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	own, _ := gcmPair(t, unhex("0123456789ABCDEFFEDCBA9876543210"))
	plain := unhex("AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDD" +
		"EEEEEEEEEEEEEEEEFFFFFFFFFFFFFFFFEEEEEEEEEEEEEEEEAAAAAAAAAAAAAAAA")
	nonce, additional := unhex("00001234567800000000ABCD"), unhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
	want := "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15" +
		"a56834cbcf98c397b4024a2691233b8d83de3541e4c2b58177e065a9bf7b62ec"
	if got := hex.EncodeToString(own.Seal(nil, nonce, plain, additional)); got != want {
		t.Errorf("sealed: %s, not %s", got, want)
	}
}

// BenchmarkGCM shows where ownGCMFrom should lie.
func BenchmarkGCM(b *testing.B) {
	own, engine := gcmPair(b, make([]byte, 16))
	nonce, additional := make([]byte, 12), make([]byte, authHeaderLen)
	for _, n := range []int{ownGCMFrom, 1 << 10, 4 << 10, maxPlaintext} {
		payload, sealed := make([]byte, n), make([]byte, 0, n+gcmTagLen)
		for _, aead := range []struct {
			name string
			cipher.AEAD
		}{{"own", own}, {"engine", engine}} {
			b.Run(fmt.Sprintf("seal/%d/%s", n, aead.name), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					aead.Seal(sealed, nonce, payload, additional)
				}
			})
			record := aead.Seal(nil, nonce, payload, additional)
			b.Run(fmt.Sprintf("open/%d/%s", n, aead.name), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					if _, err := aead.Open(payload[:0], nonce, record, additional); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
