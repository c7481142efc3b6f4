// SPDX-License-Identifier: Apache-2.0

package keyd

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/sm2table"
	"github.com/hyperledger/fabric/common/crypto/sm3"
)

// Key is a private key in a device. It is a crypto.Signer and, for SM2, a crypto.Decrypter, and may be used by several goroutines.
type Key struct {
	client *Client
	uri    URI
	name   string // of the URI
	public *ecdsa.PublicKey
	spki   []byte

	za       []byte // of SM2 keys: Z of GB/T 32918.2, section 5.5
	messages atomic.Bool
	fault    atomic.Pointer[Error] // why the last signature was no good; nil if it was good
	table    func() *sm2table.Table
	use      sync.Once
}

// NewKey makes a key from a reference. It does not ask the daemon; Check does.
func NewKey(r Reference) (*Key, error) {
	public, ok := r.Public.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("keyd: key reference to %s: a key of type %T is neither SM2 nor ECDSA", r.URI, r.Public)
	}
	spki, err := gmx509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("keyd: key reference to %s: %w", r.URI, err)
	}
	k := &Key{client: ClientFor(r.Socket), uri: r.URI, name: r.URI.String(), public: public, spki: spki}
	if !gmx509.IsSM2(public) {
		return k, nil
	}
	if k.za, err = sm2.CalculateZA(public, nil); err != nil {
		return nil, fmt.Errorf("keyd: key reference to %s: %w", r.URI, err)
	}
	k.table = sync.OnceValue(func() *sm2table.Table {
		t, _ := sm2table.New(public) // fails for keys off the curve alone
		return t
	})
	return k, nil
}

// Public returns the public key, *ecdsa.PublicKey, on the SM2 curve for an SM2 key.
func (k *Key) Public() crypto.PublicKey { return k.public }

// String names the key for logs and errors.
func (k *Key) String() string { return k.name }

// Reference returns the reference that the key was made from.
func (k *Key) Reference() Reference {
	return Reference{URI: k.uri, Socket: k.client.socket, Public: k.public}
}

// Check asks the daemon whether the device has this key and can use it.
func (k *Key) Check(ctx context.Context) error {
	der, err := k.do(ctx, OpPublic, nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(der, k.spki) {
		return k.failed(k.wrong(OpPublic, "the device has another key there than the reference says"))
	}
	return nil
}

// Sign signs. An SM2 key takes the message itself and sm2.DefaultSM2SignerOpts, as *sm2.PrivateKey does, and signs
// SM3(Z || message) under the default signer id. Or it takes this digest, under any id, and crypto.Hash(0). An ECDSA key takes a
// digest and its hash. The signature is DER. It has been verified with the public key of the reference.
func (k *Key) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), message, opts)
}

// SignContext is Sign within the time of ctx; without a deadline it takes DefaultTimeout at most.
func (k *Key) SignContext(ctx context.Context, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.za == nil {
		if opts == nil || opts.HashFunc() != 0 && len(message) != opts.HashFunc().Size() {
			return nil, fmt.Errorf("keyd: %s signs digests of the size that their hash has", k.name)
		}
		return k.sign(ctx, message, message)
	}
	if opts == crypto.Hash(0) && len(message) == sm3.Size {
		return k.signDigest(ctx, message)
	}
	if opts != sm2.DefaultSM2SignerOpts {
		return nil, fmt.Errorf("keyd: %s is an SM2 key: it signs messages with sm2.DefaultSM2SignerOpts or digests with crypto.Hash(0), not %d bytes with %T", k.name, len(message), opts)
	}
	h := sm3.New()
	h.Write(k.za)
	h.Write(message)
	return k.sign(ctx, message, h.Sum(nil))
}

// sign lets the device sign the digest, or the message where the token hashes, and verifies the result.
func (k *Key) sign(ctx context.Context, message, digest []byte) ([]byte, error) {
	var signature []byte
	var err error
	for range 2 {
		op, payload, whole := OpSignDigest, digest, k.messages.Load()
		if whole {
			if op, payload = OpSignMessage, message; len(message) > MaxMessage {
				return nil, fmt.Errorf("keyd: %s: its token hashes by itself, and a message of %d bytes is above the %d it gets", k.name, len(message), MaxMessage)
			}
		}
		signature, err = k.do(ctx, op, payload)
		var e *Error
		if k.za == nil || !errors.As(err, &e) || e.Code != OtherForm {
			break
		}
		k.messages.CompareAndSwap(whole, !whole)
	}
	if err != nil {
		return nil, err
	}
	return k.checked(digest, signature)
}

// signDigest lets the device sign a digest in which the signer id is not the default one, so that a token that hashes by itself
// cannot.
func (k *Key) signDigest(ctx context.Context, digest []byte) ([]byte, error) {
	signature, err := k.do(ctx, OpSignDigest, digest)
	var e *Error
	if errors.As(err, &e) && e.Code == OtherForm {
		return nil, fmt.Errorf("keyd: %s: its token hashes by itself, under the default signer id; TLS 1.3 has another one and needs a token that signs digests: %w", k.name, err)
	}
	if err != nil {
		return nil, err
	}
	return k.checked(digest, signature)
}

// checked returns the signature if it is one of the digest by this key.
func (k *Key) checked(digest, signature []byte) ([]byte, error) {
	if !k.verify(digest, signature) {
		err := k.wrong(OpSignDigest, "the device's signature does not fit the public key of the reference: "+
			"another key stands there now, or the device is faulty")
		k.fault.Store(err)
		return nil, k.failed(err)
	}
	k.fault.Store(nil)
	return signature, nil
}

// wrong says that the device has another key than the reference.
func (k *Key) wrong(op Operation, reason string) *Error {
	return &Error{Code: WrongKey, Op: op, Name: k.name, Socket: k.client.socket, Reason: reason}
}

func (k *Key) verify(digest, signature []byte) bool {
	if k.za == nil {
		return ecdsa.VerifyASN1(k.public, digest, signature)
	}
	if gmx509.CheckSM2SignatureDER(signature) != nil {
		return false
	}
	if t := k.table(); t != nil && t.VerifyASN1(digest, signature) {
		return true
	}
	return sm2.VerifyASN1(k.public, digest, signature)
}

// Decrypt decrypts an SM2 ciphertext in DER (GM/T 0009, section 7.2); opts are not looked at. An error that has a method
// DeviceUnavailable returning true says nothing about the ciphertext.
func (k *Key) Decrypt(_ io.Reader, ciphertext []byte, _ crypto.DecrypterOpts) ([]byte, error) {
	if k.za == nil {
		return nil, fmt.Errorf("keyd: %s is not an SM2 key and does not decrypt", k.name)
	}
	if len(ciphertext) > maxSmall {
		return nil, &Error{Code: Failed, Op: OpDecrypt, Name: k.name, Socket: k.client.socket, Reason: "the ciphertext is too long"}
	}
	return k.do(context.Background(), OpDecrypt, ciphertext)
}

var (
	usedMu  sync.Mutex
	used    = map[string]struct{}{}            // by socket and name, those of all keys so far; protected by usedMu
	watched = map[weak.Pointer[Key]]struct{}{} // what Health checks: keys that were used and may be used again; protected by usedMu
)

// OnUse is called at the first use of each key, OnFailure for each operation that a device could not do, whatever its input was. Only
// init functions may set them.
var (
	OnUse     func(key, socket string)
	OnFailure func(key, socket string, err error)
)

// do has the device do an operation with the key.
func (k *Key) do(ctx context.Context, op Operation, payload []byte) ([]byte, error) {
	k.use.Do(k.inUse)
	result, err := k.client.Do(ctx, op, k.name, payload)
	var e *Error
	if errors.As(err, &e) && e.DeviceUnavailable() && e.Code != OtherForm {
		return nil, k.failed(err)
	}
	return result, err
}

// inUse notes that this process depends on the key, until nothing in it refers to the key.
func (k *Key) inUse() {
	usedMu.Lock()
	defer usedMu.Unlock()
	id := k.client.socket + "\n" + k.name
	if _, ok := used[id]; !ok && OnUse != nil {
		OnUse(k.name, k.client.socket)
	}
	used[id] = struct{}{}
	self := weak.Make(k)
	watched[self] = struct{}{}
	runtime.AddCleanup(k, unwatch, self)
}

// Retire says that this process has another key now in place of this one, which may be removed from the device: Health does not check it any
// more, though connections that were opened with it still refer to it.
func (k *Key) Retire() { unwatch(weak.Make(k)) }

func unwatch(k weak.Pointer[Key]) {
	usedMu.Lock()
	defer usedMu.Unlock()
	delete(watched, k)
}

// failed reports err, and returns it.
func (k *Key) failed(err error) error {
	if OnFailure != nil {
		OnFailure(k.name, k.client.socket, err)
	}
	return err
}

// Health checks the keys that this process uses, and the sources of random bytes. Its error says what is wrong with one of them.
func Health(ctx context.Context) error {
	usedMu.Lock()
	keys := make([]*Key, 0, len(watched))
	for self := range watched {
		if k := self.Value(); k != nil {
			keys = append(keys, k)
		}
	}
	usedMu.Unlock()
	for _, k := range keys {
		if err := k.Check(ctx); err != nil {
			return err
		}
		if fault := k.fault.Load(); fault != nil {
			return fault
		}
	}
	return randomHealth(ctx)
}
