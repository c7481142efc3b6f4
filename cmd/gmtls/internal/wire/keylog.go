// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

const (
	randomLen = 32
	masterLen = 48

	keyLogLabel   = "CLIENT_RANDOM"
	keyLogEntry   = len(keyLogLabel) + 1 + 2*randomLen + 1 + 2*masterLen // a line of ours, in bytes
	maxKeyLogLine = 4096
	maxSecrets    = 1 << 20
)

// KeyLog holds the master secrets of a file in the NSS key log format. The file
// may still grow: what was appended is read when an unknown secret is asked for.
// It is for one goroutine.
type KeyLog struct {
	name    string
	r       *bufio.Reader
	rest    []byte // of a line whose end is not written yet
	line    int
	secrets map[[randomLen]byte][masterLen]byte
	err     error
}

// NewKeyLog reads what is in the file by now. Lines of other labels, those of
// TLS 1.3 among them, and comments are passed over. name stands in the errors,
// which never hold a secret.
func NewKeyLog(name string, r io.Reader) (*KeyLog, error) {
	k := &KeyLog{name: name, r: bufio.NewReaderSize(r, maxKeyLogLine), secrets: make(map[[randomLen]byte][masterLen]byte)}
	k.read()
	return k, k.err
}

// Err returns what went wrong with what was appended later.
func (k *KeyLog) Err() error { return k.err }

// secret returns the master secret of the connection with a client random; nil
// if there is none.
func (k *KeyLog) secret(random []byte) []byte {
	if len(random) != randomLen {
		return nil
	}
	id := [randomLen]byte(random)
	if _, ok := k.secrets[id]; !ok {
		k.read()
	}
	if s, ok := k.secrets[id]; ok {
		return s[:]
	}
	return nil
}

// read takes in the lines up to the present end of the file.
func (k *KeyLog) read() {
	for k.err == nil {
		part, err := k.r.ReadSlice('\n')
		k.rest = append(k.rest, part...)
		switch {
		case len(k.rest) > maxKeyLogLine || errors.Is(err, bufio.ErrBufferFull):
			k.err = fmt.Errorf("%s: line %d is too long for a key log", k.name, k.line+1)
		case err == io.EOF:
			if len(bytes.TrimSpace(k.rest)) == keyLogEntry { // the last line may have no end
				k.take(k.rest)
			}
			return
		case err != nil:
			k.err = fmt.Errorf("reading the key log %s: %w", k.name, err)
		default:
			k.take(k.rest)
			k.line++
			k.rest = k.rest[:0]
		}
	}
}

// take takes in a line.
func (k *KeyLog) take(line []byte) {
	fields := bytes.Fields(line)
	if len(fields) == 0 || string(fields[0]) != keyLogLabel {
		return
	}
	var random [randomLen]byte
	var master [masterLen]byte
	if len(fields) != 3 || !unhex(random[:], fields[1]) || !unhex(master[:], fields[2]) {
		k.err = fmt.Errorf("%s: line %d: %s must be followed by %d and %d bytes in hexadecimal", k.name, k.line+1, keyLogLabel, randomLen, masterLen)
		return
	}
	if len(k.secrets) == maxSecrets {
		k.err = fmt.Errorf("%s holds more than %d secrets", k.name, maxSecrets)
		return
	}
	k.secrets[random] = master
}

func unhex(into, text []byte) bool {
	if hex.DecodedLen(len(text)) != len(into) || len(text)%2 != 0 {
		return false
	}
	_, err := hex.Decode(into, text)
	return err == nil
}
