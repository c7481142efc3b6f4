// SPDX-License-Identifier: Apache-2.0

// Package config reads and checks the YAML configuration of gmkeyd. An unknown key is an error. [Load] returns a [Config] with devices
// and users.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/cryptoki"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/sdf"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/internal/settings"
	"gopkg.in/yaml.v3"
)

// Config is the file.
type Config struct {
	// Socket is where the daemon listens, DefaultSocket if empty. Its folder should be one that the users below can enter.
	Socket string `yaml:"socket"`
	// Users may use the daemon, in addition to the user that it runs as.
	Users []User `yaml:"users"`
	// CallLimit ends the daemon if a function of a library has not returned for so long; 60 s if absent.
	CallLimit time.Duration `yaml:"callLimit"`
	Devices   []Device      `yaml:"devices"`
}

// User is a user of this host.
type User struct {
	Name string `yaml:"user"` // or number
	// Keys are the URIs of the keys that the user may use; absent means every key, and an empty list is refused. A URI stands for all keys
	// that it matches.
	Keys yaml.Node `yaml:"keys"`

	UID  uint32     `yaml:"-"`
	URIs []keyd.URI `yaml:"-"`
}

// Device is a cryptographic device; one of SDF and PKCS11 is given.
type Device struct {
	Name     string  `yaml:"name"`
	Sessions int     `yaml:"sessions"` // at most; 16 if absent
	Random   bool    `yaml:"random"`   // serves random bytes
	SDF      *SDF    `yaml:"sdf"`
	PKCS11   *PKCS11 `yaml:"pkcs11"`
}

// SDF is a device with the interface of GM/T 0018.
type SDF struct {
	Library string `yaml:"library"`
	Decrypt string `yaml:"decrypt"` // none if absent
	// Algorithm is SGD_SM2_3 in the vendor's header; that of GM/T 0006 if absent.
	Algorithm uint32   `yaml:"algorithm"`
	Keys      []SDFKey `yaml:"keys"`
}

// SDFKey is an index of an SDF device.
type SDFKey struct {
	Index uint32 `yaml:"index"`
	Pin   *Pin   `yaml:"pin"` // absent: the device asks for none
}

// PKCS11 is a token.
type PKCS11 struct {
	Library string       `yaml:"library"`
	Token   string       `yaml:"token"` // label
	Serial  string       `yaml:"serial"`
	Pin     *Pin         `yaml:"pin"`
	Preset  string       `yaml:"preset"`
	SM2     cryptoki.SM2 `yaml:"sm2"` // in place of what the preset says
}

// Pin says where a PIN is. One of the three is given.
type Pin struct {
	File        string `yaml:"file"`        // its first line
	Credential  string `yaml:"credential"`  // of systemd: a file in $CREDENTIALS_DIRECTORY
	Environment string `yaml:"environment"` // a variable
}

// maxFile bounds the configuration and files with PINs, in bytes.
const maxFile = 1 << 20

// Load reads and checks the file. Its errors name the key.
func Load(path string) (*Config, error) {
	text, err := material.ReadBounded(path, maxFile)
	if err != nil {
		return nil, err
	}
	c := &Config{Socket: keyd.DefaultSocket, CallLimit: time.Minute}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := settings.DecodeOne(d, c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c *Config) check() error {
	if !filepath.IsAbs(c.Socket) {
		return fmt.Errorf("socket: %q is not an absolute path", c.Socket)
	}
	if c.CallLimit < time.Second {
		return fmt.Errorf("callLimit: %v is less than 1s", c.CallLimit)
	}
	if len(c.Devices) == 0 {
		return errors.New("devices: none is named")
	}
	names := map[string]bool{}
	for i := range c.Devices {
		d := &c.Devices[i]
		if names[d.Name] {
			return fmt.Errorf("devices: two are named %q", d.Name)
		}
		names[d.Name] = true
		if err := d.check(); err != nil {
			return fmt.Errorf("devices: %q: %w", d.Name, err)
		}
	}
	uids := map[uint32]bool{}
	for i := range c.Users {
		u := &c.Users[i]
		err := u.check()
		if err == nil && uids[u.UID] {
			err = fmt.Errorf("two entries stand for user %d", u.UID)
		}
		if err != nil {
			return fmt.Errorf("users: %q: %w", u.Name, err)
		}
		uids[u.UID] = true
	}
	return nil
}

var deviceName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (d *Device) check() error {
	if !deviceName.MatchString(d.Name) {
		return errors.New("name: 1 to 64 letters, digits, points, dashes and underscores are wanted")
	}
	if d.Sessions == 0 {
		d.Sessions = 16
	}
	if d.Sessions < 1 || d.Sessions > 1024 {
		return fmt.Errorf("sessions: %d is not between 1 and 1024", d.Sessions)
	}
	if (d.SDF == nil) == (d.PKCS11 == nil) {
		return errors.New("one of sdf and pkcs11 is wanted")
	}
	if d.SDF != nil {
		return d.SDF.check()
	}
	return d.PKCS11.check()
}

func (s *SDF) check() error {
	if s.Library == "" {
		return errors.New("sdf.library: missing")
	}
	if s.Decrypt == "" {
		s.Decrypt = sdf.DecryptNone
	}
	if !slices.Contains([]string{sdf.DecryptNone, sdf.DecryptWithAlgorithm, sdf.DecryptWithoutAlgorithm}, s.Decrypt) {
		return fmt.Errorf("sdf.decrypt: %q is not one of %s, %s, %s", s.Decrypt, sdf.DecryptNone, sdf.DecryptWithAlgorithm, sdf.DecryptWithoutAlgorithm)
	}
	if s.Algorithm != 0 && s.Decrypt != sdf.DecryptWithAlgorithm {
		return fmt.Errorf("sdf.algorithm: it has a meaning for decrypt: %s alone", sdf.DecryptWithAlgorithm)
	}
	if s.Algorithm == 0 {
		s.Algorithm = sdf.AlgSM2Encrypt
	}
	seen := map[uint32]bool{}
	for _, k := range s.Keys {
		if k.Index == 0 || seen[k.Index] {
			return fmt.Errorf("sdf.keys: index %d: indexes begin with 1, and each may occur once", k.Index)
		}
		seen[k.Index] = true
		if err := k.Pin.check(); err != nil {
			return fmt.Errorf("sdf.keys: index %d: pin: %w", k.Index, err)
		}
	}
	return nil
}

func (p *PKCS11) check() (err error) {
	if p.Library == "" {
		return errors.New("pkcs11.library: missing")
	}
	if p.Token == "" && p.Serial == "" {
		return errors.New("pkcs11: token (its label) or serial is wanted")
	}
	if err := p.Pin.check(); err != nil {
		return fmt.Errorf("pkcs11.pin: %w", err)
	}
	if p.SM2, err = cryptoki.Preset(p.Preset, p.SM2); err != nil {
		return fmt.Errorf("pkcs11: %w", err)
	}
	return nil
}

func (u *User) check() error {
	found, err := user.Lookup(u.Name)
	text := u.Name
	if err == nil {
		text = found.Uid
	}
	uid, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return errors.New("this host has no such user, and it is not a number")
	}
	u.UID = uint32(uid)
	if u.Keys.IsZero() {
		return nil
	}
	var keys []string
	if err := u.Keys.Decode(&keys); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if len(keys) == 0 {
		return errors.New("keys: an empty list; leave the setting out if the user may use every key")
	}
	for _, k := range keys {
		uri, err := keyd.ParseURI(k)
		if err != nil {
			return err
		}
		u.URIs = append(u.URIs, uri)
	}
	return nil
}

func (p *Pin) check() error {
	if p == nil {
		return nil
	}
	given := 0
	for _, text := range []string{p.File, p.Credential, p.Environment} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return errors.New("one of file, credential and environment is wanted")
	}
	if p.Credential != "" && p.Credential != filepath.Base(p.Credential) {
		return errors.New("credential: a name is wanted, not a path")
	}
	return nil
}

// Read fetches the PIN. Errors do not show it.
func (p *Pin) Read() ([]byte, error) {
	path := p.File
	switch {
	case p.Environment != "":
		value := os.Getenv(p.Environment)
		if value == "" {
			return nil, fmt.Errorf("the environment has no %s", p.Environment)
		}
		return []byte(value), nil
	case p.Credential != "":
		folder := os.Getenv("CREDENTIALS_DIRECTORY")
		if folder == "" {
			return nil, fmt.Errorf("credential %s: systemd gave none (CREDENTIALS_DIRECTORY is not set)", p.Credential)
		}
		path = filepath.Join(folder, p.Credential)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s can be read by every user of this host: chmod 600 %s", path, path)
	}
	return gmx509.ReadPasswordFile(path)
}

// Reader is Read as a function, nil for a nil Pin.
func (p *Pin) Reader() func() ([]byte, error) {
	if p == nil {
		return nil
	}
	return p.Read
}
