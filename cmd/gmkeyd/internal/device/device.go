// SPDX-License-Identifier: Apache-2.0

// Package device keeps the connection to a cryptographic device. A [Device] has a pool of sessions, tests each key whenever it connects,
// and connects again when the connection is lost.
//
// The libraries are behind two interfaces: a [Module] opens a [Session], which signs and decrypts. Package sdf implements them for SDF, package
// cryptoki for PKCS #11.
package device

import (
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// Module is the library of a device. Its methods are called by one goroutine.
type Module interface {
	// Open connects to the device. It calls step before each function of the library.
	Open(step func()) error
	// OpenSession opens a session in which the keys can be used. Whatever the session does, it calls step before each function of the library.
	OpenSession(step func()) (Session, error)
	// Keys lists the keys, by a session that is open. A key that is there but cannot be used has its error.
	Keys(Session) ([]Key, error)
	// Close ends the connection; all sessions are closed before, or lost.
	Close()
}

// Session is used by one goroutine at a time. Handle is the Key's.
type Session interface {
	// Sign returns r and s, both big-endian, of the digest; of the message if the key's Hashes is true.
	Sign(handle any, data []byte) (r, s []byte, err error)
	Decrypt(handle any, c Ciphertext) ([]byte, error)
	Random(p []byte) error
	// Has returns nil if the device still has the key, with the same public key. It makes no signature.
	Has(*Key) error
	Close()
}

// Key is a private key of a device.
type Key struct {
	URI     keyd.URI
	Public  *ecdsa.PublicKey
	Sign    bool
	Decrypt bool
	Hashes  bool  // the device hashes: it signs messages
	Err     error // why it cannot be used
	Spare   bool  // that it cannot be used is no fault of the device: it is not meant to be
	Handle  any   // the module's
}

// Ciphertext is what SM2 encryption makes (GB/T 32918.4, section 6.1).
type Ciphertext struct {
	X, Y []byte // C1, 32 bytes each
	Hash []byte // C3, 32 bytes
	Text []byte // C2
}

// Class says what an error of a library means.
type Class int

// Classes.
const (
	Refused Class = iota // this operation failed; nothing is said about others
	Input                // the caller's input was refused
	Broken               // the session cannot be used any more
	KeyGone              // the key is not there any more
	Lost                 // the device cannot be reached
	Pin                  // the PIN is wrong or locked: trying again does harm
	Unknown              // a code that no standard has: whether the session still works has to be tried
)

// ErrPIN says that a PIN was not sent, as it was refused before.
var ErrPIN = errors.New("the PIN is not sent")

// Error is a code that a function of a library returned.
type Error struct {
	Call  string
	Code  uint64
	Name  string // of the code in the standard, empty for a vendor's own
	Class Class
}

// Error names the function, the code in hex and its name.
func (e *Error) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%s returned 0x%08X, a code of the vendor's own", e.Call, e.Code)
	}
	return fmt.Sprintf("%s returned 0x%08X (%s)", e.Call, e.Code, e.Name)
}
