// SPDX-License-Identifier: Apache-2.0

package transientstore

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/transientstore"
	"github.com/stretchr/testify/require"
)

// TestZeroByteInIdentifier: nobody hides the private data of a transaction, or keeps them from being purged, by data of an
// identifier that begins with the same.
func TestZeroByteInIdentifier(t *testing.T) {
	provider, err := NewStoreProvider(t.TempDir())
	require.NoError(t, err)
	defer provider.Close()
	store, err := provider.OpenStore("mine")
	require.NoError(t, err)
	private := &transientstore.TxPvtReadWriteSetWithConfigInfo{EndorsedAt: 1}
	require.NoError(t, store.Persist("tx", 5, private))
	refused := store.Persist("tx\x00-", 5, private)
	count := 0
	found, err := store.GetTxPvtRWSetByTxid("tx", nil)
	require.NoError(t, err)
	for {
		result, err := found.Next()
		require.NoError(t, err)
		if result == nil {
			break
		}
		count++
	}
	found.Close()
	require.Equal(t, 1, count)
	require.NoError(t, store.PurgeByTxids([]string{"tx"}))
	require.EqualError(t, refused, `private data of transaction "tx\x00-" are refused: a zero byte in its identifier`)
}
