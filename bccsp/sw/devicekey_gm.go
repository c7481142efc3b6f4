// SPDX-License-Identifier: Apache-2.0

package sw

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"reflect"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/utils"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/material"
)

// ecdsaDeviceKey is an ECDSA key pair whose private half is in a cryptographic device.
type ecdsaDeviceKey struct {
	*ecdsaPublicKey
	key *keyd.Key
}

// Bytes fails.
func (k *ecdsaDeviceKey) Bytes() ([]byte, error) {
	return nil, errors.New("the key is in a device and cannot be exported")
}

// Private returns true.
func (k *ecdsaDeviceKey) Private() bool { return true }

// PublicKey returns the public half.
func (k *ecdsaDeviceKey) PublicKey() (bccsp.Key, error) { return k.ecdsaPublicKey, nil }

// Check asks whether the device has the key and can use it.
func (k *ecdsaDeviceKey) Check(ctx context.Context) error { return k.key.Check(ctx) }

type ecdsaDeviceSigner struct{}

// Sign signs the digest in the device, and brings the signature into the form with a low S, as Fabric wants it.
func (ecdsaDeviceSigner) Sign(k bccsp.Key, digest []byte, _ bccsp.SignerOpts) ([]byte, error) {
	key := k.(*ecdsaDeviceKey)
	signature, err := key.key.Sign(nil, digest, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	return utils.SignatureToLowS(key.pubKey, signature)
}

type ecdsaDeviceVerifier struct{}

// Verify checks a signature by the key itself.
func (ecdsaDeviceVerifier) Verify(k bccsp.Key, signature, digest []byte, opts bccsp.SignerOpts) (bool, error) {
	return verifyECDSA(k.(*ecdsaDeviceKey).pubKey, signature, digest, opts)
}

// registerDeviceKeys makes csp serve ECDSA keys in devices.
func registerDeviceKeys(csp *CSP) error {
	of := reflect.TypeOf(&ecdsaDeviceKey{})
	return errors.Join(csp.AddWrapper(of, ecdsaDeviceSigner{}), csp.AddWrapper(of, ecdsaDeviceVerifier{}))
}

// decodeKey reads a key file of the national algorithms, or one ECDSA private key in any form of [material]; gm.ErrOtherKey says that it
// is another, which upstream may be able to read.
func decodeKey(text, password []byte) (bccsp.Key, error) {
	k, err := gm.DecodeKey(text, password)
	if !errors.Is(err, gm.ErrOtherKey) {
		return k, err
	}
	file, parseErr := material.Parse("", text)
	if parseErr != nil || len(file.Keys) != 1 {
		return k, err
	}
	opened, openErr := file.PrivateKey(password)
	if openErr != nil && (file.Keys[0].InDevice() || file.Keys[0].Encrypted()) {
		return nil, openErr
	}
	if openErr != nil {
		return nil, err
	}
	if plain, ok := opened.(*ecdsa.PrivateKey); ok {
		return &ecdsaPrivateKey{plain}, nil
	}
	key, ok := opened.(*keyd.Key)
	if !ok {
		return nil, err
	}
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T in a device cannot be used", key.Public())
	}
	return &ecdsaDeviceKey{&ecdsaPublicKey{public}, key}, nil
}

// inDevice is a key in a device.
type inDevice interface {
	Check(context.Context) error
}

// checkDevice asks, once a key in a device has been chosen, whether the device has it.
func checkDevice(k bccsp.Key) error {
	d, ok := k.(inDevice)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyd.DefaultTimeout)
	defer cancel()
	err := d.Check(ctx)
	if err != nil {
		logger.Warning(err) // the MSP drops the error
	}
	return err
}
