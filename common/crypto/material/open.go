// SPDX-License-Identifier: Apache-2.0

package material

import (
	"io"
	"os"
	"syscall"
)

// ReadUpTo reads a file, and of a longer one the first bytes, most of them. A pipe that nobody has opened for writing is
// empty: os.Open would wait for a writer without end.
func ReadUpTo(name string, most int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
