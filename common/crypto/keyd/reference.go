// SPDX-License-Identifier: Apache-2.0

package keyd

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// ReferenceType is the PEM type of a reference.
const ReferenceType = "KEY REFERENCE"

// Headers of the PEM block of a reference.
const (
	headerURI    = "Key"
	headerSocket = "Socket"
)

// DefaultSocket is the socket of gmkeyd and its clients if none is configured.
const DefaultSocket = "/run/gmkeyd/gmkeyd.sock"

// Reference is the content of a file that stands for a private key in a device.
type Reference struct {
	URI    URI
	Socket string // the daemon's, an absolute path
	Public crypto.PublicKey
}

// Encode writes the reference: a PEM block with the URI and the socket as headers, so that it can be read by eye, and the public key
// (DER SubjectPublicKeyInfo) as its body.
func (r Reference) Encode() ([]byte, error) {
	der, err := gmx509.MarshalPKIXPublicKey(r.Public)
	if err != nil {
		return nil, fmt.Errorf("keyd: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{
		Type: ReferenceType, Bytes: der,
		Headers: map[string]string{headerURI: r.URI.String(), headerSocket: r.Socket},
	}), nil
}

// Decode reads a PEM block of type ReferenceType.
func Decode(block *pem.Block) (Reference, error) {
	r := Reference{Socket: block.Headers[headerSocket]}
	if block.Type != ReferenceType {
		return r, fmt.Errorf("keyd: PEM of type %s is not a key reference", block.Type)
	}
	for name := range block.Headers {
		if name != headerURI && name != headerSocket {
			return r, fmt.Errorf("keyd: key reference: header %q is not known", name)
		}
	}
	var err error
	if r.URI, err = ParseURI(block.Headers[headerURI]); err != nil {
		return r, fmt.Errorf("%w (header %s of the reference)", err, headerURI)
	}
	if r.Socket == "" {
		r.Socket = DefaultSocket
	}
	if !filepath.IsAbs(r.Socket) {
		return r, fmt.Errorf("keyd: key reference to %s: socket %q is not an absolute path", r.URI, r.Socket)
	}
	if len(block.Bytes) == 0 {
		return r, fmt.Errorf("keyd: key reference to %s: the public key is missing; gmtls key reference writes it", r.URI)
	}
	if r.Public, err = gmx509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return r, fmt.Errorf("keyd: key reference to %s: its public key: %w", r.URI, err)
	}
	if _, ok := r.Public.(*ecdsa.PublicKey); !ok {
		return r, fmt.Errorf("keyd: key reference to %s: a key of type %T is neither SM2 nor ECDSA", r.URI, r.Public)
	}
	return r, nil
}

// ParseReference makes a key of the reference that is the first PEM block of text. It does not ask the daemon; Check does.
func ParseReference(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("keyd: no PEM block")
	}
	r, err := Decode(block)
	if err != nil {
		return nil, err
	}
	return NewKey(r)
}
