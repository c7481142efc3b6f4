// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"fmt"
	"reflect"

	"github.com/hyperledger/fabric/bccsp"
)

// Register adds the national algorithms to a provider. add binds the type of a key or of options to what handles it: the
// AddWrapper method of the software provider.
func Register(add func(t reflect.Type, wrapper any) error) error {
	for _, w := range []struct{ of, wrapper any }{
		{&bccsp.SM2KeyGenOpts{}, sm2KeyGenerator{}},
		{&bccsp.SM4KeyGenOpts{}, sm4KeyGenerator{}},

		{&bccsp.SM2PrivateKeyImportOpts{}, sm2PrivateKeyImporter{}},
		{&bccsp.SM2PublicKeyImportOpts{}, sm2PublicKeyImporter{}},
		{&bccsp.SM4ImportKeyOpts{}, sm4KeyImporter{}},
		{&bccsp.HMACSM3ImportKeyOpts{}, hmacKeyImporter{}},

		{&bccsp.SM3Opts{}, sm3Hasher{}},

		{&sm2PrivateKey{}, sm2Signer{}},
		{&sm2PrivateKey{}, sm2PrivateKeyVerifier{}},
		{&sm2PublicKey{}, sm2PublicKeyVerifier{}},

		{&sm2DeviceKey{}, sm2DeviceSigner{}},
		{&sm2DeviceKey{}, sm2DeviceVerifier{}},
		{&sm2DeviceKey{}, sm2DeviceDecryptor{}},

		{&sm2PublicKey{}, sm2Encryptor{}},
		{&sm2PrivateKey{}, sm2Decryptor{}},
		{&sm4Key{}, sm4Encryptor{}},
		{&sm4Key{}, sm4Decryptor{}},

		{&sm2PrivateKey{}, sm2PrivateKeyDeriver{}},
		{&sm2PublicKey{}, sm2PublicKeyDeriver{}},
		{&sm4Key{}, symmetricKeyDeriver{}},
		{&hmacKey{}, symmetricKeyDeriver{}},
	} {
		if err := add(reflect.TypeOf(w.of), w.wrapper); err != nil {
			return fmt.Errorf("gm: %w", err)
		}
	}
	return nil
}

// RegisterDefaults makes the national algorithms the answer to options that name none: ECDSAKeyGenOpts, which asks for a
// signature key "at the default security level", gives an SM2 key. Options that name a curve keep it.
func RegisterDefaults(add func(t reflect.Type, wrapper any) error) error {
	return add(reflect.TypeOf(&bccsp.ECDSAKeyGenOpts{}), sm2KeyGenerator{})
}

// IsKey reports whether k is a key of this package.
func IsKey(k bccsp.Key) bool {
	switch k.(type) {
	case *sm2PrivateKey, *sm2PublicKey, *sm2DeviceKey, *sm4Key, *hmacKey:
		return true
	}
	return false
}
