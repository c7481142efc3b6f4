// SPDX-License-Identifier: Apache-2.0

//go:build fork

package bccsp

import (
	"crypto"
	"fmt"
)

// Identifiers of the national algorithms.
const (
	// SM2 is the elliptic curve algorithm of GB/T 32918: key generation, import, signature, encryption.
	SM2 = "SM2"
	// SM3 is the hash function of GB/T 32905, 256 bits.
	SM3 = "SM3"
	// SM4 is the block cipher of GB/T 32907, 128-bit keys and blocks.
	SM4 = "SM4"
	// HMACSM3 is HMAC (RFC 2104) over SM3, 256 bits.
	HMACSM3 = "HMAC_SM3"
)

// SM2SignerOpts asks Sign and Verify for an SM2 signature over a message (GB/T 32918.2): the argument called digest takes
// the message itself, of any length and also empty, and the provider computes e = SM3(Z || message) with the default
// signer id 1234567812345678 (GM/T 0009). The signature is DER, SEQUENCE { r INTEGER, s INTEGER }.
//
// SM2 keys accept no other options. Given a digest under any other hash, or no options at all, Sign and Verify
// return an error: signing a bare digest would leave out Z, and nothing outside this program could check the result.
type SM2SignerOpts struct{}

// HashFunc returns 0, which crypto.Signer uses for "the message is not hashed beforehand".
func (*SM2SignerOpts) HashFunc() crypto.Hash { return 0 }

// SM2KeyGenOpts asks for a new SM2 key pair.
type SM2KeyGenOpts struct {
	Temporary bool // do not store the key
}

// Algorithm returns SM2.
func (*SM2KeyGenOpts) Algorithm() string { return SM2 }

// Ephemeral reports whether the key is not to be stored.
func (o *SM2KeyGenOpts) Ephemeral() bool { return o.Temporary }

// SM2PrivateKeyImportOpts imports an SM2 private key from []byte: DER in PKCS#8 or SEC1 form, or the scalar as 32 bytes
// big-endian; or from *sm2.PrivateKey.
type SM2PrivateKeyImportOpts struct {
	Temporary bool
}

// Algorithm returns SM2.
func (*SM2PrivateKeyImportOpts) Algorithm() string { return SM2 }

// Ephemeral reports whether the key is not to be stored.
func (o *SM2PrivateKeyImportOpts) Ephemeral() bool { return o.Temporary }

// SM2PublicKeyImportOpts imports an SM2 public key from []byte: DER SubjectPublicKeyInfo, or the uncompressed point as 65
// bytes 04 || x || y; or from *ecdsa.PublicKey on the SM2 curve. For certificates take X509PublicKeyImportOpts.
type SM2PublicKeyImportOpts struct {
	Temporary bool
}

// Algorithm returns SM2.
func (*SM2PublicKeyImportOpts) Algorithm() string { return SM2 }

// Ephemeral reports whether the key is not to be stored.
func (o *SM2PublicKeyImportOpts) Ephemeral() bool { return o.Temporary }

// SM2EncrypterOpts asks Encrypt and Decrypt for SM2 public-key encryption (GB/T 32918.4). The ciphertext is DER as in
// GM/T 0009, section 7.2: x, y, hash C3, then C2.
type SM2EncrypterOpts struct{}

// SM3Opts asks Hash and GetHash for SM3.
type SM3Opts struct{}

// Algorithm returns SM3.
func (*SM3Opts) Algorithm() string { return SM3 }

// SM4KeyGenOpts asks for a new SM4 key of 16 bytes.
type SM4KeyGenOpts struct {
	Temporary bool
}

// Algorithm returns SM4.
func (*SM4KeyGenOpts) Algorithm() string { return SM4 }

// Ephemeral reports whether the key is not to be stored.
func (o *SM4KeyGenOpts) Ephemeral() bool { return o.Temporary }

// SM4ImportKeyOpts imports an SM4 key from a []byte of 16 bytes.
type SM4ImportKeyOpts struct {
	Temporary bool
}

// Algorithm returns SM4.
func (*SM4ImportKeyOpts) Algorithm() string { return SM4 }

// Ephemeral reports whether the key is not to be stored.
func (o *SM4ImportKeyOpts) Ephemeral() bool { return o.Temporary }

// HMACSM3ImportKeyOpts imports a key for HMAC-SM3 from a []byte of at least 1 byte. The MAC is computed by
// KeyDeriv with HMACDeriveKeyOpts, as for HMACImportKeyOpts.
type HMACSM3ImportKeyOpts struct {
	Temporary bool
}

// Algorithm returns HMACSM3.
func (*HMACSM3ImportKeyOpts) Algorithm() string { return HMACSM3 }

// Ephemeral reports whether the key is not to be stored.
func (o *HMACSM3ImportKeyOpts) Ephemeral() bool { return o.Temporary }

// SM4CBCPKCS7ModeOpts asks Encrypt and Decrypt for SM4 in CBC mode with PKCS#7 padding. The ciphertext is a random IV of 16
// bytes, then the blocks. CBC does not protect against changes: prefer SM4GCMModeOpts.
type SM4CBCPKCS7ModeOpts struct{}

// SM4GCMModeOpts asks Encrypt and Decrypt for SM4 in GCM mode. The ciphertext is a random nonce of 12 bytes, the
// encrypted text, and a tag of 16 bytes. One key must not encrypt more than 2^32 messages.
type SM4GCMModeOpts struct {
	// AdditionalData is protected against changes but neither encrypted nor part of the ciphertext. May be nil.
	AdditionalData []byte
}

// HMACTruncatedSM4DeriveKeyOpts derives an SM4 key from an SM4 or HMAC-SM3 key: the first 16 bytes of
// HMAC-SM3(key, Arg).
type HMACTruncatedSM4DeriveKeyOpts struct {
	Temporary bool
	Arg       []byte
}

// Algorithm returns HMACSM3.
func (*HMACTruncatedSM4DeriveKeyOpts) Algorithm() string { return HMACSM3 }

// Ephemeral reports whether the key is not to be stored.
func (o *HMACTruncatedSM4DeriveKeyOpts) Ephemeral() bool { return o.Temporary }

// Argument returns the message of the HMAC.
func (o *HMACTruncatedSM4DeriveKeyOpts) Argument() []byte { return o.Arg }

// GetHashOpt returns the options for a hash function by name: one of upstream's, or SM3.
//
//fork:wrap gm: accept SM3 where an MSP or a tool names its hash function
func GetHashOpt(hashFunction string) (HashOpts, error) {
	if hashFunction == SM3 {
		return &SM3Opts{}, nil
	}
	opt, err := upstreamGetHashOpt(hashFunction)
	if err != nil {
		return nil, fmt.Errorf("%w; supported are %s, %s, %s, %s and %s", err, SHA256, SHA384, SHA3_256, SHA3_384, SM3)
	}
	return opt, nil
}
