// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/ecdsa"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// Suffixes of key files: the name is hex(SKI) + "_" + suffix, as in Fabric's file key store.
const (
	SuffixPrivate   = "sk"
	SuffixPublic    = "pk"
	SuffixSymmetric = "key"
)

// PEM types of symmetric keys.
const (
	pemSM4          = "SM4 PRIVATE KEY"
	pemSM4Encrypted = "ENCRYPTED SM4 PRIVATE KEY"
)

// ErrOtherKey says that a key file is readable but holds no key of this package.
var ErrOtherKey = errors.New("gm: the file holds no SM2 or SM4 key")

// EncodeKey returns the content of a key file and the suffix of its name. SM2 private keys are PKCS#8, with a password
// encrypted with PBES2: PBKDF2 with HMAC-SM3, SM4-CBC. Public keys are SubjectPublicKeyInfo and are not
// encrypted. A key in a device is a reference (package keyd). SM4 keys are the bare 16 bytes, with a password in the same PBES2 form. MACs are not stored.
func EncodeKey(k bccsp.Key, password []byte) (suffix string, text []byte, err error) {
	switch key := k.(type) {
	case *sm2PrivateKey:
		text, err = gmx509.MarshalPrivateKeyPEM(key.key, password)
		return SuffixPrivate, text, err
	case *sm2PublicKey:
		text, err = gmx509.MarshalPublicKeyPEM(key.key)
		return SuffixPublic, text, err
	case *sm2DeviceKey:
		text, err = key.key.Reference().Encode()
		return SuffixPrivate, text, err
	case *sm4Key:
		block := &pem.Block{Type: pemSM4, Bytes: key.raw}
		if len(password) != 0 {
			block.Type = pemSM4Encrypted
			if block.Bytes, err = gmx509.EncryptPBES2(key.raw, password); err != nil {
				return "", nil, err
			}
		}
		return SuffixSymmetric, pem.EncodeToMemory(block), nil
	}
	return "", nil, fmt.Errorf("gm: a key of type %T cannot be stored", k)
}

// DecodeKey is the inverse of EncodeKey, and accepts every form of SM2 private keys that package material reads. The text may
// also contain the certificate. It returns ErrOtherKey for anything that is not a key of this package, so that a caller can try
// its own. Files that do look like one but cannot be used give gmx509.ErrNoPassword, gmx509.ErrWrongPassword or what is wrong.
func DecodeKey(text, password []byte) (bccsp.Key, error) {
	if block, _ := pem.Decode(text); block != nil {
		switch block.Type {
		case pemSM4:
			return newSM4Key(block.Bytes)
		case pemSM4Encrypted:
			if len(password) == 0 {
				return nil, gmx509.ErrNoPassword
			}
			raw, err := gmx509.DecryptPBES2(block.Bytes, password)
			if err != nil {
				return nil, err
			}
			return newSM4Key(raw)
		case "PUBLIC KEY":
			return decodePublicKey(text)
		}
	}
	return decodePrivateKey(text, password)
}

func decodePrivateKey(text, password []byte) (bccsp.Key, error) {
	file, err := material.Parse("", text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOtherKey, err)
	}
	key, err := file.PrivateKey(password)
	if err != nil {
		if len(file.Keys) == 1 && (file.Keys[0].Encrypted() || file.Keys[0].NamesSM2() || file.Keys[0].InDevice()) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrOtherKey, err)
	}
	if device, ok := key.(*keyd.Key); ok && gmx509.IsSM2(device.Public()) {
		return NewDeviceKey(device)
	}
	priv, ok := gmx509.AsSM2(key)
	if !ok {
		return nil, ErrOtherKey
	}
	return NewPrivateKey(priv)
}

func decodePublicKey(text []byte) (bccsp.Key, error) {
	key, err := gmx509.ParsePublicKeyPEM(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOtherKey, err)
	}
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || !gmx509.IsSM2(pub) {
		return nil, ErrOtherKey
	}
	return NewPublicKey(pub)
}
