// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"encoding/binary"

	"github.com/pkg/errors"
)

// decodeBytes looks at the length before upstream makes room for so many bytes.
//
//fork:wrap fix: a length in a snapshot that its file cannot have does not end the peer
func (r *FileReader) decodeBytes() ([]byte, error) {
	start, _ := r.bufReader.Peek(binary.MaxVarintLen64) // fewer at the end of the file
	if length, n := binary.Uvarint(start); n > 0 && length > uint64(len(r.reusableByteSlice)) {
		if err := r.fits(length); err != nil {
			return nil, err
		}
	}
	return r.upstreamDecodeBytes()
}

// fits refuses a number of bytes that the file does not have.
func (r *FileReader) fits(length uint64) error {
	info, err := r.file.Stat()
	if err != nil {
		return errors.Wrapf(err, "error while reading from snapshot file: %s", r.file.Name())
	}
	if length > uint64(info.Size()) {
		return errors.Errorf("snapshot file %s claims to have %d bytes in one entry, and has %d bytes; do not use this snapshot, and ask its sender for another",
			r.file.Name(), length, info.Size())
	}
	return nil
}
