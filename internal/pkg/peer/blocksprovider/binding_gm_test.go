// SPDX-License-Identifier: Apache-2.0

package blocksprovider

import (
	"errors"
	"testing"

	"github.com/hyperledger/fabric/protoutil"
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

// nobody signs.
type nobody struct{}

func (nobody) Sign([]byte) ([]byte, error) { return nil, nil }

func (nobody) Serialize() ([]byte, error) { return nil, nil }

// claimed returns the hash in the seek request that the deliverer makes.
func claimed(t *testing.T, d *Deliverer) []byte {
	t.Helper()
	d.Signer = nobody{}
	env, err := d.createSeekInfo(7)
	require.NoError(t, err)
	payload, err := protoutil.UnmarshalPayload(env.Payload)
	require.NoError(t, err)
	header, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	require.NoError(t, err)
	return header.TlsCertHash
}

// TestSeekRequestsBindToTheCertificateInUse: the dialer is asked for each request, not once.
func TestSeekRequestsBindToTheCertificateInUse(t *testing.T) {
	live := &Deliverer{Dialer: &rotatingDialer{}, TLSCertHash: []byte{99}}
	require.Equal(t, []byte{1}, claimed(t, live))
	require.Equal(t, []byte{2}, claimed(t, live), "the certificate was rotated in between")

	require.Empty(t, claimed(t, &Deliverer{Dialer: &rotatingDialer{}}), "without mutual TLS there is nothing to bind to")
	require.Equal(t, []byte{99}, claimed(t, &Deliverer{Dialer: plainDialer{}, TLSCertHash: []byte{99}}))
}
