// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

type sm2KeyGenerator struct{}

// KeyGen makes an SM2 key pair (GB/T 32918.1, section 6.1).
func (sm2KeyGenerator) KeyGen(bccsp.KeyGenOpts) (bccsp.Key, error) {
	key, err := sm2.GenerateKey(Random())
	if err != nil {
		return nil, fmt.Errorf("gm: generating an SM2 key: %w", err)
	}
	if err := checkPair(key); err != nil {
		return nil, err
	}
	return NewPrivateKey(key)
}

type sm2PrivateKeyImporter struct{}

// KeyImport is ImportPrivateKey.
func (sm2PrivateKeyImporter) KeyImport(raw any, _ bccsp.KeyImportOpts) (bccsp.Key, error) {
	return ImportPrivateKey(raw)
}

// ImportPrivateKey makes a key of what bccsp.SM2PrivateKeyImportOpts lists. It fails for keys on other curves.
func ImportPrivateKey(raw any) (bccsp.Key, error) {
	switch raw := raw.(type) {
	case *sm2.PrivateKey:
		return NewPrivateKey(raw)
	case []byte:
		if len(raw) == 32 {
			key, err := gmx509.NewSM2PrivateKey(raw)
			if err != nil {
				return nil, fmt.Errorf("gm: %w", err)
			}
			return NewPrivateKey(key)
		}
		key, err := gmx509.ParsePrivateKey(raw)
		if err != nil {
			return nil, fmt.Errorf("gm: %w", err)
		}
		priv, ok := gmx509.AsSM2(key)
		if !ok {
			return nil, fmt.Errorf("%w: %T", errNotSM2, key)
		}
		return NewPrivateKey(priv)
	}
	return nil, fmt.Errorf("gm: an SM2 private key is imported from []byte or *sm2.PrivateKey, not %T", raw)
}

type sm2PublicKeyImporter struct{}

// KeyImport is ImportPublicKey.
func (sm2PublicKeyImporter) KeyImport(raw any, _ bccsp.KeyImportOpts) (bccsp.Key, error) {
	return ImportPublicKey(raw)
}

// ImportPublicKey makes a key of what bccsp.SM2PublicKeyImportOpts lists. It fails for keys on other curves.
func ImportPublicKey(raw any) (bccsp.Key, error) {
	switch raw := raw.(type) {
	case *ecdsa.PublicKey:
		return NewPublicKey(raw)
	case []byte:
		if len(raw) == 65 && raw[0] == 4 {
			key, err := sm2.NewPublicKey(raw)
			if err != nil {
				return nil, fmt.Errorf("gm: %w", err)
			}
			return NewPublicKey(key)
		}
		key, err := gmx509.ParsePKIXPublicKey(raw)
		if err != nil {
			return nil, fmt.Errorf("gm: %w", err)
		}
		pub, ok := key.(*ecdsa.PublicKey)
		if !ok {
			return nil, fmt.Errorf("%w: %T", errNotSM2, key)
		}
		return NewPublicKey(pub)
	}
	return nil, fmt.Errorf("gm: an SM2 public key is imported from []byte or *ecdsa.PublicKey, not %T", raw)
}

// checkSignerOpts makes sure that the caller passes a message and not a digest.
func checkSignerOpts(opts bccsp.SignerOpts) error {
	switch o := opts.(type) {
	case *bccsp.SM2SignerOpts:
		return nil
	case *sm2.SM2SignerOption:
		// What smx509 passes when it signs certificates. Options with another signer id cannot be told
		// from the outside, so only this one value is taken.
		if o == sm2.DefaultSM2SignerOpts {
			return nil
		}
	}
	return fmt.Errorf("gm: SM2 signs messages, not digests: pass the message and *bccsp.SM2SignerOpts, not %T", opts)
}

type sm2Signer struct{}

// Sign signs the message (GB/T 32918.2, section 6) and returns canonical DER.
func (sm2Signer) Sign(k bccsp.Key, msg []byte, opts bccsp.SignerOpts) ([]byte, error) {
	key, ok := k.(*sm2PrivateKey)
	if !ok {
		return nil, errNotSM2
	}
	if err := checkSignerOpts(opts); err != nil {
		return nil, err
	}
	return sm2.SignASN1(Random(), key.key, key.pub.digest(msg), nil)
}

// verifySM2 checks a signature over a message (GB/T 32918.2, section 7). A signature that is not canonical DER with r and
// s in [1, n-1] is an error.
func verifySM2(key *sm2PublicKey, signature, msg []byte, opts bccsp.SignerOpts) (bool, error) {
	if err := checkSignerOpts(opts); err != nil {
		return false, err
	}
	if err := gmx509.CheckSM2SignatureDER(signature); err != nil {
		return false, fmt.Errorf("gm: %w", err)
	}
	return key.verify(key.digest(msg), signature), nil
}

// verify checks a signature in canonical DER over e, which digest returns.
func (k *sm2PublicKey) verify(digest, signature []byte) bool {
	if t := k.tableInUse(); t != nil && t.VerifyASN1(digest, signature) {
		return true
	}
	// The engine has the last word on what the table refuses, so that a fault there could not make nodes disagree.
	return sm2.VerifyASN1(k.key, digest, signature)
}

type sm2PublicKeyVerifier struct{}

// Verify checks a signature by the holder of the key.
func (sm2PublicKeyVerifier) Verify(k bccsp.Key, signature, msg []byte, opts bccsp.SignerOpts) (bool, error) {
	key, ok := k.(*sm2PublicKey)
	if !ok {
		return false, errNotSM2
	}
	return verifySM2(key, signature, msg, opts)
}

type sm2PrivateKeyVerifier struct{}

// Verify checks a signature by the key itself.
func (sm2PrivateKeyVerifier) Verify(k bccsp.Key, signature, msg []byte, opts bccsp.SignerOpts) (bool, error) {
	key, ok := k.(*sm2PrivateKey)
	if !ok {
		return false, errNotSM2
	}
	return verifySM2(key.pub, signature, msg, opts)
}

var errSM2Opts = errors.New("gm: SM2 encryption takes *bccsp.SM2EncrypterOpts")

type sm2Encryptor struct{}

// Encrypt encrypts to the holder of the key (GB/T 32918.4, section 6). The plaintext must not be empty.
func (sm2Encryptor) Encrypt(k bccsp.Key, plaintext []byte, opts bccsp.EncrypterOpts) ([]byte, error) {
	key, ok := k.(*sm2PublicKey)
	if !ok {
		return nil, errNotSM2
	}
	if _, ok := opts.(*bccsp.SM2EncrypterOpts); !ok {
		return nil, errSM2Opts
	}
	if len(plaintext) == 0 {
		return nil, errors.New("gm: SM2 cannot encrypt an empty plaintext")
	}
	return encryptSM2(Random(), key.key, plaintext)
}

// encryptSM2 encrypts, and draws a scalar whose key stream is zero anew: with a message of one byte that is one scalar of 256. The engine, when
// it draws anew, goes on with a point that it has changed, and nobody can decrypt the result (github.com/emmansun/gmsm v0.44.1).
func encryptSM2(random io.Reader, public *ecdsa.PublicKey, plaintext []byte) ([]byte, error) {
	for range maxScalars {
		ciphertext, err := sm2.EncryptASN1(&oneScalar{random: random}, public, plaintext)
		if !errors.Is(err, errScalarRefused) {
			return ciphertext, err
		}
	}
	return nil, errScalarRefused
}

// maxScalars bounds the loop; so many are refused once in 256^100 times.
const maxScalars = 100

var errScalarRefused = errors.New("gm: SM2 encryption: the random bytes do not give a key stream")

// oneScalar gives random bytes for one scalar and then fails with errScalarRefused.
type oneScalar struct {
	random io.Reader
	given  bool
}

// Read fills p or fails.
func (s *oneScalar) Read(p []byte) (int, error) {
	if s.given {
		return 0, errScalarRefused
	}
	s.given = true
	return io.ReadFull(s.random, p)
}

type sm2Decryptor struct{}

// Decrypt is the inverse of Encrypt. All failures look alike.
func (sm2Decryptor) Decrypt(k bccsp.Key, ciphertext []byte, opts bccsp.DecrypterOpts) ([]byte, error) {
	key, ok := k.(*sm2PrivateKey)
	if !ok {
		return nil, errNotSM2
	}
	if _, ok := opts.(*bccsp.SM2EncrypterOpts); !ok {
		return nil, errSM2Opts
	}
	// The engine would take the undelimited forms of GB/T 32918.4 as well.
	if len(ciphertext) == 0 || ciphertext[0] != 0x30 {
		return nil, errDecryption
	}
	plaintext, err := sm2.Decrypt(key.key, ciphertext)
	if err != nil {
		return nil, errDecryption
	}
	return plaintext, nil
}
