// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/common/crypto/sm4"
	"github.com/stretchr/testify/require"
)

// bulk is the size of a full record of TLCP and TLS.
const bulk = 16 << 10

var errInvalid = errors.New("the result is not valid")

// BenchmarkPrimitives are the national algorithms as nodes use them, the engine's where there is no kernel of ours, and those of the
// standard library, for the report.
func BenchmarkPrimitives(b *testing.B) {
	signSM2, verifySM2 := sm2Operations(b)
	signECDSA, verifyECDSA := ecdsaOperations(b)
	b.Run("sign", func(b *testing.B) { turns(b, 0, signSM2, signECDSA) })
	b.Run("verify", func(b *testing.B) { turns(b, 0, verifySM2, verifyECDSA) })
	b.Run("hash", func(b *testing.B) { turns(b, bulk, hashing(sm3.New()), hashing(sha256.New())) })

	national, err := sm4.NewCipher(make([]byte, 16))
	require.NoError(b, err)
	standard, err := aes.NewCipher(make([]byte, 16))
	require.NoError(b, err)
	sealSM4, openSM4 := gcmOperations(b, national)
	sealAES, openAES := gcmOperations(b, standard)
	b.Run("seal", func(b *testing.B) { turns(b, bulk, sealSM4, sealAES) })
	b.Run("open", func(b *testing.B) { turns(b, bulk, openSM4, openAES) })
	iv := make([]byte, 16)
	b.Run("encrypt", func(b *testing.B) {
		turns(b, bulk, crypting(cipher.NewCBCEncrypter(national, iv)), crypting(cipher.NewCBCEncrypter(standard, iv)))
	})
	b.Run("decrypt", func(b *testing.B) {
		turns(b, bulk, crypting(cipher.NewCBCDecrypter(national, iv)), crypting(cipher.NewCBCDecrypter(standard, iv)))
	})
}

// turns lets two operations take turns in batches and reports the fastest batch of each, for one call in ns or, where an
// operation works on so many bytes, as MB/s. On a machine with other work the least time is what the operation takes.
func turns(b *testing.B, bytes int, national, standard func() error) {
	const batch = 10
	var best [2]time.Duration
	for b.Loop() {
		for i, operation := range []func() error{national, standard} {
			start := time.Now()
			for range batch {
				if err := operation(); err != nil {
					b.Fatal(err)
				}
			}
			if took := time.Since(start); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, name := range []string{"national", "standard"} {
		if bytes == 0 {
			b.ReportMetric(float64(best[i])/batch, name+"-ns")
		} else {
			b.ReportMetric(float64(bytes*batch)/1e6/best[i].Seconds(), name+"-MB/s")
		}
	}
}

func sm2Operations(b *testing.B) (sign, verify func() error) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(b, err)
	message := make([]byte, 32)
	signature, err := key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts)
	require.NoError(b, err)
	sign = func() error { _, err := key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts); return err }
	return sign, func() error { return valid(sm2.VerifyASN1WithSM2(&key.PublicKey, nil, message, signature)) }
}

func ecdsaOperations(b *testing.B) (sign, verify func() error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	message := make([]byte, 32)
	digest := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	require.NoError(b, err)
	sign = func() error {
		digest := sha256.Sum256(message)
		_, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return err
	}
	return sign, func() error {
		digest := sha256.Sum256(message)
		return valid(ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature))
	}
}

func valid(ok bool) error {
	if !ok {
		return errInvalid
	}
	return nil
}

func hashing(h hash.Hash) func() error {
	data, sum := make([]byte, bulk), make([]byte, 0, h.Size())
	return func() error {
		h.Reset()
		h.Write(data)
		sum = h.Sum(sum[:0])
		return nil
	}
}

func gcmOperations(b *testing.B, block cipher.Block) (seal, open func() error) {
	aead, err := cipher.NewGCM(block)
	require.NoError(b, err)
	nonce, data := make([]byte, aead.NonceSize()), make([]byte, bulk)
	sealed := aead.Seal(nil, nonce, data, nil)
	work := make([]byte, 0, bulk+aead.Overhead())
	seal = func() error { aead.Seal(work, nonce, data, nil); return nil }
	return seal, func() error { _, err := aead.Open(work, nonce, sealed, nil); return err }
}

func crypting(mode cipher.BlockMode) func() error {
	data := make([]byte, bulk)
	return func() error { mode.CryptBlocks(data, data); return nil }
}
