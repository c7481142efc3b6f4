// SPDX-License-Identifier: Apache-2.0

package blocksprovider

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// rotatingDialer presents another certificate each time it is asked.
type rotatingDialer struct{ hash byte }

func (d *rotatingDialer) Dial(string, [][]byte) (*grpc.ClientConn, error) {
	return nil, errors.New("not dialed in this test")
}

func (d *rotatingDialer) BindingHash() []byte {
	d.hash++
	return []byte{d.hash}
}

// plainDialer is a dialer that knows nothing of live certificates.
type plainDialer struct{}

func (plainDialer) Dial(string, [][]byte) (*grpc.ClientConn, error) {
	return nil, errors.New("not dialed in this test")
}

func TestBindingHash(t *testing.T) {
	live := &Deliverer{Dialer: &rotatingDialer{}, TLSCertHash: []byte{99}}
	require.Equal(t, []byte{1}, live.bindingHash())
	require.Equal(t, []byte{2}, live.bindingHash(), "the certificate was rotated in between")

	require.Nil(t, (&Deliverer{Dialer: &rotatingDialer{}}).bindingHash(), "without mutual TLS there is nothing to bind to")
	require.Equal(t, []byte{99}, (&Deliverer{Dialer: plainDialer{}, TLSCertHash: []byte{99}}).bindingHash())
}
