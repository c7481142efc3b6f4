// SPDX-License-Identifier: Apache-2.0

package protoutil

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/stretchr/testify/require"
)

// signs returns these errors in turn, and then a signature.
type signs []error

func (s *signs) Sign([]byte) ([]byte, error) {
	if len(*s) == 0 {
		return []byte("signature"), nil
	}
	err := (*s)[0]
	*s = (*s)[1:]
	return nil, err
}

func (s *signs) Serialize() ([]byte, error) { return nil, nil }

// A device that cannot sign a block now does not end the orderer; what will never sign does, as before.
func TestSignOrPanicWaitsForDevices(t *testing.T) {
	away := fmt.Errorf("signing: %w", &keyd.Error{Code: keyd.Unavailable})
	removed := &keyd.Error{Code: keyd.NoKey}
	require.Equal(t, "signature", string(SignOrPanic(&signs{away, removed}, nil)))
	require.PanicsWithError(t, "failed generating signature: another fault", func() { SignOrPanic(&signs{away, errors.New("another fault"), away}, nil) })
	busy := &keyd.Error{Code: keyd.Failed, Op: keyd.OpSignDigest}
	require.Equal(t, "signature", string(SignOrPanic(&signs{busy, away, busy}, nil)))
	require.Panics(t, func() { SignOrPanic(nil, nil) })
}
