// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emmansun/gmsm/smx509"
)

// PEM types of private keys.
const (
	pemTypePKCS8     = "PRIVATE KEY"
	pemTypeEncrypted = "ENCRYPTED PRIVATE KEY"
	pemTypeEC        = "EC PRIVATE KEY"
	pemTypeSM2       = "SM2 PRIVATE KEY" // SEC1, as openssl 3 names it for SM2
	pemTypeRSA       = "RSA PRIVATE KEY"
)

// ErrNoPassword says that a private key is encrypted and no password was given.
var ErrNoPassword = errors.New("x509: the private key is encrypted and no password is configured")

// IsEncryptedPEMBlock reports whether the block is encrypted in the old way of RFC 1423, with a DEK-Info header.
func IsEncryptedPEMBlock(block *pem.Block) bool {
	return x509.IsEncryptedPEMBlock(block) // existing key stores use it
}

// DecryptPEMBlock opens a block encrypted in the way of RFC 1423, with SM4-CBC too. The format has no integrity check:
// a wrong password is usually, not always, noticed. It gives ErrWrongPassword or unusable bytes.
func DecryptPEMBlock(block *pem.Block, password []byte) ([]byte, error) {
	decrypt := x509.DecryptPEMBlock // existing key stores use it
	if strings.HasPrefix(block.Headers["DEK-Info"], "SM4-") {
		decrypt = smx509.DecryptPEMBlock
	}
	plain, err := decrypt(block, password)
	if errors.Is(err, x509.IncorrectPasswordError) || errors.Is(err, smx509.IncorrectPasswordError) {
		return nil, ErrWrongPassword
	}
	if err != nil {
		return nil, unsupported("private key encrypted with DEK-Info %q: %w", block.Headers["DEK-Info"], err)
	}
	return plain, nil
}

// EncryptPEMBlock encrypts in the way of RFC 1423. It is kept for upstream's key store; new code uses
// MarshalPrivateKeyPEM.
func EncryptPEMBlock(rand io.Reader, blockType string, data, password []byte, alg PEMCipher) (*pem.Block, error) {
	return x509.EncryptPEMBlock(rand, blockType, data, password, alg) // see above
}

// ParsePrivateKeyPEM parses the first private key in text. Blocks before it, such as the EC PARAMETERS or
// SM2 PARAMETERS that openssl writes, are skipped. It takes PKCS#8, SEC1 and PKCS#1, plain or encrypted with PBES2 or RFC 1423; password may be nil.
// SM2 keys come as *sm2.PrivateKey, others as crypto/x509 gives them. Errors: ErrNoPassword, ErrWrongPassword,
// or what is wrong with the encoding.
func ParsePrivateKeyPEM(text, password []byte) (any, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("x509: private key of %d bytes, more than the %d allowed", len(text), maxPEM)
	}
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return nil, errors.New("x509: no private key in PEM form")
		}
		switch block.Type {
		case pemTypePKCS8, pemTypeEncrypted, pemTypeEC, pemTypeSM2, pemTypeRSA:
			return parsePrivateKeyBlock(block, password)
		}
	}
}

func parsePrivateKeyBlock(block *pem.Block, password []byte) (any, error) {
	legacy := IsEncryptedPEMBlock(block)
	if !legacy && block.Type != pemTypeEncrypted {
		return ParsePrivateKey(block.Bytes)
	}
	if len(password) == 0 {
		return nil, ErrNoPassword
	}
	decrypt := func() ([]byte, error) { return DecryptPBES2(block.Bytes, password) }
	if legacy {
		decrypt = func() ([]byte, error) { return DecryptPEMBlock(block, password) }
	}
	der, err := decrypt()
	if err != nil {
		return nil, err
	}
	key, err := ParsePrivateKey(der)
	if err != nil && !isKeyOutline(der) {
		// Padding that fits by chance: one wrong password in 256 comes this far.
		return nil, fmt.Errorf("%w (%w)", ErrWrongPassword, err)
	}
	return key, err
}

// isKeyOutline reports whether der is one sequence that begins with a number, as private keys do, so that the password was right.
func isKeyOutline(der []byte) bool {
	var members []asn1.RawValue
	rest, err := asn1.Unmarshal(der, &members)
	return err == nil && len(rest) == 0 && len(members) > 1 && members[0].Class == asn1.ClassUniversal && members[0].Tag == asn1.TagInteger
}

// MarshalPrivateKeyPEM writes a private key of any family as PKCS#8 in PEM, encrypted with EncryptPBES2 if there is a
// password.
func MarshalPrivateKeyPEM(key any, password []byte) ([]byte, error) {
	der, err := MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	blockType := pemTypePKCS8
	if len(password) != 0 {
		blockType = pemTypeEncrypted
		if der, err = EncryptPBES2(der, password); err != nil {
			return nil, err
		}
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der}), nil
}

// ParsePublicKeyPEM parses the first PEM block of text, a PUBLIC KEY of any family.
func ParsePublicKeyPEM(text []byte) (any, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" || len(text) > maxPEM {
		return nil, errors.New("x509: no public key in PEM form")
	}
	return ParsePKIXPublicKey(block.Bytes)
}

// MarshalPublicKeyPEM writes a public key of any family as SubjectPublicKeyInfo in PEM.
func MarshalPublicKeyPEM(pub any) ([]byte, error) {
	if key, ok := pub.(*ecdsa.PublicKey); ok && key == nil {
		return nil, errors.New("x509: nil public key")
	}
	der, err := MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
