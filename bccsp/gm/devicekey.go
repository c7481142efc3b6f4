// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"context"
	"errors"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// sm2DeviceKey is an SM2 key pair whose private half is in a cryptographic device.
type sm2DeviceKey struct {
	*sm2PublicKey
	key *keyd.Key
}

// NewDeviceKey makes a BCCSP key of an SM2 key in a device.
func NewDeviceKey(key *keyd.Key) (bccsp.Key, error) {
	if !gmx509.IsSM2(key.Public()) {
		return nil, errNotSM2
	}
	pub, err := ImportPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	return &sm2DeviceKey{pub.(*sm2PublicKey), key}, nil
}

// Bytes fails.
func (k *sm2DeviceKey) Bytes() ([]byte, error) { return nil, errNotExportable }

// Private returns true.
func (k *sm2DeviceKey) Private() bool { return true }

// PublicKey returns the public half.
func (k *sm2DeviceKey) PublicKey() (bccsp.Key, error) { return k.sm2PublicKey, nil }

// Check asks whether the device has the key and can use it.
func (k *sm2DeviceKey) Check(ctx context.Context) error { return k.key.Check(ctx) }

type sm2DeviceSigner struct{}

// Sign signs the message in the device.
func (sm2DeviceSigner) Sign(k bccsp.Key, msg []byte, opts bccsp.SignerOpts) ([]byte, error) {
	if err := source.Load().Err(); err != nil { // a stopped process signs nothing, whatever the device would
		return nil, err
	}
	key, ok := k.(*sm2DeviceKey)
	if !ok {
		return nil, errNotSM2
	}
	if err := checkSignerOpts(opts); err != nil {
		return nil, err
	}
	return key.key.Sign(nil, msg, sm2.DefaultSM2SignerOpts)
}

type sm2DeviceVerifier struct{}

// Verify checks a signature by the key itself.
func (sm2DeviceVerifier) Verify(k bccsp.Key, signature, msg []byte, opts bccsp.SignerOpts) (bool, error) {
	key, ok := k.(*sm2DeviceKey)
	if !ok {
		return false, errNotSM2
	}
	return verifySM2(key.sm2PublicKey, signature, msg, opts)
}

type sm2DeviceDecryptor struct{}

// Decrypt is the inverse of Encrypt, in the device. What is wrong with a ciphertext is not told.
func (sm2DeviceDecryptor) Decrypt(k bccsp.Key, ciphertext []byte, opts bccsp.DecrypterOpts) ([]byte, error) {
	key, ok := k.(*sm2DeviceKey)
	if !ok {
		return nil, errNotSM2
	}
	if _, ok := opts.(*bccsp.SM2EncrypterOpts); !ok {
		return nil, errSM2Opts
	}
	plaintext, err := key.key.Decrypt(nil, ciphertext, nil)
	var device *keyd.Error
	if errors.As(err, &device) && !device.DeviceUnavailable() {
		return nil, errDecryption
	}
	return plaintext, err
}
