// SPDX-License-Identifier: Apache-2.0

// Package sdf is the [device.Module] for libraries with the interface SDF (GM/T 0018). The library is loaded when it is first opened, and
// stays loaded.
package sdf

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/pins"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// Forms of SDF_InternalDecrypt_ECC. The edition of 2012 has no such function; libraries that have it take the identifier of the algorithm
// as third argument, or no such argument. Nothing in the library shows which form it has, and the wrong one crashes.
const (
	DecryptNone             = "none"
	DecryptWithAlgorithm    = "with-algorithm"
	DecryptWithoutAlgorithm = "without-algorithm"
)

// Sizes of the structures of GM/T 0018, section 5.3. A number of 256 bits is in the last 32 bytes of an array of ECCref_MAX_LEN. This is 64
// in the standard. Headers from before the standard have 32, and some vendors' headers let one choose.
const (
	numberSize    = 32
	longArray     = 64
	shortArray    = 32
	publicKeySize = 4 + 2*longArray
	signatureSize = 2 * longArray
)

// maxDeclared is the longest array for C in ECCCipher that headers of vendors declare; the standard declares one byte. A library may copy
// the whole structure.
const maxDeclared = 4096

// AlgSM2Encrypt is SGD_SM2_3 of GM/T 0006-2012. Older headers have 0x00020400.
const AlgSM2Encrypt = 0x00020800

// Pin fetches the password of a private key; the caller overwrites it.
type Pin func() ([]byte, error)

// KeyConfig is an index of the device that is used.
type KeyConfig struct {
	Index uint32
	Pin   Pin // nil: the device asks for none
}

// Config says how a device is used.
type Config struct {
	Name    string // in URIs
	Library string // file, or name that the loader finds
	Decrypt string // one of the forms above
	// Algorithm is the third argument of SDF_InternalDecrypt_ECC, if that has such an argument.
	Algorithm uint32
	Keys      []KeyConfig
	Pins      *pins.File
}

// Module is a device.
type Module struct {
	config Config
	lib    *library
	handle uintptr
	// denied are the indexes whose password was refused. It is not sent again in the life of the process, as devices count.
	denied map[uint32]error
}

// New makes the module. It loads nothing; Open does.
func New(c Config) *Module { return &Module{config: c, denied: map[uint32]error{}} }

// library has the addresses of the functions; 0 for those that are absent.
type library struct {
	openDevice, closeDevice, openSession, closeSession        uintptr
	accessRight, exportSign, exportEnc, sign, decrypt, random uintptr
}

var (
	loadMu sync.Mutex
	loaded = map[string]*library{} // protected by loadMu
)

func load(path string) (*library, error) {
	loadMu.Lock()
	defer loadMu.Unlock()
	if lib := loaded[path]; lib != nil {
		return lib, nil
	}
	so, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("loading the library %s: %w", path, err)
	}
	lib := &library{}
	for _, f := range []struct {
		name string
		at   *uintptr
	}{
		{"SDF_OpenDevice", &lib.openDevice}, {"SDF_CloseDevice", &lib.closeDevice},
		{"SDF_OpenSession", &lib.openSession}, {"SDF_CloseSession", &lib.closeSession},
		{"SDF_GetPrivateKeyAccessRight", &lib.accessRight},
		{"SDF_ExportSignPublicKey_ECC", &lib.exportSign}, {"SDF_ExportEncPublicKey_ECC", &lib.exportEnc},
		{"SDF_InternalSign_ECC", &lib.sign}, {"SDF_GenerateRandom", &lib.random},
		{"SDF_InternalDecrypt_ECC", &lib.decrypt},
	} {
		if *f.at, err = purego.Dlsym(so, f.name); err != nil && f.at != &lib.decrypt {
			return nil, fmt.Errorf("the library %s has no function %s: it is not a library of GM/T 0018", path, f.name)
		}
	}
	loaded[path] = lib
	return lib, nil
}

// call calls a function of the library, all of which return an int of 32 bits.
//
//go:uintptrescapes
func call(name string, fn uintptr, args ...uintptr) error {
	code, _, _ := purego.SyscallN(fn, args...)
	return check(name, uint32(code))
}

// Open opens the device.
func (m *Module) Open(step func()) error {
	lib, err := load(m.config.Library)
	if err != nil {
		return err
	}
	m.lib = lib
	m.handle = 0
	step()
	if err := call("SDF_OpenDevice", lib.openDevice, uintptr(unsafe.Pointer(&m.handle))); err != nil {
		m.handle = 0
		return asLost(err)
	}
	return nil
}

// asLost treats any failure to open something as a device that cannot be reached.
func asLost(err error) error {
	var e *device.Error
	if errors.As(err, &e) && e.Class != device.Pin {
		e.Class = device.Lost
	}
	return err
}

// Close closes the device.
func (m *Module) Close() {
	if m.handle != 0 {
		_ = call("SDF_CloseDevice", m.lib.closeDevice, m.handle)
		m.handle = 0
	}
}

// OpenSession opens a session and gets the right to use the private keys in it.
func (m *Module) OpenSession(step func()) (device.Session, error) {
	s := &session{module: m, step: step}
	if err := s.call("SDF_OpenSession", m.lib.openSession, m.handle, uintptr(unsafe.Pointer(&s.handle))); err != nil {
		return nil, asLost(err)
	}
	for _, k := range m.config.Keys {
		if err := s.getAccess(k); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// getAccess presents the password of a key. One that is refused is noted, and the session continues without the key.
func (s *session) getAccess(k KeyConfig) error {
	if k.Pin == nil || s.module.denied[k.Index] != nil {
		return nil
	}
	pin, err := k.Pin()
	if err != nil {
		s.module.denied[k.Index] = fmt.Errorf("PIN of index %d: %w", k.Index, err)
		return nil
	}
	defer clear(pin)
	if len(pin) == 0 {
		s.module.denied[k.Index] = fmt.Errorf("PIN of index %d is empty", k.Index)
		return nil
	}
	err = s.module.config.Pins.Send(fmt.Sprintf("device %s, index %d", s.module.config.Name, k.Index), pin, func() error { return s.present(k.Index, pin) })
	var e *device.Error
	switch {
	case errors.Is(err, device.ErrPIN):
		s.module.denied[k.Index] = fmt.Errorf("index %d: %w", k.Index, err)
	case errors.As(err, &e) && e.Class == device.Pin:
		s.module.denied[k.Index] = fmt.Errorf("index %d: %w: the PIN is wrong, the key is locked or it does not exist; not tried again before a restart", k.Index, err)
	default:
		return err
	}
	return nil
}

// present sends the password of a key. Vendors have different codes for a wrong one and for a key that is locked, so all codes that are not
// about the connection are a refusal: the password is not tried again after any of them.
func (s *session) present(index uint32, pin []byte) error {
	err := s.call("SDF_GetPrivateKeyAccessRight", s.module.lib.accessRight, s.handle, uintptr(index), uintptr(unsafe.Pointer(&pin[0])), uintptr(len(pin)))
	var e *device.Error
	switch {
	case !errors.As(err, &e):
		return nil
	case e.Class == device.Lost: // SDR_PARDENY, elsewhere a right that the session has lost, is here the refusal itself
		return err
	case e.Code == codeKeyNotExist: // Keys says so, and the PIN was not refused
		return nil
	case e.Code == codeNotSupport: // the keys of this device need no right; otherwise the self-test says so
		return nil
	}
	e.Class = device.Pin
	return err
}

// handle is what a session needs to know of a key.
type handle struct {
	index  uint32
	maxLen int  // of the arrays in the structures of the library
	pin    bool // one is configured
}

// Keys exports the public keys of the configured indexes.
func (m *Module) Keys(any device.Session) ([]device.Key, error) {
	s := any.(*session)
	var keys []device.Key
	for _, k := range m.config.Keys {
		more, err := m.keysAt(s, k)
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
	}
	return keys, nil
}

// keysAt lists the keys of an index, which has a signing key, an encryption key or both.
func (m *Module) keysAt(s *session, k KeyConfig) ([]device.Key, error) {
	var keys []device.Key
	var absent error
	found := false
	for _, usage := range []string{keyd.UsageSign, keyd.UsageEncrypt} {
		public, maxLen, err := s.export(k.Index, usage)
		var e *device.Error
		if errors.As(err, &e) && (e.Class == device.Lost || e.Class == device.Broken) {
			return nil, err
		}
		if errors.As(err, &e) && e.Code == codeKeyNotExist {
			absent = err
			continue
		}
		found = found || err == nil
		key := device.Key{
			URI: keyd.URI{Scheme: "sdf", Device: m.config.Name, Index: k.Index, Usage: usage}, Public: public, Err: err,
			Handle: handle{k.Index, maxLen, k.Pin != nil}, Sign: usage == keyd.UsageSign, Decrypt: usage == keyd.UsageEncrypt,
		}
		if key.Err == nil {
			key.Err = m.denied[k.Index]
		}
		if key.Decrypt && key.Err == nil {
			key.Err = m.noDecryption()
			key.Spare = key.Err != nil
		}
		keys = append(keys, key)
	}
	if found {
		for i := range keys {
			// Some devices have a code of their own for a key that does not exist.
			var e *device.Error
			keys[i].Spare = keys[i].Spare || keys[i].Public == nil && errors.As(keys[i].Err, &e)
		}
	}
	if len(keys) == 0 {
		uri := keyd.URI{Scheme: "sdf", Device: m.config.Name, Index: k.Index, Usage: keyd.UsageSign}
		keys = append(keys, device.Key{URI: uri, Err: fmt.Errorf("index %d of the device has neither a signing nor an encryption key: %w", k.Index, absent)})
	}
	return keys, nil
}

// noDecryption says why encryption keys cannot be used, or returns nil.
func (m *Module) noDecryption() error {
	switch {
	case m.lib.decrypt == 0:
		return errors.New("the library has no SDF_InternalDecrypt_ECC, which is optional: keep the encryption key in a file, encrypted")
	case m.config.Decrypt == DecryptNone:
		return errors.New("decryption is not configured: set sdf.decrypt to the form of SDF_InternalDecrypt_ECC that the vendor's header shows, " +
			DecryptWithAlgorithm + " or " + DecryptWithoutAlgorithm + ", or keep the encryption key in a file, encrypted")
	}
	return nil
}

type session struct {
	module *Module
	handle uintptr
	step   func()
}

// call is the function call with a step before it.
//
//go:uintptrescapes
func (s *session) call(name string, fn uintptr, args ...uintptr) error {
	s.step()
	return call(name, fn, args...)
}

// Close closes the session; the rights to use keys end with it.
func (s *session) Close() { _ = s.call("SDF_CloseSession", s.module.lib.closeSession, s.handle) }

// export returns a public key, and ECCref_MAX_LEN of the library.
func (s *session) export(index uint32, usage string) (public *ecdsa.PublicKey, maxLen int, err error) {
	name, fn := "SDF_ExportSignPublicKey_ECC", s.module.lib.exportSign
	if usage == keyd.UsageEncrypt {
		name, fn = "SDF_ExportEncPublicKey_ECC", s.module.lib.exportEnc
	}
	var raw [publicKeySize]byte
	if err := s.call(name, fn, s.handle, uintptr(index), uintptr(unsafe.Pointer(&raw))); err != nil {
		return nil, 0, err
	}
	if bits := binary.NativeEndian.Uint32(raw[:]); bits != 256 {
		return nil, 0, fmt.Errorf("%s says that the key at index %d has %d bits; SM2 has 256", name, index, bits)
	}
	for _, maxLen := range []int{longArray, shortArray} {
		x, y, ok := numbers(raw[4:], maxLen)
		if !ok {
			continue
		}
		public, err := sm2.NewPublicKey(append(append([]byte{4}, x...), y...))
		if err != nil {
			return nil, 0, fmt.Errorf("%s: the key at index %d is not a point of the SM2 curve", name, index)
		}
		return public, maxLen, nil
	}
	return nil, 0, fmt.Errorf("%s: the coordinates of index %d are neither in 32 bytes each nor in the last 32 of 64, as GM/T 0018 demands", name, index)
}

// Has exports the public key again.
func (s *session) Has(k *device.Key) error {
	public, _, err := s.export(k.URI.Index, k.URI.Usage)
	if err == nil && !public.Equal(k.Public) {
		err = fmt.Errorf("index %d has another key now", k.URI.Index)
	}
	return err
}

// numbers returns the two numbers that are in the last bytes of two arrays of maxLen bytes, if everything else is zero.
func numbers(raw []byte, maxLen int) (a, b []byte, ok bool) {
	pad := maxLen - numberSize
	a, b = raw[pad:maxLen], raw[maxLen+pad:2*maxLen]
	rest := bytes.Join([][]byte{raw[:pad], raw[maxLen : maxLen+pad], raw[2*maxLen:]}, nil)
	return a, b, bytes.Equal(rest, make([]byte, len(rest)))
}

// withoutPIN explains the refusal of a key for which no PIN is configured: the session cannot have lost a right that it never had.
func (h handle) withoutPIN(err error) error {
	var e *device.Error
	if h.pin || !errors.As(err, &e) || e.Code != codeParDeny {
		return err
	}
	e.Class = device.Refused
	return fmt.Errorf("index %d: %w: no PIN is configured for it", h.index, err)
}

// Sign signs e.
func (s *session) Sign(any any, e []byte) (r, v []byte, err error) {
	h := any.(handle)
	var raw [signatureSize]byte
	if err := s.call("SDF_InternalSign_ECC", s.module.lib.sign, s.handle, uintptr(h.index),
		uintptr(unsafe.Pointer(&e[0])), uintptr(len(e)), uintptr(unsafe.Pointer(&raw))); err != nil {
		return nil, nil, h.withoutPIN(err)
	}
	r, v, ok := numbers(raw[:], h.maxLen)
	if !ok {
		return nil, nil, fmt.Errorf("SDF_InternalSign_ECC: r and s are not in the last 32 of %d bytes each", h.maxLen)
	}
	return r, v, nil
}

// Decrypt decrypts.
func (s *session) Decrypt(any any, c device.Ciphertext) ([]byte, error) {
	h := any.(handle)
	raw := encodeCiphertext(c, h.maxLen)
	plain := make([]byte, len(c.Text)+64)
	length := uint32(len(plain))
	args := []uintptr{s.handle, uintptr(h.index)}
	if s.module.config.Decrypt == DecryptWithAlgorithm {
		args = append(args, uintptr(s.module.config.Algorithm))
	}
	if err := s.decrypt(args, raw, plain, &length); err != nil {
		clear(plain)
		return nil, h.withoutPIN(err)
	}
	if int(length) != len(c.Text) {
		clear(plain)
		return nil, fmt.Errorf("SDF_InternalDecrypt_ECC: %d bytes of plaintext, want %d", length, len(c.Text))
	}
	return plain[:length], nil
}

// encodeCiphertext makes an ECCCipher: x, y, M, L and C.
func encodeCiphertext(c device.Ciphertext, maxLen int) []byte {
	header := 2*maxLen + 32 + 4
	raw := make([]byte, header+max(len(c.Text), maxDeclared))
	copy(raw[maxLen-numberSize:], c.X)
	copy(raw[2*maxLen-numberSize:], c.Y)
	copy(raw[2*maxLen:], c.Hash)
	binary.NativeEndian.PutUint32(raw[2*maxLen+32:], uint32(len(c.Text)))
	copy(raw[header:], c.Text)
	return raw
}

func (s *session) decrypt(head []uintptr, raw, plain []byte, length *uint32) error {
	const name = "SDF_InternalDecrypt_ECC"
	if len(head) == 3 {
		return s.call(name, s.module.lib.decrypt, head[0], head[1], head[2],
			uintptr(unsafe.Pointer(&raw[0])), uintptr(unsafe.Pointer(&plain[0])), uintptr(unsafe.Pointer(length)))
	}
	return s.call(name, s.module.lib.decrypt, head[0], head[1],
		uintptr(unsafe.Pointer(&raw[0])), uintptr(unsafe.Pointer(&plain[0])), uintptr(unsafe.Pointer(length)))
}

// maxRandom bounds one call for random bytes; devices have limits, and the standard names none.
const maxRandom = 1024

// Random fills p.
func (s *session) Random(p []byte) error {
	for len(p) != 0 {
		n := min(len(p), maxRandom)
		if err := s.call("SDF_GenerateRandom", s.module.lib.random, s.handle, uintptr(n), uintptr(unsafe.Pointer(&p[0]))); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
