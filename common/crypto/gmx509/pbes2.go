// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // PBKDF2 with HMAC-SHA1 is the default of RFC 8018, and what OpenSSL before 1.1 writes
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"

	"github.com/emmansun/gmsm/sm4"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// Limits on encrypted keys that are read. The iteration count is chosen by whoever wrote the file: without a limit one
// small file stops a node for hours.
const (
	maxPBKDF2Iterations = 2_000_000 // a second or two
	minPBKDF2Iterations = 1
	maxPBKDF2Salt       = 1024

	// writeIterations is used for files that we write: 0.1 s at most on current machines, paid once per start.
	writeIterations = 100_000
	writeSalt       = 16
)

// ErrWrongPassword says that an encrypted key does not open: the password is wrong, or the file is damaged. The two
// cannot be told apart.
var ErrWrongPassword = errors.New("x509: wrong password, or the encrypted key is damaged")

// unsupported is the error for a way of encryption that openssl reads and this package does not.
func unsupported(format string, args ...any) error {
	return fmt.Errorf("x509: "+format+"; convert it with: openssl pkcs8 -topk8 -v2 aes256 -in FILE -out FILE.pem", args...)
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}

	oidHMACSM3 = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401, 2}
	oidSM4CBC  = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 104, 2}
)

// prf is a pseudo-random function of PBKDF2 (RFC 8018, appendix B.1).
type prf struct {
	oid asn1.ObjectIdentifier
	new func() hash.Hash
}

// The first is the default where the file names none (RFC 8018, appendix A.2).
var prfs = []prf{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}, sha1.New},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, sha256.New},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 10}, sha512.New384},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}, sha512.New},
	{oidHMACSM3, sm3.New},
}

// blockScheme is an encryption scheme of PBES2: a block cipher in CBC mode with PKCS#7 padding (RFC 8018, appendix B.2).
type blockScheme struct {
	oid    asn1.ObjectIdentifier
	keyLen int // bytes
	new    func(key []byte) (cipher.Block, error)
}

var blockSchemes = []blockScheme{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, 16, aes.NewCipher},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}, 24, aes.NewCipher},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, 32, aes.NewCipher},
	{oidSM4CBC, 16, sm4.NewCipher},
}

// encryptedKey is EncryptedPrivateKeyInfo of RFC 5208, section 6.
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct {
	KDF    pkix.AlgorithmIdentifier
	Scheme pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// DecryptPBES2 opens the DER of an EncryptedPrivateKeyInfo encrypted with PBES2 (RFC 8018, section 6.2): PBKDF2 with HMAC
// over SHA-1, SHA-2 or SM3, its parameters NULL or absent; AES or SM4 in CBC mode. It returns the plaintext, usually a
// PrivateKeyInfo. A file that does not open gives ErrWrongPassword.
func DecryptPBES2(der, password []byte) ([]byte, error) {
	if len(der) > maxPEM {
		return nil, fmt.Errorf("x509: encrypted key of %d bytes, more than the %d allowed", len(der), maxPEM)
	}
	var outer encryptedKey
	if err := unmarshalExactly(der, &outer, "encrypted private key"); err != nil {
		return nil, err
	}
	if !outer.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, unsupported("private key encrypted with %v, only PBES2 is supported", outer.Algorithm.Algorithm)
	}
	var params pbes2Params
	if err := unmarshalExactly(outer.Algorithm.Parameters.FullBytes, &params, "PBES2 parameters"); err != nil {
		return nil, err
	}
	scheme, iv, err := schemeOf(params.Scheme)
	if err != nil {
		return nil, err
	}
	key, err := derivePBKDF2(params.KDF, password, scheme.keyLen)
	if err != nil {
		return nil, err
	}
	block, err := scheme.new(key)
	if err != nil {
		return nil, fmt.Errorf("x509: %w", err)
	}
	if len(outer.Data) == 0 || len(outer.Data)%block.BlockSize() != 0 {
		return nil, errors.New("x509: encrypted key is not a whole number of blocks")
	}
	plain := make([]byte, len(outer.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, outer.Data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > block.BlockSize() {
		return nil, ErrWrongPassword
	}
	for _, b := range plain[len(plain)-pad:] {
		if int(b) != pad {
			return nil, ErrWrongPassword
		}
	}
	return plain[:len(plain)-pad], nil
}

// EncryptPBES2 is the inverse of DecryptPBES2 with HMAC-SM3 and SM4-CBC, a fresh salt and IV. The DER is that of GmSSL 3,
// which refuses a NULL after HMAC-SM3; OpenSSL 3.0 knows no HMAC-SM3 here and cannot read it. An empty password
// is an error.
func EncryptPBES2(plain, password []byte) ([]byte, error) {
	if len(password) == 0 {
		return nil, errors.New("x509: empty password for an encrypted key")
	}
	random := make([]byte, writeSalt+sm4.BlockSize)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("x509: %w", err)
	}
	salt, iv := random[:writeSalt], random[writeSalt:]
	key, err := pbkdf2.Key(sm3.New, string(password), salt, writeIterations, 16)
	if err != nil {
		return nil, fmt.Errorf("x509: %w", err)
	}
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("x509: %w", err)
	}
	pad := sm4.BlockSize - len(plain)%sm4.BlockSize
	data := make([]byte, len(plain)+pad)
	copy(data, plain)
	for i := len(plain); i < len(data); i++ {
		data[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)

	var params pbes2Params
	params.KDF.Algorithm = oidPBKDF2
	params.Scheme.Algorithm = oidSM4CBC
	kdf := pbkdf2Params{Salt: salt, Iterations: writeIterations, PRF: pkix.AlgorithmIdentifier{Algorithm: oidHMACSM3}}
	if params.KDF.Parameters.FullBytes, err = asn1.Marshal(kdf); err != nil {
		return nil, fmt.Errorf("x509: %w", err)
	}
	if params.Scheme.Parameters.FullBytes, err = asn1.Marshal(iv); err != nil {
		return nil, fmt.Errorf("x509: %w", err)
	}
	out := encryptedKey{Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidPBES2}, Data: data}
	if out.Algorithm.Parameters.FullBytes, err = asn1.Marshal(params); err != nil {
		return nil, fmt.Errorf("x509: %w", err)
	}
	return asn1.Marshal(out)
}

// schemeOf returns the cipher that an AlgorithmIdentifier names, and the IV in its parameters.
func schemeOf(id pkix.AlgorithmIdentifier) (blockScheme, []byte, error) {
	for _, s := range blockSchemes {
		if !id.Algorithm.Equal(s.oid) {
			continue
		}
		var iv []byte
		if err := unmarshalExactly(id.Parameters.FullBytes, &iv, "initialisation vector"); err != nil {
			return s, nil, err
		}
		if len(iv) != 16 {
			return s, nil, fmt.Errorf("x509: initialisation vector of %d bytes, want 16", len(iv))
		}
		return s, iv, nil
	}
	return blockScheme{}, nil, unsupported("private key encrypted with cipher %v, want AES-CBC or SM4-CBC", id.Algorithm)
}

// derivePBKDF2 derives a key of size bytes as the AlgorithmIdentifier says (RFC 8018, section 5.2).
func derivePBKDF2(id pkix.AlgorithmIdentifier, password []byte, size int) ([]byte, error) {
	if !id.Algorithm.Equal(oidPBKDF2) {
		return nil, unsupported("key derivation %v is not supported, want PBKDF2", id.Algorithm)
	}
	var p pbkdf2Params
	if err := unmarshalExactly(id.Parameters.FullBytes, &p, "PBKDF2 parameters"); err != nil {
		return nil, err
	}
	switch {
	case p.Iterations < minPBKDF2Iterations || p.Iterations > maxPBKDF2Iterations:
		return nil, unsupported("PBKDF2 with %d iterations, allowed are %d to %d", p.Iterations, minPBKDF2Iterations, maxPBKDF2Iterations)
	case len(p.Salt) == 0 || len(p.Salt) > maxPBKDF2Salt:
		return nil, fmt.Errorf("x509: PBKDF2 with a salt of %d bytes, allowed are 1 to %d", len(p.Salt), maxPBKDF2Salt)
	case p.KeyLength != 0 && p.KeyLength != size:
		return nil, fmt.Errorf("x509: PBKDF2 gives %d bytes, the cipher needs %d", p.KeyLength, size)
	}
	h := prfs[0].new
	if len(p.PRF.Algorithm) != 0 {
		h = nil
		for _, f := range prfs {
			if p.PRF.Algorithm.Equal(f.oid) {
				h = f.new
			}
		}
	}
	if h == nil {
		return nil, unsupported("PBKDF2 with pseudo-random function %v is not supported", p.PRF.Algorithm)
	}
	if params := p.PRF.Parameters.FullBytes; len(params) != 0 && string(params) != string(asn1.NullBytes) {
		return nil, errors.New("x509: PBKDF2 pseudo-random function has parameters, want NULL or none")
	}
	key, err := pbkdf2.Key(h, string(password), p.Salt, p.Iterations, size)
	if err != nil {
		return nil, fmt.Errorf("x509: %w", err)
	}
	return key, nil
}

// unmarshalExactly decodes DER that must end where the value ends.
func unmarshalExactly(der []byte, into any, what string) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil {
		return fmt.Errorf("x509: %s: %w", what, err)
	}
	if len(rest) != 0 {
		return fmt.Errorf("x509: %s: %d bytes left over", what, len(rest))
	}
	return nil
}
