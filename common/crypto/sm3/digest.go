// SPDX-License-Identifier: Apache-2.0

package sm3

import (
	"encoding/binary"
	"errors"
	"hash"

	"github.com/emmansun/gmsm/sm3"
)

// New returns a hash of one message. It is an [encoding.BinaryAppender] and
// [encoding.BinaryUnmarshaler] too; a state that it has written can be used only
// by the same program on the same processor.
func New() hash.Hash {
	if !useOne {
		return sm3.New()
	}
	return &digest{state: initial}
}

// Sum returns the hash of data.
func Sum(data []byte) [Size]byte {
	return sumOne(&Message{Data: data})
}

func sumOne(m *Message) (sum [Size]byte) {
	if !useOne {
		h := sm3.New()
		h.Write(m.Prefix)
		h.Write(m.Data)
		h.Sum(sum[:0])
		return sum
	}
	d := digest{state: initial}
	d.Write(m.Prefix)
	d.Write(m.Data)
	d.finish(&sum)
	return sum
}

// digest is SM3 by compressOne.
type digest struct {
	state   [8]uint32
	length  uint64 // of all that was written, in bytes
	pending [BlockSize]byte
}

func (d *digest) Size() int      { return Size }
func (d *digest) BlockSize() int { return BlockSize }

func (d *digest) Reset() { *d = digest{state: initial} }

// Write never fails.
func (d *digest) Write(p []byte) (int, error) {
	written := len(p)
	n := int(d.length % BlockSize)
	d.length += uint64(written)
	if n > 0 {
		k := copy(d.pending[n:], p)
		if p = p[k:]; n+k < BlockSize {
			return written, nil
		}
		compressOne(&d.state, &d.pending[0], 1)
	}
	if blocks := len(p) / BlockSize; blocks > 0 {
		compressOne(&d.state, &p[0], blocks)
		p = p[blocks*BlockSize:]
	}
	copy(d.pending[:], p)
	return written, nil
}

func (d *digest) Sum(b []byte) []byte {
	var sum [Size]byte
	ended := *d
	ended.finish(&sum)
	return append(b, sum[:]...)
}

// finish pads (GB/T 32905-2016, 5.2); nothing can be written after it.
func (d *digest) finish(sum *[Size]byte) {
	var tail [2 * BlockSize]byte
	n := copy(tail[:], d.pending[:d.length%BlockSize])
	blocks := pad(&tail, n, d.length)
	compressOne(&d.state, &tail[0], blocks)
	for i, word := range d.state {
		binary.BigEndian.PutUint32(sum[4*i:], word)
	}
}

// pad ends a message of length bytes, the last n of which begin tail, which is
// zero behind them. It returns how many blocks of tail are to be hashed.
func pad(tail *[2 * BlockSize]byte, n int, length uint64) (blocks int) {
	tail[n] = 0x80
	blocks = 1
	if n+1+8 > BlockSize {
		blocks = 2
	}
	binary.BigEndian.PutUint64(tail[blocks*BlockSize-8:], length*8)
	return blocks
}

// A written state is mark, the state, pending and the length, as long as the
// engine's and with the chaining value at the same place.
const (
	mark      = "sm3\x01"
	stateSize = len(mark) + Size + BlockSize + 8
)

func (d *digest) MarshalBinary() ([]byte, error) {
	return d.AppendBinary(make([]byte, 0, stateSize))
}

func (d *digest) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, mark...)
	for _, word := range d.state {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	n := d.length % BlockSize
	b = append(b, d.pending[:n]...)
	b = append(b, make([]byte, BlockSize-n)...)
	return binary.BigEndian.AppendUint64(b, d.length), nil
}

func (d *digest) UnmarshalBinary(b []byte) error {
	if len(b) != stateSize || string(b[:len(mark)]) != mark {
		return errors.New("sm3: this is not a state of a hash that was written here")
	}
	b = b[len(mark):]
	for i := range d.state {
		d.state[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	copy(d.pending[:], b[Size:])
	d.length = binary.BigEndian.Uint64(b[Size+BlockSize:])
	return nil
}
