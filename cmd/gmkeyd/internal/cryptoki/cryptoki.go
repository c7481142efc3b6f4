// SPDX-License-Identifier: Apache-2.0

// Package cryptoki is the [device.Module] for PKCS #11 libraries. It uses ECDSA keys by the standard's mechanisms. The standard does not
// define SM2, so an [SM2] value says how a vendor implements it. [Presets] has known vendors.
package cryptoki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"unsafe"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/pins"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// Attributes and their values (PKCS #11 v2.40, appendix B of the current mechanisms).
const (
	attrClass    = 0x000
	attrLabel    = 0x003
	attrKeyType  = 0x100
	attrID       = 0x102
	attrDecrypt  = 0x105
	attrSign     = 0x108
	attrECParams = 0x180
	attrECPoint  = 0x181

	classPublic  = 2
	classPrivate = 3
	keyTypeEC    = 3
	mechECDSA    = 0x1041
)

// Config says how a token is used.
type Config struct {
	Library       string
	Token, Serial string // of the token; at least one is given
	Pin           func() ([]byte, error)
	Pins          *pins.File
	SM2           SM2
}

// Module is a token.
type Module struct {
	config   Config
	lib      *library
	token    token
	loggedIn bool
}

// New makes the module. It loads nothing; Open does.
func New(c Config) *Module { return &Module{config: c} }

// Open initializes the library and looks for the token.
func (m *Module) Open(step func()) error {
	lib, err := load(m.config.Library)
	if err != nil {
		return err
	}
	if err := lib.begin(step); err != nil {
		return err
	}
	m.lib, m.loggedIn = lib, false
	if m.token, err = m.findToken(step); err != nil {
		lib.end()
		m.lib = nil
	}
	return err
}

func (m *Module) findToken(step func()) (token, error) {
	all, err := m.lib.tokens(step)
	if err != nil {
		return token{}, err
	}
	var found []token
	var seen []string
	for _, t := range all {
		seen = append(seen, fmt.Sprintf("%q with serial %q", t.label, t.serial))
		if (m.config.Token == "" || m.config.Token == t.label) && (m.config.Serial == "" || m.config.Serial == t.serial) {
			found = append(found, t)
		}
	}
	if len(found) != 1 {
		return token{}, fmt.Errorf("%d tokens are labelled %q with serial %q; the library %s shows %v",
			len(found), m.config.Token, m.config.Serial, m.config.Library, seen)
	}
	return found[0], nil
}

// Close finalizes the library.
func (m *Module) Close() {
	if m.lib != nil {
		m.lib.end()
		m.lib = nil
	}
}

// OpenSession opens a session. The first one logs in, for all.
func (m *Module) OpenSession(step func()) (device.Session, error) {
	s := &session{lib: m.lib, sm2: m.config.SM2, step: step}
	const serial = 4 // CKF_SERIAL_SESSION; reading is all that is done
	if err := s.call("C_OpenSession", fnOpenSession, uintptr(m.token.slot), serial, 0, 0, uintptr(unsafe.Pointer(&s.handle))); err != nil {
		return nil, err
	}
	if !m.loggedIn && m.token.flags&flagLoginRequired != 0 {
		if err := m.login(s); err != nil {
			s.Close()
			return nil, err
		}
		m.loggedIn = true
	}
	return s, nil
}

func (m *Module) login(s *session) error {
	refuse := func(reason string) error {
		return fmt.Errorf("token %s: %w", m.token.label, &device.Error{Call: reason + ": C_Login", Code: 0xA4, Name: "CKR_PIN_LOCKED", Class: device.Pin})
	}
	switch {
	case m.token.flags&flagPinLocked != 0:
		return refuse("its user PIN is locked")
	case m.token.flags&flagPinFinalTry != 0:
		return refuse("one more wrong PIN would lock it, so none is tried (log in once by the vendor's tool)")
	case m.config.Pin == nil:
		return errors.New("the token asks for a PIN, and none is configured")
	}
	pin, err := m.config.Pin()
	if err != nil {
		return fmt.Errorf("PIN of token %s: %w", m.token.label, err)
	}
	defer clear(pin)
	if len(pin) == 0 {
		return fmt.Errorf("PIN of token %s is empty", m.token.label)
	}
	err = m.config.Pins.Send(fmt.Sprintf("token %q with serial %q", m.token.label, m.token.serial), pin, func() error { return s.login(pin) })
	if errors.Is(err, device.ErrPIN) {
		return fmt.Errorf("token %s: %w", m.token.label, err)
	}
	return err
}

// login sends the PIN. A code is one for the PIN, also if it is of the vendor's own, unless it is about the connection: nothing says that the
// token did not count it. That of a faulty device leaves this open.
func (s *session) login(pin []byte) error {
	const user = 1 // CKU_USER
	err := s.call("C_Login", fnLogin, uintptr(s.handle), user, uintptr(unsafe.Pointer(&pin[0])), uintptr(len(pin)))
	var e *device.Error
	switch {
	case codeOf(err) == codeAlreadyLoggedIn:
		return nil
	case codeOf(err) == codeDeviceError && errors.As(err, &e):
		e.Class = device.Unknown
	case errors.As(err, &e) && e.Class != device.Lost && e.Class != device.Broken:
		e.Class = device.Pin
	}
	return err
}

// handle is what a session needs to know of a key.
type handle struct {
	object uint64
	public *ecdsa.PublicKey
	za     []byte // of SM2 keys whose token hashes Z || message
}

// Keys lists the private keys of the token that are SM2 or ECDSA.
func (m *Module) Keys(any device.Session) ([]device.Key, error) {
	s := any.(*session)
	objects, err := s.find(ulong(attrClass, classPrivate))
	if err != nil {
		return nil, err
	}
	var keys []device.Key
	for _, object := range objects {
		key, ok, err := m.key(s, object)
		if err != nil {
			return nil, err
		}
		if ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func (m *Module) key(s *session, object uint64) (_ device.Key, ok bool, err error) {
	read := map[uint64][]byte{}
	var unread error // a code for one object says nothing about the others
	for _, kind := range []uint64{attrKeyType, attrID, attrLabel, attrSign, attrDecrypt} {
		if read[kind], err = s.attribute(object, kind); isGone(err) {
			return device.Key{}, false, err
		} else if err != nil && unread == nil {
			unread = err
		}
	}
	kind := number(read[attrKeyType])
	if (unread == nil || read[attrKeyType] != nil) && kind != keyTypeEC && (m.config.SM2.KeyType == 0 || kind != m.config.SM2.KeyType) {
		return device.Key{}, false, nil
	}
	k := device.Key{URI: keyd.URI{Scheme: "pkcs11", Token: m.token.label, Serial: m.token.serial, Object: string(read[attrLabel]), ID: read[attrID]}}
	if unread != nil {
		k.Err = unread
		return k, true, nil
	}
	if k.Public, err = s.public(object, kind, read[attrID], read[attrLabel]); err != nil {
		if isGone(err) {
			return k, false, err
		}
		k.Err = err
		return k, true, nil
	}
	k.Sign = isTrue(read[attrSign])
	h := &handle{object: object, public: k.Public}
	k.Handle = h
	if gmx509.IsSM2(k.Public) {
		c := m.config.SM2
		k.Sign = k.Sign && c.Sign != 0
		k.Decrypt = isTrue(read[attrDecrypt]) && c.Decrypt != 0
		k.Hashes = c.Hash != HashDigest
		if c.Hash == HashZMessage {
			h.za, err = sm2.CalculateZA(k.Public, nil)
		}
	}
	if err == nil && !k.Sign && !k.Decrypt {
		err = errors.New("the token lets the key neither sign nor decrypt, or pkcs11.sm2 names no mechanism for it")
	}
	k.Err = err
	return k, true, nil
}

// isGone reports whether the error says that the token, or the session, has gone.
func isGone(err error) bool {
	var e *device.Error
	return errors.As(err, &e) && (e.Class == device.Lost || e.Class == device.Broken)
}

// number reads a CK_ULONG, isTrue a CK_BBOOL.
func number(value []byte) uint64 {
	if len(value) != 8 {
		return 0
	}
	return *(*uint64)(unsafe.Pointer(&value[0]))
}

func isTrue(value []byte) bool { return len(value) == 1 && value[0] != 0 }

// public looks for the public key: the public object with the same id, or the same label if there is no id, or the private
// object itself.
func (s *session) public(object, kind uint64, id, label []byte) (*ecdsa.PublicKey, error) {
	candidates := []uint64{object}
	same := octets(attrID, id)
	if len(id) == 0 {
		same = octets(attrLabel, label)
	}
	if same.length != 0 {
		found, err := s.find(ulong(attrClass, classPublic), same)
		if err != nil {
			return nil, err
		}
		candidates = append(found, object)
	}
	for _, c := range candidates {
		point, err := s.attribute(c, attrECPoint)
		if err != nil {
			return nil, err
		}
		params, err := s.attribute(c, attrECParams)
		if err != nil {
			return nil, err
		}
		if len(point) != 0 {
			return parsePoint(kind, params, point)
		}
	}
	return nil, errors.New("the token has no public key for it: neither a public object with the same CKA_ID (or label) nor CKA_EC_POINT of the private one")
}

// curves by the DER of their object identifiers; SM2's is that of GM/T 0006.
var curves = map[string]elliptic.Curve{
	"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07": elliptic.P256(),
	"\x06\x05\x2b\x81\x04\x00\x22":             elliptic.P384(),
	"\x06\x05\x2b\x81\x04\x00\x23":             elliptic.P521(),
	"\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d": sm2.P256(),
}

// parsePoint takes CKA_EC_POINT in each form that is met: an OCTET STRING around the uncompressed point, as the standard says, the point
// alone, or its coordinates alone. Their lengths tell them apart.
func parsePoint(kind uint64, params, point []byte) (*ecdsa.PublicKey, error) {
	curve := curves[string(params)]
	if kind != keyTypeEC {
		curve = sm2.P256()
	}
	if curve == nil {
		return nil, fmt.Errorf("its curve (CKA_EC_PARAMS %x) is not one of P-256, P-384, P-521, SM2", params)
	}
	size := (curve.Params().BitSize + 7) / 8
	var inner []byte
	switch rest, err := asn1.Unmarshal(point, &inner); {
	case len(point) == 1+2*size && point[0] == 4:
	case len(point) == 2*size:
		point = append([]byte{4}, point...)
	case err == nil && len(rest) == 0 && len(inner) == 1+2*size && inner[0] == 4:
		point = inner
	default:
		return nil, fmt.Errorf("its CKA_EC_POINT of %d bytes is not a point of the curve %s", len(point), curve.Params().Name)
	}
	key := &ecdsa.PublicKey{Curve: curve, X: new(big.Int).SetBytes(point[1 : 1+size]), Y: new(big.Int).SetBytes(point[1+size:])}
	if gmx509.IsSM2(key) {
		_, err := gmx509.SM2Point(key)
		return key, err
	}
	if _, err := key.ECDH(); err != nil { // checks that the point lies on the curve
		return nil, fmt.Errorf("its CKA_EC_POINT does not lie on the curve %s", curve.Params().Name)
	}
	return key, nil
}

type session struct {
	lib    *library
	handle uint64
	sm2    SM2
	step   func()
}

// call calls a function of the library after a step.
//
//go:uintptrescapes
func (s *session) call(name string, place int, args ...uintptr) error {
	s.step()
	return s.lib.call(name, place, args...)
}

// Close closes the session.
func (s *session) Close() { _ = s.call("C_CloseSession", fnCloseSession, uintptr(s.handle)) }

// Has looks for the private key by its id and label, and compares the public key. The handle of the private key is not compared: a library
// may give an object another one.
func (s *session) Has(k *device.Key) error {
	template := []attribute{ulong(attrClass, classPrivate)}
	if len(k.URI.ID) != 0 {
		template = append(template, octets(attrID, k.URI.ID))
	}
	if k.URI.Object != "" {
		template = append(template, octets(attrLabel, []byte(k.URI.Object)))
	}
	found, err := s.find(template...)
	if err != nil {
		return err
	}
	for _, object := range found {
		kind, err := s.attribute(object, attrKeyType)
		if err != nil {
			return err
		}
		public, err := s.public(object, number(kind), k.URI.ID, []byte(k.URI.Object))
		if err == nil && public.Equal(k.Public) {
			return nil
		}
		if isGone(err) {
			return err
		}
	}
	if len(found) == 0 {
		return errors.New("C_FindObjects: the token has no such private key")
	}
	return errors.New("the token has another key under this name now")
}

// Random fills p.
func (s *session) Random(p []byte) error {
	return s.call("C_GenerateRandom", fnGenerateRandom, uintptr(s.handle), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
}

// Sign signs.
func (s *session) Sign(any any, data []byte) (r, v []byte, err error) {
	h := any.(*handle)
	mech, form := uint64(mechECDSA), SignatureRaw
	if gmx509.IsSM2(h.public) {
		mech, form = s.sm2.Sign, s.sm2.Signature
	}
	if h.za != nil {
		data = append(bytes.Clone(h.za), data...)
	}
	if len(data) == 0 {
		return nil, nil, errors.New("PKCS #11 signs no empty message")
	}
	raw, err := s.signRaw(h.object, mech, data)
	if err != nil {
		return nil, nil, err
	}
	if form == SignatureDER {
		var both struct{ R, S *big.Int }
		if rest, err := asn1.Unmarshal(raw, &both); err != nil || len(rest) != 0 || both.R.Sign() <= 0 || both.S.Sign() <= 0 {
			return nil, nil, fmt.Errorf("C_Sign: %d bytes that are no DER signature: is the signature raw?", len(raw))
		}
		return both.R.Bytes(), both.S.Bytes(), nil
	}
	if size := (h.public.Params().BitSize + 7) / 8; len(raw) != 2*size {
		return nil, nil, fmt.Errorf("C_Sign: %d bytes, a raw signature has %d: is the signature DER?", len(raw), 2*size)
	}
	return raw[:len(raw)/2], raw[len(raw)/2:], nil
}

// onePart is the longest message that is handed over in one call, as some libraries copy it into a buffer.
const onePart = 32 << 10

func (s *session) signRaw(object, mech uint64, data []byte) ([]byte, error) {
	if err := s.call("C_SignInit", fnSignInit, uintptr(s.handle), uintptr(unsafe.Pointer(&mechanism{kind: mech})), uintptr(object)); err != nil {
		return nil, err
	}
	out := make([]byte, 256)
	length := uint64(len(out))
	if len(data) <= onePart {
		err := s.call("C_Sign", fnSign, uintptr(s.handle), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)),
			uintptr(unsafe.Pointer(&out[0])), uintptr(unsafe.Pointer(&length)))
		return out[:min(length, 256)], err
	}
	for len(data) != 0 {
		n := min(len(data), onePart)
		if err := s.call("C_SignUpdate", fnSignUpdate, uintptr(s.handle), uintptr(unsafe.Pointer(&data[0])), uintptr(n)); err != nil {
			return nil, err
		}
		data = data[n:]
	}
	err := s.call("C_SignFinal", fnSignFinal, uintptr(s.handle), uintptr(unsafe.Pointer(&out[0])), uintptr(unsafe.Pointer(&length)))
	return out[:min(length, 256)], err
}

// Decrypt decrypts.
func (s *session) Decrypt(any any, c device.Ciphertext) ([]byte, error) {
	h := any.(*handle)
	data, err := s.sm2.encode(c)
	if err != nil {
		return nil, err
	}
	if err := s.call("C_DecryptInit", fnDecryptInit, uintptr(s.handle), uintptr(unsafe.Pointer(&mechanism{kind: s.sm2.Decrypt})), uintptr(h.object)); err != nil {
		return nil, err
	}
	out := make([]byte, len(c.Text)+256)
	length := uint64(len(out))
	if err := s.call("C_Decrypt", fnDecrypt, uintptr(s.handle), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)),
		uintptr(unsafe.Pointer(&out[0])), uintptr(unsafe.Pointer(&length))); err != nil {
		clear(out)
		return nil, err
	}
	if length != uint64(len(c.Text)) {
		clear(out)
		return nil, fmt.Errorf("C_Decrypt: %d bytes of plaintext, want %d", length, len(c.Text))
	}
	return out[:length], nil
}
