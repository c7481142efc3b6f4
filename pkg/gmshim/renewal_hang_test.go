// SPDX-License-Identifier: Apache-2.0

package gmshim

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
)

// TestFilesThatHang: a dead mount keeps no peer from connecting.
func TestFilesThatHang(t *testing.T) {
	pair := gmtlstest.NewCA(t).NewPair(t, "cc")
	dead, mounted := make(chan struct{}), make(chan struct{})
	p := protection{tlcp: &TLCPProperties{SignCert: pair.SignCert, SignKey: pair.SignKey, EncCert: pair.EncCert, EncKey: pair.EncKey}}
	var log bytes.Buffer
	r, err := newRenewal(p, func() (protection, error) {
		close(dead)
		<-mounted
		return p, nil
	}, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	r.checked = time.Time{}

	first := make(chan struct{})
	go func() {
		defer close(first)
		r.latest()
	}()
	<-dead
	r.mu.Lock()
	r.checked = time.Time{}
	r.mu.Unlock()
	for _, connection := range []chan struct{}{make(chan struct{}), first} {
		if connection != first {
			go func() {
				defer close(connection)
				r.latest()
			}()
		}
		select {
		case <-connection:
		case <-time.After(20 * time.Second):
			t.Fatal("a connection waits for files")
		}
	}
	require.Contains(t, log.String(), "cannot be read in time")
	close(mounted)
	r.reading.Lock() // the reading has ended
}
