// SPDX-License-Identifier: Apache-2.0

package txmgr

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/protoutil"
)

// TestReconciledWrites: private data that come later are written where they are what the hashed state says of the key.
func TestReconciledWrites(t *testing.T) {
	env := testEnvsMap[levelDBtestEnvName]
	env.init(t, "reconciled", nil)
	defer env.cleanup()
	db := env.getVDB()
	for _, f := range []protoutil.HashFunction{protoutil.HashSHA256, protoutil.HashSM3} {
		db.SetHashFunction(f)
		hash := func(s string) []byte { return f.Sum([]byte(s)) }
		at := version.NewHeight(5, 1)
		batch := privacyenabledstate.NewUpdateBatch()
		batch.HashUpdates.Put("ns", "coll", hash("key"), hash("value"), at)
		require.NoError(t, db.ApplyPrivacyAwareUpdates(batch, version.NewHeight(6, 1)))
		for name, test := range map[string]struct {
			write privacyenabledstate.PvtKVWrite
			kept  bool
		}{
			"the value":                       {privacyenabledstate.PvtKVWrite{Key: "key", Value: []byte("value"), Version: at}, true},
			"the value, of an old version":    {privacyenabledstate.PvtKVWrite{Key: "key", Value: []byte("value"), Version: version.NewHeight(4, 1)}, true},
			"another value":                   {privacyenabledstate.PvtKVWrite{Key: "key", Value: []byte("another"), Version: at}, false},
			"a deletion":                      {privacyenabledstate.PvtKVWrite{Key: "key", IsDelete: true, Version: at}, false},
			"a deletion with the value":       {privacyenabledstate.PvtKVWrite{Key: "key", Value: []byte("value"), IsDelete: true, Version: at}, false},
			"the same, of another version":    {privacyenabledstate.PvtKVWrite{Key: "key", Value: []byte("value"), IsDelete: true, Version: version.NewHeight(7, 1)}, false},
			"a deletion of what is not there": {privacyenabledstate.PvtKVWrite{Key: "gone", IsDelete: true, Version: at}, true},
			"a value of what is not there":    {privacyenabledstate.PvtKVWrite{Key: "gone", Value: []byte("value"), Version: at}, false},
		} {
			key := privacyenabledstate.HashedCompositeKey{Namespace: "ns", CollectionName: "coll", KeyHash: string(hash(test.write.Key))}
			unique := uniquePvtDataMap{key: &test.write}
			require.NoError(t, unique.findAndRemoveStalePvtData(db))
			require.Equal(t, test.kept, len(unique) == 1, name)
		}
	}
}
