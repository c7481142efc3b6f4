// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// opError is an answer to a client.
type opError struct {
	code   keyd.Code
	reason string
}

func (e *opError) Error() string { return e.reason }

// CodeOf returns the code of an error for the client.
func CodeOf(err error) keyd.Code {
	var e *opError
	if errors.As(err, &e) {
		return e.code
	}
	return keyd.Failed
}

// Refuse makes an error with a code.
func Refuse(code keyd.Code, format string, args ...any) error {
	return &opError{code, fmt.Sprintf(format, args...)}
}

// ErrNotMine says that the device has no key that a URI names.
var ErrNotMine = errors.New("no key of this name")

// find returns the key of the URI.
func (l *link) find(uri keyd.URI) (*Key, error) {
	name := uri.String()
	if k, ok := l.byID.Load(name); ok {
		return k.(*Key), nil
	}
	var found *Key
	for i := range l.keys {
		if !uri.Matches(l.keys[i].URI) {
			continue
		}
		if found != nil {
			return nil, Refuse(keyd.NoKey, "both %s and %s are meant: name it by more attributes", found.URI, l.keys[i].URI)
		}
		found = &l.keys[i]
	}
	if found == nil {
		return nil, ErrNotMine
	}
	l.byID.Store(name, found)
	return found, nil
}

// key returns a key that can be used.
func (d *Device) key(l *link, uri keyd.URI) (*Key, error) {
	k, err := l.find(uri)
	if errors.Is(err, ErrNotMine) {
		return nil, Refuse(keyd.NoKey, "device %s has no such key", d.Name)
	}
	if err == nil && k.Err != nil {
		err = Refuse(keyd.Unusable, "device %s: %v", d.Name, k.Err)
	}
	return k, err
}

// Resolve returns the full name of the key that a URI names, ErrNotMine if there is none. It waits for nothing: while the device is away, it
// returns an error and a channel that is closed when this may have changed. Names are remembered, so that a device that is away does not
// lose its keys. URIs of an SDF device are full names already.
func (d *Device) Resolve(uri keyd.URI) (full keyd.URI, away <-chan struct{}, err error) {
	if uri.Scheme == "sdf" {
		return uri, nil, nil
	}
	if full, ok := d.names.Load(uri.String()); ok {
		return full.(keyd.URI), nil, nil
	}
	d.mu.Lock()
	l, reason, refused, changed := d.link, d.reason, d.refused, d.changed
	d.mu.Unlock()
	switch {
	case refused:
		return uri, nil, d.refusal(reason)
	case l == nil:
		return uri, changed, d.unreachable(reason)
	}
	k, err := l.find(uri)
	if err != nil {
		return uri, nil, err
	}
	d.names.Store(uri.String(), k.URI)
	return k.URI, nil, nil
}

// refusal and unreachable are why a device cannot be used for good, and for now.
func (d *Device) refusal(reason error) error {
	return Refuse(keyd.Unusable, "device %s: %v", d.Name, reason)
}

func (d *Device) unreachable(reason error) error {
	return Refuse(keyd.Unavailable, "device %s is not reachable: %v", d.Name, reason)
}

// Public returns the public key.
func (d *Device) Public(ctx context.Context, user User, uri keyd.URI) (der []byte, err error) {
	err = d.with(ctx, user, "public key", func(l *link, _ *session) error {
		k, err := d.key(l, uri)
		if err == nil {
			der, err = gmx509.MarshalPKIXPublicKey(k.Public)
		}
		return err
	})
	return der, err
}

// Sign signs a digest, or a message if message is true, and returns DER.
func (d *Device) Sign(ctx context.Context, user User, uri keyd.URI, data []byte, message bool) (der []byte, err error) {
	err = d.with(ctx, user, "sign", func(l *link, s *session) error {
		k, err := d.key(l, uri)
		switch {
		case err != nil:
			return err
		case !k.Sign:
			return Refuse(keyd.Unusable, "it is not a signing key")
		case k.Hashes != message:
			return otherForm(k)
		case !message && (len(data) == 0 || len(data) > 64 || gmx509.IsSM2(k.Public) && len(data) != sm3.Size):
			return Refuse(keyd.BadRequest, "a digest of %d bytes", len(data))
		}
		der, err = sign(s, k, data)
		return err
	})
	return der, err
}

func otherForm(k *Key) error {
	return Refuse(keyd.OtherForm, "the key signs %s", map[bool]string{true: "messages", false: "digests"}[k.Hashes])
}

// SignsMessages returns nil if the key signs messages, so that a large one may be read for it.
func (d *Device) SignsMessages(ctx context.Context, user User, uri keyd.URI) error {
	return d.with(ctx, user, "look for a key", func(l *link, _ *session) error {
		k, err := d.key(l, uri)
		if err == nil && !k.Hashes {
			err = otherForm(k)
		}
		return err
	})
}

func sign(s Session, k *Key, data []byte) ([]byte, error) {
	r, v, err := s.Sign(k.Handle, data)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(v)})
}

// Decrypt decrypts a ciphertext in DER (GM/T 0009, section 7.2).
func (d *Device) Decrypt(ctx context.Context, user User, uri keyd.URI, der []byte) (plain []byte, err error) {
	c, err := parseCiphertext(der)
	if err != nil {
		return nil, err
	}
	err = d.with(ctx, user, "decrypt", func(l *link, s *session) error {
		k, err := d.key(l, uri)
		if err == nil && !k.Decrypt {
			err = Refuse(keyd.Unusable, "it is not a key to decrypt with") // the ciphertext is not at fault
		}
		if err == nil {
			plain, err = decrypt(s, k, c)
		}
		return err
	})
	return plain, err
}

// decrypt takes no code for more than a bad ciphertext while the key decrypts others in the same session. Some devices answer a bad one with
// the code of a device or a session that has gone, and strangers make ciphertexts. It tries a second time, for a fault that was there once.
func decrypt(s Session, k *Key, c Ciphertext) ([]byte, error) {
	plain, err := s.Decrypt(k.Handle, c)
	if !blames(err) || testDecrypt(s, k) != nil {
		return plain, err
	}
	if plain, err = s.Decrypt(k.Handle, c); blames(err) {
		return nil, Refuse(keyd.Failed, "the device decrypts, but not this ciphertext: %v", err)
	}
	return plain, err
}

// blames reports whether the error is a code that says, or leaves open, that more than one operation failed, and that may not last.
func blames(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Class {
	case Broken, KeyGone, Lost, Unknown:
		return true
	}
	return false
}

// parseCiphertext refuses what is not a ciphertext, so that no device ever sees it.
func parseCiphertext(der []byte) (Ciphertext, error) {
	var raw struct {
		X, Y       *big.Int
		Hash, Text []byte
	}
	bad := Refuse(keyd.Failed, "no SM2 ciphertext")
	if _, err := asn1.Unmarshal(der, &raw); err != nil || len(raw.Hash) != sm3.Size || len(raw.Text) == 0 {
		return Ciphertext{}, bad
	}
	// Unmarshal leaves unread what follows the last member. Software refuses it.
	if exact, err := asn1.Marshal(raw); err != nil || !bytes.Equal(exact, der) {
		return Ciphertext{}, bad
	}
	point, err := gmx509.SM2Point(&ecdsa.PublicKey{Curve: sm2.P256(), X: raw.X, Y: raw.Y})
	if err != nil {
		return Ciphertext{}, bad
	}
	return Ciphertext{X: point[1:33], Y: point[33:], Hash: raw.Hash, Text: raw.Text}, nil
}

// ReadRandom returns n random bytes.
func (d *Device) ReadRandom(ctx context.Context, user User, n int) ([]byte, error) {
	if n < 1 || n > keyd.MaxRandom {
		return nil, Refuse(keyd.BadRequest, "%d random bytes; 1 to %d can be had", n, keyd.MaxRandom)
	}
	p := make([]byte, n)
	err := d.with(ctx, user, "random", func(l *link, s *session) error { return l.readRandom(s, p) })
	if err != nil {
		clear(p)
		return nil, err
	}
	return p, nil
}

// errNotRandom says that random bytes of the device failed a test. None of the connection is given to anybody after that.
var errNotRandom = errors.New("random bytes of the device fail a test")

// readRandom tests the bytes as the device gives them. A node mixes them with the system's, and no test of these would see that the device's
// stand still.
func (l *link) readRandom(s Session, p []byte) error {
	if err := s.Random(p); err != nil {
		return err
	}
	if err := l.monitor.Judge(p); err != nil {
		return fmt.Errorf("%w: %w", errNotRandom, err)
	}
	return nil
}

// kind names the curve of a key.
func kind(key *ecdsa.PublicKey) string {
	if gmx509.IsSM2(key) {
		return "SM2"
	}
	return key.Params().Name
}

// selfTest proves that the key does in the device what software expects of its public key.
func selfTest(s Session, k *Key) error {
	if k.Sign {
		message := make([]byte, 32)
		if _, err := rand.Read(message); err != nil {
			return err
		}
		digest := message
		if k.Hashes {
			var err error
			if digest, err = sm2.CalculateSM2Hash(k.Public, message, nil); err != nil {
				return err
			}
		}
		der, err := sign(s, k, message)
		if err != nil {
			return fmt.Errorf("self-test: %w", err)
		}
		verify := ecdsa.VerifyASN1
		if gmx509.IsSM2(k.Public) {
			verify = sm2.VerifyASN1
		}
		if !verify(k.Public, digest, der) {
			return errors.New("self-test: the device's signature does not verify with its public key: mechanism or form of the signature may be configured wrongly")
		}
	}
	if k.Decrypt {
		return testDecrypt(s, k)
	}
	return nil
}

func testDecrypt(s Session, k *Key) error {
	secret := make([]byte, 48) // as long as TLCP's pre-master secret
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	der, err := sm2.EncryptASN1(rand.Reader, k.Public, secret)
	if err != nil {
		return err
	}
	c, err := parseCiphertext(der)
	if err != nil {
		return err
	}
	plain, err := s.Decrypt(k.Handle, c)
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	if !bytes.Equal(plain, secret) {
		return errors.New("self-test: the device decrypts to something else than software encrypted: mechanism or form of the ciphertext may be configured wrongly")
	}
	return nil
}

// testRandom reads what SP 800-90B, section 4.3, wants to be tested at a start, in two calls, so that one that answers the same is noticed.
func (l *link) testRandom(s Session) error {
	for range 2 {
		if err := l.readRandom(s, make([]byte, 512)); err != nil {
			return err
		}
	}
	return nil
}
