// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/internal/version"
)

// TestSnapshotOfKeysThatCouchCannotHave imports state of LevelDB. Each key is stored as it is, or the import fails.
func TestSnapshotOfKeysThatCouchCannotHave(t *testing.T) {
	for _, key := range []string{"key", "\xff", "_x"} {
		_, _, provider := couch(t)
		onLevel := level(t)
		put(t, namespace, []string{"a", key}, onLevel)
		state, err := onLevel.GetFullScanIterator(func(string) bool { return false })
		require.NoError(t, err)
		defer state.Close()
		err = provider.ImportFromSnapshot("joined", version.NewHeight(1, 2), state)
		if key == "key" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, `the snapshot has a key in namespace "chaincode" that CouchDB cannot have`)
			require.ErrorContains(t, err, "invalid key")
		}
		require.NoError(t, provider.Drop("joined"))
	}
}
