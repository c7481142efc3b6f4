// SPDX-License-Identifier: Apache-2.0

package cryptoki

import (
	"encoding/asn1"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
)

// The input of a signing mechanism, and forms of signatures and ciphertexts.
const (
	HashDigest   = "digest"    // e = SM3(Z || message)
	HashMessage  = "message"   // the message; the token adds Z of the default signer id and hashes
	HashZMessage = "z-message" // Z || message; the token hashes

	SignatureRaw = "raw" // r || s, 32 bytes each
	SignatureDER = "der"

	CiphertextDER    = "der"    // GM/T 0009, section 7.2
	CiphertextC1C3C2 = "c1c3c2" // 04 || x || y || hash || text
)

// SM2 has a vendor's numbers and forms for SM2. Sign or Decrypt is 0 if the token cannot do it.
type SM2 struct {
	KeyType    uint64 `yaml:"keyType"`
	Sign       uint64 `yaml:"sign"` // mechanism
	Hash       string `yaml:"hash"`
	Signature  string `yaml:"signature"`
	Decrypt    uint64 `yaml:"decrypt"` // mechanism
	Ciphertext string `yaml:"ciphertext"`
}

// Presets are the numbers that vendors, or programs for their tokens, have published.
var Presets = map[string]SM2{
	"sansec":     {KeyType: 0x80000004, Sign: 0x80008104, Hash: HashDigest, Signature: SignatureDER, Decrypt: 0x80008201, Ciphertext: CiphertextDER},
	"sansec-sm3": {KeyType: 0x80000004, Sign: 0x80008100, Hash: HashZMessage, Signature: SignatureRaw, Decrypt: 0x80008201, Ciphertext: CiphertextDER},
	"tass":       {KeyType: 0x80000004, Sign: 0x80008000, Hash: HashDigest, Signature: SignatureRaw},
	"tass-sm3":   {KeyType: 0x80000004, Sign: 0x80008100, Hash: HashMessage, Signature: SignatureRaw},
	"ep11":       {KeyType: 0x80050002, Sign: 0x8005000B, Hash: HashDigest, Signature: SignatureRaw, Decrypt: 0x8005000D, Ciphertext: CiphertextC1C3C2},
	"ep11-sm3":   {KeyType: 0x80050002, Sign: 0x8005000C, Hash: HashMessage, Signature: SignatureRaw, Decrypt: 0x8005000D, Ciphertext: CiphertextC1C3C2},
}

// Preset returns a preset in which the settings of own replace those of the preset. An empty name means no preset.
func Preset(name string, own SM2) (SM2, error) {
	s, ok := Presets[name]
	if !ok && name != "" {
		return SM2{}, fmt.Errorf("preset %q is not one of %v", name, slices.Sorted(maps.Keys(Presets)))
	}
	for _, n := range []struct{ to, from *uint64 }{{&s.KeyType, &own.KeyType}, {&s.Sign, &own.Sign}, {&s.Decrypt, &own.Decrypt}} {
		if *n.from != 0 {
			*n.to = *n.from
		}
	}
	for _, t := range []struct{ to, from *string }{{&s.Hash, &own.Hash}, {&s.Signature, &own.Signature}, {&s.Ciphertext, &own.Ciphertext}} {
		if *t.from != "" {
			*t.to = *t.from
		}
	}
	return s, s.check()
}

func (s SM2) check() error {
	if s.Sign != 0 && !slices.Contains([]string{HashDigest, HashMessage, HashZMessage}, s.Hash) {
		return fmt.Errorf("hash %q is not one of %s, %s, %s", s.Hash, HashDigest, HashMessage, HashZMessage)
	}
	if s.Sign != 0 && s.Signature != SignatureRaw && s.Signature != SignatureDER {
		return fmt.Errorf("signature %q is neither %s nor %s", s.Signature, SignatureRaw, SignatureDER)
	}
	if s.Decrypt != 0 && s.Ciphertext != CiphertextDER && s.Ciphertext != CiphertextC1C3C2 {
		return fmt.Errorf("ciphertext %q is neither %s nor %s", s.Ciphertext, CiphertextDER, CiphertextC1C3C2)
	}
	return nil
}

func (s SM2) encode(c device.Ciphertext) ([]byte, error) {
	if s.Ciphertext == CiphertextDER {
		return asn1.Marshal(struct {
			X, Y       *big.Int
			Hash, Text []byte
		}{new(big.Int).SetBytes(c.X), new(big.Int).SetBytes(c.Y), c.Hash, c.Text})
	}
	return slices.Concat([]byte{4}, c.X, c.Y, c.Hash, c.Text), nil
}
