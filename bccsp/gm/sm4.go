// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/sm4"
)

const (
	sm4KeySize   = 16
	gcmNonceSize = 12
)

var (
	errNotSM4     = errors.New("gm: not an SM4 key")
	errSM4Opts    = errors.New("gm: SM4 takes *bccsp.SM4GCMModeOpts or *bccsp.SM4CBCPKCS7ModeOpts")
	errDecryption = errors.New("gm: decryption failed: wrong key or damaged ciphertext")
)

// symmetricKey holds a secret; sm4Key and hmacKey tell what it may be used for.
type symmetricKey struct {
	raw        []byte
	exportable bool
}

// sm4Key is a key of 16 bytes for SM4, also usable as a key of HMAC-SM3.
type sm4Key struct{ symmetricKey }

// hmacKey is a key of HMAC-SM3 or a MAC, which can be exported.
type hmacKey struct{ symmetricKey }

// Bytes returns the secret of a derived MAC and fails for keys.
func (k *symmetricKey) Bytes() ([]byte, error) {
	if !k.exportable {
		return nil, errNotExportable
	}
	return append([]byte(nil), k.raw...), nil
}

// SKI returns SHA-256(01 || key), 32 bytes, as Fabric does for AES.
func (k *symmetricKey) SKI() []byte {
	ski := sha256.Sum256(append([]byte{1}, k.raw...))
	return ski[:]
}

// Symmetric returns true.
func (k *symmetricKey) Symmetric() bool { return true }

// Private returns true.
func (k *symmetricKey) Private() bool { return true }

// PublicKey fails.
func (k *symmetricKey) PublicKey() (bccsp.Key, error) {
	return nil, errors.New("gm: a symmetric key has no public half")
}

func newSM4Key(raw []byte) (bccsp.Key, error) {
	if len(raw) != sm4KeySize {
		return nil, fmt.Errorf("gm: SM4 key of %d bytes, want %d", len(raw), sm4KeySize)
	}
	return &sm4Key{symmetricKey{raw: append([]byte(nil), raw...)}}, nil
}

type sm4KeyGenerator struct{}

// KeyGen makes a random SM4 key.
func (sm4KeyGenerator) KeyGen(bccsp.KeyGenOpts) (bccsp.Key, error) {
	raw := make([]byte, sm4KeySize)
	if _, err := io.ReadFull(Random(), raw); err != nil {
		return nil, fmt.Errorf("gm: generating an SM4 key: %w", err)
	}
	return newSM4Key(raw)
}

type sm4KeyImporter struct{}

// KeyImport takes 16 bytes.
func (sm4KeyImporter) KeyImport(raw any, _ bccsp.KeyImportOpts) (bccsp.Key, error) {
	bytes, ok := raw.([]byte)
	if !ok {
		return nil, fmt.Errorf("gm: an SM4 key is imported from []byte, not %T", raw)
	}
	return newSM4Key(bytes)
}

type hmacKeyImporter struct{}

// KeyImport takes a secret of any length but 0.
func (hmacKeyImporter) KeyImport(raw any, _ bccsp.KeyImportOpts) (bccsp.Key, error) {
	bytes, ok := raw.([]byte)
	if !ok || len(bytes) == 0 {
		return nil, errors.New("gm: an HMAC-SM3 key is imported from a []byte that is not empty")
	}
	return &hmacKey{symmetricKey{raw: append([]byte(nil), bytes...)}}, nil
}

type sm4Encryptor struct{}

// Encrypt encrypts in the mode that opts names.
func (sm4Encryptor) Encrypt(k bccsp.Key, plaintext []byte, opts bccsp.EncrypterOpts) ([]byte, error) {
	block, err := sm4Block(k)
	if err != nil {
		return nil, err
	}
	switch o := opts.(type) {
	case *bccsp.SM4GCMModeOpts:
		return sealGCM(block, plaintext, o.AdditionalData)
	case *bccsp.SM4CBCPKCS7ModeOpts:
		return encryptCBC(block, plaintext)
	}
	return nil, errSM4Opts
}

type sm4Decryptor struct{}

// Decrypt is the inverse of Encrypt. All failures look alike.
func (sm4Decryptor) Decrypt(k bccsp.Key, ciphertext []byte, opts bccsp.DecrypterOpts) ([]byte, error) {
	block, err := sm4Block(k)
	if err != nil {
		return nil, err
	}
	switch o := opts.(type) {
	case *bccsp.SM4GCMModeOpts:
		return openGCM(block, ciphertext, o.AdditionalData)
	case *bccsp.SM4CBCPKCS7ModeOpts:
		return decryptCBC(block, ciphertext)
	}
	return nil, errSM4Opts
}

func sm4Block(k bccsp.Key) (cipher.Block, error) {
	key, ok := k.(*sm4Key)
	if !ok {
		return nil, errNotSM4
	}
	return sm4.NewCipher(key.raw)
}

// sealGCM returns nonce || ciphertext || tag.
func sealGCM(block cipher.Block, plaintext, additional []byte) ([]byte, error) {
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("gm: %w", err)
	}
	out := make([]byte, gcmNonceSize, gcmNonceSize+len(plaintext)+aead.Overhead())
	if _, err := io.ReadFull(Random(), out); err != nil {
		return nil, fmt.Errorf("gm: %w", err)
	}
	return aead.Seal(out, out, plaintext, additional), nil
}

func openGCM(block cipher.Block, ciphertext, additional []byte) ([]byte, error) {
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("gm: %w", err)
	}
	if len(ciphertext) < gcmNonceSize+aead.Overhead() {
		return nil, errDecryption
	}
	plaintext, err := aead.Open(nil, ciphertext[:gcmNonceSize], ciphertext[gcmNonceSize:], additional)
	if err != nil {
		return nil, errDecryption
	}
	return plaintext, nil
}

// encryptCBC returns IV || blocks.
func encryptCBC(block cipher.Block, plaintext []byte) ([]byte, error) {
	size := block.BlockSize()
	pad := size - len(plaintext)%size
	out := make([]byte, size+len(plaintext)+pad)
	if _, err := io.ReadFull(Random(), out[:size]); err != nil {
		return nil, fmt.Errorf("gm: %w", err)
	}
	copy(out[size:], plaintext)
	for i := len(out) - pad; i < len(out); i++ {
		out[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(block, out[:size]).CryptBlocks(out[size:], out[size:])
	return out, nil
}

func decryptCBC(block cipher.Block, ciphertext []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(ciphertext) < 2*size || len(ciphertext)%size != 0 {
		return nil, errDecryption
	}
	out := make([]byte, len(ciphertext)-size)
	cipher.NewCBCDecrypter(block, ciphertext[:size]).CryptBlocks(out, ciphertext[size:])
	// The padding is checked without branches on its bytes, so that the time taken does not tell where it is wrong.
	pad := int(out[len(out)-1])
	good := subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, size)
	for i := 1; i <= size; i++ {
		isPad := subtle.ConstantTimeLessOrEq(i, pad)
		good &= subtle.ConstantTimeSelect(isPad, subtle.ConstantTimeByteEq(out[len(out)-i], byte(pad)), 1)
	}
	if good != 1 {
		return nil, errDecryption
	}
	return out[:len(out)-pad], nil
}
