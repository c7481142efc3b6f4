// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxPassword bounds a password, in bytes.
const maxPassword = 4096

// ReadPassword returns the first line of r without its end: what a file, a credential of systemd or standard input hold as
// the password of a key.
func ReadPassword(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPassword+2))
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case len(line) == 0:
		return nil, errors.New("the first line is empty, where the password is expected")
	case len(line) > maxPassword:
		return nil, fmt.Errorf("the first line, where the password is expected, is longer than %d bytes", maxPassword)
	}
	return line, nil
}

// ReadPasswordFile is ReadPassword for a file; no name gives no password.
func ReadPasswordFile(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	password, err := ReadPassword(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return password, nil
}

// ReadKeyFile returns the content of a key file in PEM with its encrypted keys opened: each becomes a PKCS #8 block in the
// clear, the rest stays as it is. password opens them, nil for none; then an encrypted key gives ErrNoPassword.
func ReadKeyFile(path string, password []byte) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPEM+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxPEM:
		return nil, fmt.Errorf("%s is longer than the %d bytes of a key file", path, maxPEM)
	}
	plain, err := openKeys(text, password)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return plain, nil
}

func openKeys(text, password []byte) ([]byte, error) {
	var plain []byte
	found := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemTypeEncrypted && !(strings.HasSuffix(block.Type, pemTypePKCS8) && IsEncryptedPEMBlock(block)) {
			plain = append(plain, pem.EncodeToMemory(block)...)
			continue
		}
		found = true
		key, err := parsePrivateKeyBlock(block, password)
		if err != nil {
			return nil, err
		}
		open, err := MarshalPrivateKeyPEM(key, nil)
		if err != nil {
			return nil, err
		}
		plain = append(plain, open...)
	}
	if !found {
		return text, nil
	}
	return plain, nil
}
