// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// Re-randomisation turns a key pair (d, P) into (d + t, P + tG) for a public t, as the software provider does for ECDSA:
// t = (expansion mod (n-1)) + 1. Holders of the public key alone derive the matching public key.

type sm2PrivateKeyDeriver struct{}

// KeyDeriv takes *bccsp.ECDSAReRandKeyOpts.
func (sm2PrivateKeyDeriver) KeyDeriv(k bccsp.Key, opts bccsp.KeyDerivOpts) (bccsp.Key, error) {
	key, ok := k.(*sm2PrivateKey)
	if !ok {
		return nil, errNotSM2
	}
	t, err := reRandomizer(opts)
	if err != nil {
		return nil, err
	}
	derived, err := gmx509.NewSM2PrivateKey(addModOrder(key.key.D.FillBytes(make([]byte, 32)), t))
	if err != nil {
		return nil, fmt.Errorf("gm: derived key: %w", err)
	}
	return NewPrivateKey(derived)
}

type sm2PublicKeyDeriver struct{}

// KeyDeriv takes *bccsp.ECDSAReRandKeyOpts.
func (sm2PublicKeyDeriver) KeyDeriv(k bccsp.Key, opts bccsp.KeyDerivOpts) (bccsp.Key, error) {
	key, ok := k.(*sm2PublicKey)
	if !ok {
		return nil, errNotSM2
	}
	t, err := reRandomizer(opts)
	if err != nil {
		return nil, err
	}
	derived := *key.key
	x, y := derived.Curve.ScalarBaseMult(t)
	derived.X, derived.Y = derived.Curve.Add(key.key.X, key.key.Y, x, y)
	if derived.X.Sign() == 0 && derived.Y.Sign() == 0 {
		return nil, errors.New("gm: derived key is the point at infinity")
	}
	return NewPublicKey(&derived)
}

// reRandomizer returns t as 32 bytes.
func reRandomizer(opts bccsp.KeyDerivOpts) ([]byte, error) {
	o, ok := opts.(*bccsp.ECDSAReRandKeyOpts)
	if !ok {
		return nil, fmt.Errorf("gm: an SM2 key is derived with *bccsp.ECDSAReRandKeyOpts, not %T", opts)
	}
	one := big.NewInt(1)
	t := new(big.Int).SetBytes(o.ExpansionValue())
	t.Mod(t, new(big.Int).Sub(sm2.P256().Params().N, one))
	t.Add(t, one)
	return t.FillBytes(make([]byte, 32)), nil
}

// addModOrder returns (a + b) mod n for a, b in [0, n-1], all of 32 bytes. It takes the same time for every input: a is a
// private key.
func addModOrder(a, b []byte) []byte {
	n := sm2.P256().Params().N.FillBytes(make([]byte, 32))
	var sum, reduced [4]uint64 // least significant first
	var carry, borrow uint64
	for i := range sum {
		at := 24 - 8*i
		sum[i], carry = bits.Add64(binary.BigEndian.Uint64(a[at:]), binary.BigEndian.Uint64(b[at:]), carry)
		reduced[i], borrow = bits.Sub64(sum[i], binary.BigEndian.Uint64(n[at:]), borrow)
	}
	// The sum without n is right unless it went below zero, that is a borrow that the carry does not cover.
	_, below := bits.Sub64(carry, 0, borrow)
	mask := -below
	out := make([]byte, 32)
	for i := range sum {
		binary.BigEndian.PutUint64(out[24-8*i:], sum[i]&mask|reduced[i]&^mask)
	}
	return out
}

type symmetricKeyDeriver struct{}

// KeyDeriv computes HMAC-SM3 (RFC 2104 over GB/T 32905) of the options' argument: all 32 bytes as an exportable key for
// *bccsp.HMACDeriveKeyOpts, the first 16 as an SM4 key for *bccsp.HMACTruncatedSM4DeriveKeyOpts.
func (symmetricKeyDeriver) KeyDeriv(k bccsp.Key, opts bccsp.KeyDerivOpts) (bccsp.Key, error) {
	var secret []byte
	switch key := k.(type) {
	case *sm4Key:
		secret = key.raw
	case *hmacKey:
		secret = key.raw
	default:
		return nil, errNotSM4
	}
	mac := hmac.New(sm3.New, secret)
	switch o := opts.(type) {
	case *bccsp.HMACDeriveKeyOpts:
		mac.Write(o.Argument())
		return &hmacKey{symmetricKey{raw: mac.Sum(nil), exportable: true}}, nil
	case *bccsp.HMACTruncatedSM4DeriveKeyOpts:
		mac.Write(o.Argument())
		return newSM4Key(mac.Sum(nil)[:sm4KeySize])
	}
	return nil, fmt.Errorf("gm: an SM4 or HMAC-SM3 key is derived with *bccsp.HMACDeriveKeyOpts or "+
		"*bccsp.HMACTruncatedSM4DeriveKeyOpts, not %T", opts)
}
