// SPDX-License-Identifier: Apache-2.0

// Package sealed encrypts values before chaincode writes them, so that peers and the administrators of their hosts cannot
// read them. Values are encrypted with SM4-GCM. The client sends the key with each transaction, in the transient data, which are not
// stored.
//
// All endorsers must write the same bytes, so they cannot choose random keys or nonces. HMAC-SM3 computes both from the client's key,
// the place and the value: two values have different keys and nonces unless they are the same value at the same place in the same
// transaction. So a mistake of a caller cannot repeat a nonce.
//
// A sealed value opens only at its place: the channel, the collection, the key of the state and the field that it was sealed for, and
// the transaction that wrote it, whose id it contains. Its length is visible. An older value that is put back at its place opens; the
// endorsement policy must prevent that.
//
// The chaincode is no part of the place: a chaincode does not know its own name. If a client uses one key for several chaincodes of a
// channel, a value that is copied from one to the same place of another opens there. So use another key for each chaincode, or put the
// chaincode's name into Field, as a constant.
package sealed

import (
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/common/crypto/sm4"
)

const (
	// KeySize is the length of a key in bytes.
	KeySize = 32

	version  = 1
	maxTxID  = 255
	nonceLen = 12
	tagLen   = 16
)

// The two uses of a caller's key. A separate key is derived for each.
const (
	labelSynthetic = "fabric-gm sealed 1 synthetic"
	labelCipher    = "fabric-gm sealed 1 cipher"
)

// ErrOpen is the error for a value that was sealed with another key or for another place, or was changed.
var ErrOpen = errors.New("the value does not open: it was sealed with another key, for another place, or was changed")

// Place is where a value is stored. Field is for values that are parts of a state, and may be empty. Collection is empty for public
// state.
type Place struct {
	Collection, Key, Field string
}

// Box seals and opens values in one transaction.
type Box struct {
	channel, transaction string
	synthetic, cipher    []byte
}

// NewBox takes the key from a field of the transaction's transient data.
func NewBox(stub shim.ChaincodeStubInterface, field string) (*Box, error) {
	transient, err := stub.GetTransient()
	if err != nil {
		return nil, fmt.Errorf("transient data: %w", err)
	}
	key, ok := transient[field]
	if !ok {
		return nil, fmt.Errorf("the transient data have no field %q: the client has to send the key of %d bytes there", field, KeySize)
	}
	if len(key) != KeySize {
		return nil, fmt.Errorf("the key in the field %q of the transient data has %d bytes: it must have %d random ones", field, len(key), KeySize)
	}
	return &Box{
		channel: stub.GetChannelID(), transaction: stub.GetTxID(),
		synthetic: mac(key, []byte(labelSynthetic)), cipher: mac(key, []byte(labelCipher)),
	}, nil
}

// Seal encrypts a value for a place, and binds it to the present transaction.
func (b *Box) Seal(place Place, value []byte) ([]byte, error) {
	if n := len(b.transaction); n == 0 || n > maxTxID {
		return nil, fmt.Errorf("the transaction's identifier has %d bytes: want 1 to %d", n, maxTxID)
	}
	bound := b.bound(place, b.transaction)
	seed := mac(b.synthetic, bound, value)
	aead, nonce, err := b.aead(seed)
	if err != nil {
		return nil, err
	}
	out := append([]byte{version, byte(len(b.transaction))}, b.transaction...)
	out = append(out, seed...)
	return aead.Seal(out, nonce, value, bound), nil
}

// Open decrypts a value that any transaction sealed for the place. The error is ErrOpen, unless the caller made a mistake.
func (b *Box) Open(place Place, sealed []byte) ([]byte, error) {
	if len(sealed) < 2 || sealed[0] != version {
		return nil, fmt.Errorf("the value is not sealed: %w", ErrOpen)
	}
	rest, n := sealed[2:], int(sealed[1])
	if n == 0 || len(rest) < n+sm3.Size+tagLen {
		return nil, fmt.Errorf("the value is cut off: %w", ErrOpen)
	}
	bound := b.bound(place, string(rest[:n]))
	seed := rest[n : n+sm3.Size]
	aead, nonce, err := b.aead(seed)
	if err != nil {
		return nil, err
	}
	value, err := aead.Open(nil, nonce, rest[n+sm3.Size:], bound)
	if err != nil || !hmac.Equal(seed, mac(b.synthetic, bound, value)) {
		return nil, ErrOpen
	}
	return value, nil
}

// bound is what a sealed value is bound to, in a form that no two places share.
func (b *Box) bound(place Place, transaction string) []byte {
	bound := []byte{version}
	for _, part := range []string{b.channel, place.Collection, place.Key, place.Field, transaction} {
		bound = binary.BigEndian.AppendUint32(bound, uint32(len(part)))
		bound = append(bound, part...)
	}
	return bound
}

// aead returns SM4-GCM and the nonce for one value.
func (b *Box) aead(seed []byte) (cipher.AEAD, []byte, error) {
	fresh := mac(b.cipher, seed)
	block, err := sm4.NewCipher(fresh[:sm4.KeySize])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, fresh[sm4.KeySize:][:nonceLen], err
}

// mac is HMAC-SM3 (GB/T 15852.2) of parts, of which the first has a length that its own bytes say.
func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sm3.New, key)
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}
