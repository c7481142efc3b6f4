// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/kvledger"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
)

// A snapshot without private hashes, or without state, has none of the records of the other.
func TestCompareWithNothing(t *testing.T) {
	record := []*testRecord{{namespace: "ns", key: "key", value: "value", blockNum: 1, txNum: 1}}
	private := []*testRecord{{namespace: "ns$$hcoll", key: "key", value: "value", blockNum: 1, txNum: 1}}
	var dirs []string
	for _, hash := range []string{"aa", "bb"} {
		dirs = append(dirs, t.TempDir())
		require.NoError(t, createSnapshot(dirs[len(dirs)-1], record, private, &kvledger.SnapshotSignableMetadata{
			ChannelName: "channel", LastBlockNumber: 1,
			FilesAndHashes: map[string]string{privacyenabledstate.PubStateDataFileName: hash, privacyenabledstate.PvtStateHashesFileName: hash},
		}))
	}
	for _, file := range []string{privacyenabledstate.PvtStateHashesFileName, privacyenabledstate.PubStateDataFileName} {
		require.NoError(t, os.Remove(filepath.Join(dirs[0], file)))
		for _, order := range [][]string{{dirs[0], dirs[1]}, {dirs[1], dirs[0]}} {
			count, _, err := Compare(order[0], order[1], t.TempDir(), 10)
			require.NoError(t, err)
			require.Positive(t, count)
		}
	}
}
