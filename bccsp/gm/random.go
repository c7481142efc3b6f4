// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/rand"
	"io"
	"sync/atomic"

	"github.com/hyperledger/fabric/common/crypto/randomness"
)

// source is where random bytes come from.
var source atomic.Pointer[randomness.Monitor]

func init() { UseRandom(rand.Reader) }

// UseRandom makes the national algorithms of this process, TLCP included, take their random bytes from r, from now on.
func UseRandom(r io.Reader) { source.Store(randomness.NewMonitor(r)) }

// generator reads from the source that is in use when it is read.
type generator struct{}

// Read fills p or fails.
func (generator) Read(p []byte) (int, error) { return source.Load().Read(p) }

// Random is the source of random bytes for keys, nonces and signatures. Each byte is tested before it is given (randomness.Monitor). After
// a test has failed, whatever needs random bytes fails, until the process is started again.
func Random() io.Reader { return generator{} }
