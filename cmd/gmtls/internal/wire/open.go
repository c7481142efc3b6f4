// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"hash"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

const (
	sm4KeyLen   = 16
	gcmFixedLen = 4 // implicit part of a nonce
	gcmNonceLen = 8 // the part that a record carries
	gcmTagLen   = 16
)

// opener opens the protected records of one direction of a TLCP connection
// (GB/T 38636-2020, 6.3.3.4), in their order. It works on what was recorded, so
// it may take a time that depends on secrets, as no endpoint may.
type opener struct {
	seq   uint64
	aead  cipher.AEAD // of the GCM suites
	fixed []byte
	block cipher.Block // of the CBC suites
	mac   hash.Hash
}

// openers derives what opens both directions from the master secret (6.5); nil
// for a suite that is not known.
func openers(suite uint16, master, clientRandom, serverRandom []byte) (client, server *opener) {
	block := prf(master, "key expansion", append(bytes.Clone(serverRandom), clientRandom...), 2*(sm3.Size+sm4KeyLen))
	take := func(n int) []byte {
		b := block[:n]
		block = block[n:]
		return b
	}
	client, server = new(opener), new(opener)
	both := []*opener{client, server}
	switch suite {
	case gmtls.ECC_SM4_GCM_SM3, gmtls.ECDHE_SM4_GCM_SM3:
		for _, o := range both {
			o.aead = newGCM(take(sm4KeyLen))
		}
		for _, o := range both {
			o.fixed = take(gcmFixedLen)
		}
	case gmtls.ECC_SM4_CBC_SM3, gmtls.ECDHE_SM4_CBC_SM3:
		for _, o := range both {
			o.mac = hmac.New(sm3.New, take(sm3.Size))
		}
		for _, o := range both {
			o.block = newSM4(take(sm4KeyLen))
		}
	default:
		return nil, nil
	}
	return client, server
}

func newSM4(key []byte) cipher.Block {
	block, err := sm4.NewCipher(key)
	if err != nil {
		panic("wire: SM4 refuses a key of 16 bytes: " + err.Error())
	}
	return block
}

func newGCM(key []byte) cipher.AEAD {
	aead, err := cipher.NewGCM(newSM4(key))
	if err != nil {
		panic("wire: GCM refuses SM4: " + err.Error())
	}
	return aead
}

// prf returns n bytes of PRF(secret, label, seed) with HMAC-SM3 (5.2.2).
func prf(secret []byte, label string, seed []byte, n int) []byte {
	mac := hmac.New(sm3.New, secret)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	seed = append([]byte(label), seed...)
	var out []byte
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}

// open returns the content of the next record, whose body is left as it is.
func (o *opener) open(typ uint8, body []byte) (content []byte, ok bool) {
	defer func() { o.seq++ }()
	if o.aead != nil {
		return o.openGCM(typ, body)
	}
	return o.openCBC(typ, body)
}

// authenticated is what is authenticated before the content.
func (o *opener) authenticated(typ uint8, length int) []byte {
	b := binary.BigEndian.AppendUint64(nil, o.seq)
	b = append(b, typ)
	b = binary.BigEndian.AppendUint16(b, gmtls.VersionTLCP)
	return binary.BigEndian.AppendUint16(b, uint16(length))
}

func (o *opener) openGCM(typ uint8, body []byte) ([]byte, bool) {
	if len(body) < gcmNonceLen+gcmTagLen {
		return nil, false
	}
	nonce := append(bytes.Clone(o.fixed), body[:gcmNonceLen]...)
	sealed := body[gcmNonceLen:]
	content, err := o.aead.Open(nil, nonce, sealed, o.authenticated(typ, len(sealed)-gcmTagLen))
	return content, err == nil
}

func (o *opener) openCBC(typ uint8, body []byte) ([]byte, bool) {
	if len(body)%sm4.BlockSize != 0 || len(body) < sm4.BlockSize+sm3.Size+1 {
		return nil, false
	}
	text := bytes.Clone(body[sm4.BlockSize:])
	cipher.NewCBCDecrypter(o.block, body[:sm4.BlockSize]).CryptBlocks(text, text)
	last := text[len(text)-1]
	padding := int(last) + 1
	length := len(text) - padding - sm3.Size
	if length < 0 || !bytes.Equal(text[len(text)-padding:], bytes.Repeat([]byte{last}, padding)) {
		return nil, false
	}
	o.mac.Reset()
	o.mac.Write(o.authenticated(typ, length))
	o.mac.Write(text[:length])
	return text[:length], hmac.Equal(o.mac.Sum(nil), text[length:length+sm3.Size])
}
