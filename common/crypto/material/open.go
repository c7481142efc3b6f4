// SPDX-License-Identifier: Apache-2.0

package material

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// ReadBounded reads a file of any kind, and refuses one of more than most bytes, as a device would have no end. A pipe that
// nobody has opened for writing is empty: os.Open would wait for a writer without end.
func ReadBounded(name string, most int) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > most {
		return nil, tooLarge(name, most)
	}
	return data, nil
}

func tooLarge(name string, most int) error {
	return &Error{File: name, Err: fmt.Errorf("it has more than the %d bytes that are allowed", most), Remedy: "give a file with only what is needed"}
}
