// SPDX-License-Identifier: Apache-2.0

package keyd

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"sync"
	"time"
)

// random is an io.Reader of the device's random bytes, each combined with one of the operating system's by exclusive or: the
// result is at least as good as the better of the two. It may be used by several goroutines.
type random struct {
	client *Client
	device string

	mu     sync.Mutex
	stock  []byte    // protected by mu, as all below: device's bytes that have not been handed out
	err    error     // of the last attempt to fetch some
	failed time.Time // when it ended, if it failed
}

// randomTimeout is how long an attempt to fetch random bytes may take.
var randomTimeout = DefaultTimeout

var (
	sourcesMu sync.Mutex
	sources   []*random // protected by sourcesMu
)

// Random returns the generator that mixes the random bytes of a device into the system's. An empty device means the daemon's first
// device that serves random bytes. Its Read fails when the device does.
func Random(socket, device string) io.Reader {
	r := &random{client: ClientFor(socket), device: device}
	sourcesMu.Lock()
	defer sourcesMu.Unlock()
	sources = append(sources, r)
	return r
}

// Read fills p.
func (r *random) Read(p []byte) (int, error) {
	if _, err := rand.Read(p); err != nil {
		return 0, err
	}
	begun := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for done := 0; done < len(p); {
		if len(r.stock) == 0 {
			if err := r.refillSince(begun); err != nil {
				clear(p)
				return 0, err
			}
		}
		n := subtle.XORBytes(p[done:], p[done:], r.stock)
		clear(r.stock[:n])
		r.stock = r.stock[n:]
		done += n
	}
	return len(p), nil
}

// refillSince fetches bytes for somebody who has waited since begun. Those who waited while an attempt failed share its error: each would take
// its own time otherwise, one after the other. It needs mu.
func (r *random) refillSince(begun time.Time) error {
	if r.err != nil && r.failed.After(begun) {
		return r.err
	}
	if r.err = r.refill(); r.err != nil {
		r.failed = time.Now()
	}
	return r.err
}

// refill fetches bytes from the device. It needs mu.
func (r *random) refill() error {
	ctx, cancel := context.WithTimeout(context.Background(), randomTimeout)
	defer cancel()
	var count [4]byte
	binary.BigEndian.PutUint32(count[:], MaxRandom)
	stock, err := r.client.Do(ctx, OpRandom, r.device, count[:])
	if err == nil && len(stock) != MaxRandom {
		err = &Error{Code: Unavailable, Op: OpRandom, Name: r.device, Socket: r.client.socket, Reason: "fewer bytes than asked for"}
	}
	if err == nil {
		r.stock = stock
	}
	return err
}

// randomHealth reports whether the sources of random bytes in use can be read.
func randomHealth(ctx context.Context) error {
	sourcesMu.Lock()
	defer sourcesMu.Unlock()
	for _, r := range sources {
		var count [4]byte
		binary.BigEndian.PutUint32(count[:], 16)
		if _, err := r.client.Do(ctx, OpRandom, r.device, count[:]); err != nil {
			return err
		}
	}
	return nil
}
