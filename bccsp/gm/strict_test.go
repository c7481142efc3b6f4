// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"crypto/rand"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"
)

type stuck struct{}

func (stuck) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

func TestStrictNeedsRandomBytes(t *testing.T) {
	t.Cleanup(func() { UseRandom(rand.Reader); strict.Store(false) })
	UseRandom(stuck{})
	require.ErrorContains(t, EnableStrict(), "power-on test of the source of random bytes: random bytes fail the test")
	require.False(t, Strict())
	UseRandom(rand.Reader)
	require.NoError(t, EnableStrict())
	require.True(t, Strict())
}

func TestInconsistentPairIsRefused(t *testing.T) {
	key, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	require.NoError(t, checkPair(key))
	other, err := sm2.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key.PublicKey = other.PublicKey
	require.ErrorIs(t, checkPair(key), errInconsistent)
}
