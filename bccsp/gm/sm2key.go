// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/sm2table"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

var (
	errNotExportable = errors.New("gm: the key cannot be exported")
	errNotSM2        = errors.New("gm: not an SM2 key")
)

// sm2PublicKey is an SM2 public key with what depends on it alone.
type sm2PublicKey struct {
	key *ecdsa.PublicKey // on sm2.P256(), checked to be on the curve
	za  []byte           // Z of GB/T 32918.2, section 5.5, for the default signer id
	ski []byte

	uses  atomic.Int64 // verifications so far
	table atomic.Pointer[sm2table.Table]
}

// tableFrom is the number of verifications from which on a key is taken for one that comes back. A table costs as much as
// three verifications, and memory as long as the key lives.
const tableFrom = 8

// sm2PrivateKey is an SM2 key pair.
type sm2PrivateKey struct {
	key *sm2.PrivateKey
	pub *sm2PublicKey
}

// NewPublicKey makes a BCCSP key of an SM2 public key. It fails if the key is on another curve or not on its curve.
func NewPublicKey(key *ecdsa.PublicKey) (bccsp.Key, error) {
	pub, err := newPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pub, nil
}

func newPublicKey(key *ecdsa.PublicKey) (*sm2PublicKey, error) {
	if !gmx509.IsSM2(key) {
		return nil, errNotSM2
	}
	point, err := gmx509.SM2Point(key)
	if err != nil {
		return nil, fmt.Errorf("gm: %w", err)
	}
	za, err := sm2.CalculateZA(key, nil)
	if err != nil {
		return nil, fmt.Errorf("gm: %w", err)
	}
	// The hash is SHA-256 for SM2 keys too, so that key stores name files alike for every algorithm.
	ski := sha256.Sum256(point)
	return &sm2PublicKey{key: key, za: za, ski: ski[:]}, nil
}

// NewPrivateKey makes a BCCSP key of an SM2 private key. The scalar must be in [1, n-2].
func NewPrivateKey(key *sm2.PrivateKey) (bccsp.Key, error) {
	priv, err := newPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return priv, nil
}

func newPrivateKey(key *sm2.PrivateKey) (*sm2PrivateKey, error) {
	if !gmx509.IsSM2(key) {
		return nil, errNotSM2
	}
	if err := gmx509.CheckSM2PrivateKey(key); err != nil {
		return nil, fmt.Errorf("gm: %w", err)
	}
	pub, err := newPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &sm2PrivateKey{key: key, pub: pub}, nil
}

// tableInUse counts a verification and returns the key's table, or nil as long as there is none.
func (k *sm2PublicKey) tableInUse() *sm2table.Table {
	if t := k.table.Load(); t != nil {
		return t
	}
	if k.uses.Add(1) == tableFrom { // for one goroutine only; the others continue without
		if t, err := sm2table.New(k.key); err == nil { // newPublicKey has checked the key
			k.table.Store(t)
		}
	}
	return k.table.Load()
}

// digest returns e = SM3(Z || msg), 32 bytes (GB/T 32918.2, section 6.1).
func (k *sm2PublicKey) digest(msg []byte) []byte {
	h := sm3.New()
	h.Write(k.za)
	h.Write(msg)
	return h.Sum(nil)
}

// Bytes returns the DER SubjectPublicKeyInfo.
func (k *sm2PublicKey) Bytes() ([]byte, error) {
	return gmx509.MarshalPKIXPublicKey(k.key)
}

// SKI returns the SHA-256 of the uncompressed point, 32 bytes.
func (k *sm2PublicKey) SKI() []byte { return append([]byte(nil), k.ski...) }

// Symmetric returns false.
func (k *sm2PublicKey) Symmetric() bool { return false }

// Private returns false.
func (k *sm2PublicKey) Private() bool { return false }

// PublicKey returns the key itself.
func (k *sm2PublicKey) PublicKey() (bccsp.Key, error) { return k, nil }

// Bytes fails: private keys leave the provider through a key store only.
func (k *sm2PrivateKey) Bytes() ([]byte, error) { return nil, errNotExportable }

// SKI returns that of the public half.
func (k *sm2PrivateKey) SKI() []byte { return k.pub.SKI() }

// Symmetric returns false.
func (k *sm2PrivateKey) Symmetric() bool { return false }

// Private returns true.
func (k *sm2PrivateKey) Private() bool { return true }

// PublicKey returns the public half.
func (k *sm2PrivateKey) PublicKey() (bccsp.Key, error) { return k.pub, nil }
