// SPDX-License-Identifier: Apache-2.0

package blocksprovider

import (
	"errors"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/stretchr/testify/require"
)

// signs returns these errors in turn, and then a signature.
type signs struct {
	nobody
	errs []error
}

func (s *signs) Sign([]byte) ([]byte, error) {
	if len(s.errs) == 0 {
		return []byte("signature"), nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return nil, err
}

// A deliverer whose request cannot be signed now does not end, unless it is stopped.
func TestSeekRequestsWaitForDevices(t *testing.T) {
	away := &keyd.Error{Code: keyd.Unavailable}
	busy := &keyd.Error{Code: keyd.Failed, Op: keyd.OpSignDigest}
	d := &Deliverer{Dialer: plainDialer{}, DoneC: make(chan struct{}), Signer: &signs{errs: []error{away, busy}}}
	envelope, err := d.createSeekInfo(7)
	require.NoError(t, err)
	require.Equal(t, "signature", string(envelope.Signature))

	d.Signer = &signs{errs: []error{away, errors.New("another fault")}}
	_, err = d.createSeekInfo(7)
	require.EqualError(t, err, "another fault")

	close(d.DoneC)
	d.Signer = &signs{errs: []error{away, away}}
	_, err = d.createSeekInfo(7)
	require.ErrorIs(t, err, away)
}
