// SPDX-License-Identifier: Apache-2.0

package pvtstatepurgemgmt

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/pvtdatapolicy"
	btltestutil "github.com/hyperledger/fabric/core/ledger/pvtdatapolicy/testutil"
	"github.com/hyperledger/fabric/protoutil"
)

// buildExpirySchedule is what upstream's tests call.
func buildExpirySchedule(
	policy pvtdatapolicy.BTLPolicy, private *privacyenabledstate.PvtUpdateBatch, hashed *privacyenabledstate.HashedUpdateBatch,
) ([]*expiryInfo, error) {
	return buildExpiryScheduleOf(protoutil.HashSHA256, policy, private, hashed)
}

// TestScheduleHasKeyAndHashOnce: a private key and its hash are one entry, so the function must be that of the hashes.
func TestScheduleHasKeyAndHashOnce(t *testing.T) {
	policy := btltestutil.SampleBTLPolicy(map[[2]string]uint64{{"ns", "coll"}: 1})
	for _, f := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
		updates := privacyenabledstate.NewUpdateBatch()
		height := version.NewHeight(1, 1)
		updates.PvtUpdates.Put("ns", "coll", "key", []byte("value"), height)
		updates.HashUpdates.Put("ns", "coll", f.Sum([]byte("key")), f.Sum([]byte("value")), height)
		schedule, err := buildExpiryScheduleOf(f, policy, updates.PvtUpdates, updates.HashUpdates)
		require.NoError(t, err)
		expected := newPvtdataKeys()
		expected.add("ns", "coll", "key", f.Sum([]byte("key")))
		require.Len(t, schedule, 1)
		require.Equal(t, expected.Map, schedule[0].pvtdataKeys.Map)
	}
}
