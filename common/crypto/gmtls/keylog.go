// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"encoding/hex"
	"fmt"
	"io"
	"sync"
)

// keyLogMu keeps the lines of concurrent connections apart.
var keyLogMu sync.Mutex

// writeKeyLog writes a line of the NSS key log format: label, the client's
// random, secret.
func writeKeyLog(w io.Writer, label string, clientRandom, secret []byte) error {
	line := make([]byte, 0, 256)
	line = append(append(line, label...), ' ')
	line = hex.AppendEncode(line, clientRandom)
	line = append(line, ' ')
	line = hex.AppendEncode(line, secret)
	line = append(line, '\n')
	keyLogMu.Lock()
	defer keyLogMu.Unlock()
	if _, err := w.Write(line); err != nil {
		return internal(fmt.Errorf("writing the key log: %w", err))
	}
	return nil
}
