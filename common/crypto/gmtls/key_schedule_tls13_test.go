// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"fmt"
	"hash"
	"testing"

	gmcipher "github.com/emmansun/gmsm/cipher"
	"github.com/emmansun/gmsm/sm3"
	enginesm4 "github.com/emmansun/gmsm/sm4"
)

// HKDF is the standard library's with the engine's SM3.
func TestHKDF(t *testing.T) {
	newHash := func() hash.Hash { return sm3.New() }
	for _, size := range []int{0, 1, 31, 32, 63, 64, 65, 200} {
		salt, input := bytes.Repeat([]byte{1}, size), bytes.Repeat([]byte{2}, 32+size)
		want, err := hkdf.Extract(newHash, input, salt)
		if err != nil {
			t.Fatal(err)
		}
		var got [secretLen]byte
		if hkdfExtract(&got, salt, input); !bytes.Equal(got[:], want) {
			t.Errorf("extract with a salt of %d bytes: %x, want %x", size, got, want)
		}
		for _, length := range []int{1, 12, 16, 32, 33, 64, 255 * sm3.Size} {
			info := bytes.Repeat([]byte{3}, size)
			want, err := hkdf.Expand(newHash, got[:], string(info), length)
			if err != nil {
				t.Fatal(err)
			}
			if out := hkdfExpand(got[:], info, length); !bytes.Equal(out, want) {
				t.Errorf("expand to %d bytes: %x, want %x", length, out, want)
			}
		}
	}
}

// RFC 8446, section 7.1: the form of HkdfLabel.
func TestExpandLabel(t *testing.T) {
	secret, transcript := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{8}, 32)
	info := append([]byte{0, 32, 18}, "tls13 c hs traffic"...)
	info = append(append(info, 32), transcript...)
	want, err := hkdf.Expand(func() hash.Hash { return sm3.New() }, secret, string(info), 32)
	if err != nil {
		t.Fatal(err)
	}
	if got := expandLabel(secret, labelClientHandshake, transcript, secretLen); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	key, _ := hkdf.Expand(func() hash.Hash { return sm3.New() }, secret, "\x00\x20\x0etls13 finished\x00", 32)
	mac := hmac.New(func() hash.Hash { return sm3.New() }, key)
	mac.Write(transcript)
	if got := finishedMAC(secret, transcript); !bytes.Equal(got, mac.Sum(nil)) {
		t.Errorf("Finished is %x, want %x", got, mac.Sum(nil))
	}
}

// Records are what the engine's own SM4-GCM and SM4-CCM make of them (RFC 8446,
// sections 5.2 and 5.3).
func TestRecordProtection13(t *testing.T) {
	key, iv := bytes.Repeat([]byte{5}, sm4KeyLen), []byte("0123456789ab")
	block, err := enginesm4.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range cipherSuites13 {
		for _, size := range []int{0, 1, 15, 16, 17, 1000, maxPlaintext} {
			for _, seq := range []uint64{0, 1, 0x0102030405060708} {
				t.Run(fmt.Sprint(s.name, size, seq), func(t *testing.T) {
					payload := bytes.Repeat([]byte{byte(size)}, size)
					own, err := newAEADCipher(s, key, iv)
					if err != nil {
						t.Fatal(err)
					}
					prefix := []byte("in front")
					sealed, err := own.seal(bytes.Clone(prefix), nil, seq, recordHandshake, payload)
					if err != nil || !bytes.HasPrefix(sealed, prefix) {
						t.Fatalf("%x, %v", sealed, err)
					}
					sealed = sealed[len(prefix):]
					nonce := bytes.Clone(iv)
					for i := range 8 {
						nonce[4+i] ^= byte(seq >> (56 - 8*i))
					}
					aad := []byte{23, 3, 3, byte(len(sealed) >> 8), byte(len(sealed))}
					engine, err := gmcipher.NewCCMWithNonceAndTagSize(block, 12, 16)
					if s.gcm {
						engine, err = cipher.NewGCM(block)
					}
					if err != nil {
						t.Fatal(err)
					}
					if want := engine.Seal(nil, nonce, append(bytes.Clone(payload), recordHandshake), aad); !bytes.Equal(sealed, want) {
						t.Error("the record is sealed otherwise")
					}
					if _, ok := own.open(seq+1, recordApplicationData, bytes.Clone(sealed)); ok {
						t.Error("opens under another number")
					}
					if _, ok := own.open(seq, recordApplicationData, bytes.Clone(sealed[:len(sealed)-1])); ok {
						t.Error("opens cut short")
					}
					inner, ok := own.open(seq, recordApplicationData, sealed)
					if !ok || !bytes.Equal(inner, append(payload, recordHandshake)) {
						t.Error("does not open")
					}
				})
			}
		}
	}
}
