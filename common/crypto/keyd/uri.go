// SPDX-License-Identifier: Apache-2.0

package keyd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Usages of an SDF key: an index of the device holds a signing and an encryption pair (GM/T 0018, section 6.3).
const (
	UsageSign    = "sign"
	UsageEncrypt = "encrypt"
)

// maxURI bounds the text of a URI, in bytes.
const maxURI = 1024

// URI names a key in a device: either
//
//	sdf:device=NAME;index=N;usage=sign|encrypt
//	pkcs11:token=LABEL;serial=SERIAL;object=LABEL;id=%01%02
//
// Device is the name that the daemon's configuration gives to an SDF device. The second form is RFC 7512; of its attributes
// only those above and type=private are allowed, and each that is present must agree with the key. A URI never holds a PIN.
type URI struct {
	Scheme string // sdf or pkcs11

	Device string // sdf
	Index  uint32 // sdf, from 1
	Usage  string // sdf

	Token, Serial, Object string // pkcs11, empty means any
	ID                    []byte // pkcs11, nil means any
}

// ParseURI is the inverse of String. Attributes may be in any order.
func ParseURI(text string) (URI, error) {
	u, err := parseURI(text)
	if err != nil {
		return URI{}, fmt.Errorf("keyd: key URI: %w", err) // without the text, which might hold a PIN
	}
	return u, nil
}

func parseURI(text string) (URI, error) {
	if len(text) > maxURI {
		return URI{}, fmt.Errorf("%d bytes, more than the %d allowed", len(text), maxURI)
	}
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || scheme != "sdf" && scheme != "pkcs11" {
		return URI{}, errors.New("its scheme is neither sdf nor pkcs11")
	}
	if strings.Contains(rest, "?") {
		return URI{}, errors.New("it has a query part (such as pin-value): PINs and modules belong into the daemon's configuration")
	}
	u := URI{Scheme: scheme}
	seen := map[string]bool{}
	for attribute := range strings.SplitSeq(rest, ";") {
		name, value, ok := strings.Cut(attribute, "=")
		if !ok {
			return URI{}, fmt.Errorf("%d of its attributes has no value", len(seen)+1)
		}
		value, err := url.PathUnescape(value)
		if err != nil {
			return URI{}, fmt.Errorf("attribute %s: a percent sign without two hexadecimal digits", name)
		}
		if seen[name] {
			return URI{}, fmt.Errorf("attribute %s occurs twice", name)
		}
		seen[name] = true
		if err := u.set(name, value); err != nil {
			return URI{}, err
		}
	}
	return u, u.check()
}

func (u *URI) set(name, value string) error {
	if value == "" {
		return fmt.Errorf("attribute %s is empty", name)
	}
	switch u.Scheme + ":" + name {
	case "sdf:device":
		u.Device = value
	case "sdf:index":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil || n == 0 {
			return errors.New("attribute index is not a number from 1 on")
		}
		u.Index = uint32(n)
	case "sdf:usage":
		if value != UsageSign && value != UsageEncrypt {
			return errors.New("attribute usage is neither sign nor encrypt")
		}
		u.Usage = value
	case "pkcs11:token":
		u.Token = value
	case "pkcs11:serial":
		u.Serial = value
	case "pkcs11:object":
		u.Object = value
	case "pkcs11:id":
		u.ID = []byte(value)
	case "pkcs11:type":
		if value != "private" {
			return errors.New("attribute type is not private")
		}
	default:
		known := "device, index, usage"
		if u.Scheme == "pkcs11" {
			known = "token, serial, object, id, type"
		}
		return fmt.Errorf("attribute %s is not known; those of %s: are %s", name, u.Scheme, known)
	}
	return nil
}

func (u *URI) check() error {
	if u.Scheme == "sdf" {
		if u.Device == "" || u.Index == 0 || u.Usage == "" {
			return errors.New("sdf: needs device, index and usage")
		}
		return nil
	}
	if u.Object == "" && u.ID == nil {
		return errors.New("pkcs11: needs object or id")
	}
	return nil
}

// String returns the one form in which the daemon and its client write a URI.
func (u URI) String() string {
	if u.Scheme == "sdf" {
		return fmt.Sprintf("sdf:device=%s;index=%d;usage=%s", escape(u.Device), u.Index, u.Usage)
	}
	var parts []string
	for _, a := range [][2]string{{"token", u.Token}, {"serial", u.Serial}, {"object", u.Object}} {
		if a[1] != "" {
			parts = append(parts, a[0]+"="+escape(a[1]))
		}
	}
	if u.ID != nil {
		var b strings.Builder
		for _, c := range u.ID {
			b.WriteString("%" + hex.EncodeToString([]byte{c}))
		}
		parts = append(parts, "id="+b.String())
	}
	return u.Scheme + ":" + strings.Join(parts, ";")
}

// escape writes everything but the unreserved characters of RFC 3986 with percent signs.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// Matches reports whether every attribute that u has agrees with the key, whose URI has all of them.
func (u URI) Matches(key URI) bool {
	agree := func(want, have string) bool { return want == "" || want == have }
	return u.Scheme == key.Scheme && agree(u.Device, key.Device) && (u.Index == 0 || u.Index == key.Index) && agree(u.Usage, key.Usage) &&
		agree(u.Token, key.Token) && agree(u.Serial, key.Serial) && agree(u.Object, key.Object) && (u.ID == nil || string(u.ID) == string(key.ID))
}
