// SPDX-License-Identifier: Apache-2.0

package pvtdatastorage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger"
	btltestutil "github.com/hyperledger/fabric/core/ledger/pvtdatapolicy/testutil"
)

// TestPurgedWhileMadeEligible: the entries of missing data of a collection become eligible in batches, with a pause after each in
// which the purger may work. What it takes away in a pause does not come back with a later batch.
func TestPurgedWhileMadeEligible(t *testing.T) {
	config := pvtDataConf()
	config.MaxBatchSize, config.BatchesInterval, config.PurgeInterval = 1, 200, 1_000_000
	env := NewTestStoreEnv(t, "eligible", btltestutil.SampleBTLPolicy(map[[2]string]uint64{{"ns", "coll"}: 0}), config)
	defer env.Cleanup()
	s := env.TestStore
	require.NoError(t, s.Commit(0, nil, nil, nil))
	const blocks = 5
	for block := uint64(1); block <= blocks; block++ {
		missing := ledger.TxMissingPvtData{}
		missing.Add(1, "ns", "coll", false)
		require.NoError(t, s.Commit(block, nil, missing, nil))
	}
	key := func(block uint64) *missingDataKey {
		return &missingDataKey{nsCollBlk: nsCollBlk{ns: "ns", coll: "coll", blkNum: block}}
	}
	require.NoError(t, s.ProcessCollsEligibilityEnabled(blocks+1, map[string][]string{"ns": {"coll"}}))

	// The newest block is the first. A lock that is waited for goes to the waiter at the next pause.
	purged := false
	for end := time.Now().Add(10 * time.Second); !purged && time.Now().Before(end); {
		s.purgerLock.Lock()
		if testElgPrioMissingDataKeyExists(t, s, key(blocks)) {
			require.True(t, testInelgMissingDataKeyExists(t, s, key(1)), "there was no turn in a pause")
			require.NoError(t, s.db.Delete(encodeInelgMissingDataKey(key(1)), true))
			purged = true
		}
		s.purgerLock.Unlock()
	}
	require.True(t, purged, "nothing became eligible")
	s.collElgProcSync.waitForDone()
	require.False(t, testElgPrioMissingDataKeyExists(t, s, key(1)), "it is back")
	for block := uint64(2); block <= blocks; block++ {
		require.True(t, testElgPrioMissingDataKeyExists(t, s, key(block)), "block %d", block)
		require.False(t, testInelgMissingDataKeyExists(t, s, key(block)), "block %d", block)
	}
}
