// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/rand"
	"io"
	"sync/atomic"
)

// source is where random bytes come from; nil means the system.
var source atomic.Pointer[io.Reader]

// UseRandom makes the national algorithms of this process, TLCP included, take their random bytes from r, from now on.
func UseRandom(r io.Reader) { source.Store(&r) }

// generator reads from the source that is in use when it is read.
type generator struct{}

// Read fills p or fails.
func (generator) Read(p []byte) (int, error) {
	if r := source.Load(); r != nil {
		return io.ReadFull(*r, p)
	}
	return rand.Read(p)
}

// Random is the source of random bytes for keys, nonces and signatures.
func Random() io.Reader { return generator{} }
