// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Types and flags of frames (RFC 9113, 6.1, 6.2, 6.4 to 6.7 and 6.10).
const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePushPromise  = 5
	framePing         = 6
	frameContinuation = 9
	flagEndStream     = 1
	flagEndHeaders    = 4
)

// clientPreface is the length of what a client sends before its first frame
// (RFC 9113, 3.4).
const clientPreface = 24

// maxSettings bounds a SETTINGS frame, in bytes: 32 settings of six bytes, where
// six are defined. gRPC keeps up to 10,000 frames for a peer that takes no
// answers, and of these only SETTINGS may be long: with 16 KiB in each, one
// connection held more than 100 MiB.
const maxSettings = 32 * 6

// frames follows the boundaries of HTTP/2 frames in one direction.
type frames struct {
	header  [9]byte
	have    int  // bytes of the present header
	payload int  // bytes of the present payload, or of the client's preface, still to come
	any     bool // whether one whole header has passed
	block   bool // whether a field block continues in the next frame
	fields  bool // whether the last header is that of a frame with fields

	// each is called with what a header says; nil: nobody asks.
	each func(kind, flags byte, stream uint32) error
}

// advance follows p. The connection ends with its error.
func (f *frames) advance(p []byte) error {
	for len(p) > 0 {
		n, err := f.step(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// pastFields follows p to the end of the first field block that ends in it, or
// to the end of p, and returns how much that is.
func (f *frames) pastFields(p []byte) (n int, err error) {
	for n < len(p) {
		step, err := f.step(p[n:])
		if err != nil {
			return n, err
		}
		n += step
		if f.fields && f.atBoundary() {
			f.fields = false
			break
		}
	}
	return n, nil
}

// step follows p, which is not empty, to the end of a header or of a payload.
func (f *frames) step(p []byte) (n int, err error) {
	if f.payload > 0 {
		n = min(f.payload, len(p))
		f.payload -= n
		return n, nil
	}
	n = copy(f.header[f.have:], p)
	if f.have += n; f.have < len(f.header) {
		return n, nil
	}
	f.have = 0
	f.payload = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
	f.any, f.fields = true, false
	switch f.header[3] {
	case frameHeaders, framePushPromise, frameContinuation:
		f.block, f.fields = f.header[4]&flagEndHeaders == 0, true
	case frameSettings:
		if f.payload > maxSettings {
			return n, fmt.Errorf("comm: a SETTINGS frame of %d bytes is refused, the most is %d", f.payload, maxSettings)
		}
	}
	if f.each != nil {
		err = f.each(f.header[3], f.header[4], binary.BigEndian.Uint32(f.header[5:])&math.MaxInt32)
	}
	return n, err
}

// atBoundary reports whether another frame may be here: no frame is under
// way, and no field block, whose frames nothing may part (RFC 9113, 4.3).
func (f *frames) atBoundary() bool {
	return f.any && f.have == 0 && f.payload == 0 && !f.block
}
