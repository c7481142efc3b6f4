// SPDX-License-Identifier: Apache-2.0

// Package pins remembers which PINs devices have refused, in a file, so that a daemon that is started again and again does not send one
// until the device locks. It holds no PIN: [File] compares slow hashes.
package pins

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/safefile"
)

const (
	// unanswered is how often a PIN is sent that gets neither accepted nor refused, as by a library that crashes.
	unanswered = 3
	// rounds make a hash take some ten milliseconds, for who tries all PINs of six digits.
	rounds  = 100_000
	maxFile = 1 << 20
)

// File is what is remembered. It may be used by several goroutines.
type File struct {
	path string

	mu       sync.Mutex
	accepted map[string]bool // by whom a PIN was accepted in the life of this process; protected by mu, as is the file
}

// entry is the last PIN that was sent to a token or index and not accepted.
type entry struct {
	Salt, Hash []byte
	Sent       int    // how often, without an answer
	Refused    string // why; empty if it was not
}

// At returns the memory in the file of this name. Where the folder is missing, nothing is remembered.
func At(path string) *File { return &File{path: path, accepted: map[string]bool{}} }

// Send sends a PIN to whom it is for, unless it was refused before or has gone unanswered too often; the error then wraps device.ErrPIN. A
// refusal is an error of class Pin. After one of class Lost or Broken, the PIN did not arrive. After others, nothing is known.
func (f *File) Send(whom string, pin []byte, send func() error) error {
	if err := f.before(whom, pin); err != nil {
		return err
	}
	err := send()
	var e *device.Error
	coded := errors.As(err, &e)
	switch {
	case coded && e.Class == device.Pin:
		if failed := f.change(whom, func(old *entry) *entry { return noted(old, pin, 0, err.Error()) }); failed != nil {
			return errors.Join(err, fmt.Errorf("and this cannot be remembered, so that the next start sends the PIN again: %w", failed))
		}
	case err == nil, coded && (e.Class == device.Lost || e.Class == device.Broken):
		if failed := f.change(whom, func(*entry) *entry { return nil }); failed != nil {
			return failed
		}
		f.mu.Lock()
		f.accepted[whom] = f.accepted[whom] || err == nil
		f.mu.Unlock()
	}
	return err
}

// before refuses a PIN that may not be sent, and counts one that nobody has accepted yet.
func (f *File) before(whom string, pin []byte) (refusal error) {
	f.mu.Lock()
	accepted := f.accepted[whom]
	f.mu.Unlock()
	err := f.change(whom, func(old *entry) *entry {
		if old != nil && !old.is(pin) {
			old = nil // another PIN: it was corrected
		}
		const remedy = "correct it, or remove %s if it is right, then restart the daemon"
		switch {
		case old == nil && accepted:
			return nil
		case old == nil:
			return noted(nil, pin, 1, "")
		case old.Refused != "":
			refusal = fmt.Errorf("%w: it was refused before (%s): "+remedy, device.ErrPIN, old.Refused, f.path)
			return old
		case old.Sent >= unanswered:
			refusal = fmt.Errorf("%w: it was sent %d times without an answer: "+remedy, device.ErrPIN, old.Sent, f.path)
			return old
		}
		return noted(old, pin, old.Sent+1, "")
	})
	return errors.Join(refusal, err)
}

// noted makes an entry, with the hash of an old one for the same PIN.
func noted(old *entry, pin []byte, sent int, refused string) *entry {
	e := &entry{Sent: sent, Refused: refused}
	if old != nil && old.is(pin) {
		e.Salt, e.Hash = old.Salt, old.Hash
		return e
	}
	e.Salt = make([]byte, 16)
	_, _ = rand.Read(e.Salt) // ends the process if it fails
	e.Hash = hash(e.Salt, pin)
	return e
}

func (e *entry) is(pin []byte) bool {
	return subtle.ConstantTimeCompare(e.Hash, hash(e.Salt, pin)) == 1
}

func hash(salt, pin []byte) []byte {
	key, err := pbkdf2.Key(sha256.New, string(pin), salt, rounds, sha256.Size)
	if err != nil {
		panic(err) // of lengths that are constant
	}
	return key
}

// change replaces an entry, nil standing for none, and writes the file if that changes anything.
func (f *File) change(whom string, to func(old *entry) *entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := os.Stat(filepath.Dir(f.path)); errors.Is(err, os.ErrNotExist) {
		to(nil)
		return nil
	}
	all, err := f.read()
	if err != nil {
		return fmt.Errorf("no PIN is sent: %w", err)
	}
	old := all[whom]
	e := to(old)
	if e == old {
		return nil
	}
	all[whom] = e
	if e == nil {
		delete(all, whom)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = safefile.Replace(safefile.File{Name: f.path, Data: text, Mode: 0o600})
	}
	if err != nil {
		return fmt.Errorf("no PIN is sent: %w", err)
	}
	return nil
}

// read reads the file. One that is damaged is refused, as it may say that a PIN must not be sent.
func (f *File) read() (map[string]*entry, error) {
	all := map[string]*entry{}
	text, err := material.ReadBounded(f.path, maxFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return all, nil
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%w: another user wrote it: give it to the daemon's user, or remove it once all PINs are known to be right", err)
	case err != nil:
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(&all)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows")
		}
	}
	for _, e := range all {
		if err == nil && (e == nil || len(e.Hash) != sha256.Size) {
			err = errors.New("a hash is missing")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s, which remembers refused PINs, cannot be understood: %w; remove it once all PINs are known to be right", f.path, err)
	}
	return all, nil
}
