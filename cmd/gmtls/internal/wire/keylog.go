// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm3"
)

const (
	randomLen = 32
	masterLen = 48

	maxKeyLogLine = 4096
	maxSecrets    = 1 << 20
)

// Labels of secrets in a key log: the master secret of TLCP, and the traffic secrets of TLS 1.3.
const (
	masterLabel          = "CLIENT_RANDOM"
	clientHandshakeLabel = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
	serverHandshakeLabel = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
	clientTrafficLabel   = "CLIENT_TRAFFIC_SECRET_0"
	serverTrafficLabel   = "SERVER_TRAFFIC_SECRET_0"
)

// secretLens are the lengths of the secrets that are kept. Traffic secrets of another length are of suites without SM3.
var secretLens = map[string]int{
	masterLabel: masterLen, clientHandshakeLabel: sm3.Size, serverHandshakeLabel: sm3.Size, clientTrafficLabel: sm3.Size, serverTrafficLabel: sm3.Size,
}

// secretID says whose secret it is.
type secretID struct {
	label  string
	random [randomLen]byte // of the client
}

// KeyLog holds the secrets of a file in the NSS key log format. The file
// may still grow: the log reads what was appended when a caller needs an unknown
// secret. It must be used by one goroutine only.
type KeyLog struct {
	name    string
	r       *bufio.Reader
	rest    []byte // of a line whose end is not written yet
	line    int
	secrets map[secretID][]byte
	err     error
}

// NewKeyLog reads what is in the file by now. Lines of other labels and comments
// are ignored. name is in the errors, which never hold a secret.
func NewKeyLog(name string, r io.Reader) (*KeyLog, error) {
	k := &KeyLog{name: name, r: bufio.NewReaderSize(r, maxKeyLogLine), secrets: make(map[secretID][]byte)}
	k.read()
	return k, k.err
}

// Err returns the error of reading what was appended later.
func (k *KeyLog) Err() error { return k.err }

// secret returns the secret with a label of the connection with a client random;
// nil if there is none.
func (k *KeyLog) secret(label string, random []byte) []byte {
	if len(random) != randomLen {
		return nil
	}
	id := secretID{label, [randomLen]byte(random)}
	if k.secrets[id] == nil {
		k.read()
	}
	return k.secrets[id]
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
			if whole(k.rest) { // the last line may have no end
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

// whole tells a line of a secret that is kept from the beginning of one.
func whole(line []byte) bool {
	fields := bytes.Fields(line)
	return len(fields) == 3 && secretLens[string(fields[0])] > 0 && len(fields[2]) == 2*secretLens[string(fields[0])]
}

// take takes in a line.
func (k *KeyLog) take(line []byte) {
	fields := bytes.Fields(line)
	if len(fields) == 0 {
		return
	}
	id := secretID{label: string(fields[0])}
	n := secretLens[id.label]
	if n == 0 || id.label != masterLabel && len(fields) == 3 && len(fields[2]) > 2*n {
		return
	}
	secret := make([]byte, n)
	if len(fields) != 3 || !unhex(id.random[:], fields[1]) || !unhex(secret, fields[2]) {
		k.err = fmt.Errorf("%s: line %d: %s must be followed by %d and %d bytes in hexadecimal", k.name, k.line+1, id.label, randomLen, n)
		return
	}
	if len(k.secrets) == maxSecrets {
		k.err = fmt.Errorf("%s holds more than %d secrets", k.name, maxSecrets)
		return
	}
	k.secrets[id] = secret
}

func unhex(into, text []byte) bool {
	if hex.DecodedLen(len(text)) != len(into) || len(text)%2 != 0 {
		return false
	}
	_, err := hex.Decode(into, text)
	return err == nil
}
