// SPDX-License-Identifier: Apache-2.0

package gmx509

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxPassword bounds a password, in bytes.
const maxPassword = 4096

// ReadPassword returns the first line of r without its end, and without the byte order mark that some editors put in front. This is the
// form of a key's password in a file, in a credential of systemd and on standard input.
func ReadPassword(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPassword+2))
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case len(line) == 0:
		return nil, errors.New("the first line is empty, where the password is expected")
	case len(line) > maxPassword:
		return nil, fmt.Errorf("the first line, where the password is expected, is longer than %d bytes", maxPassword)
	}
	return line, nil
}

// ReadPasswordFile is ReadPassword for a file; an empty name gives no password.
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
