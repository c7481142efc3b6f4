// SPDX-License-Identifier: Apache-2.0

package queryutil_test

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/queryutil"
	"github.com/hyperledger/fabric/protoutil"
)

// TestUpdatesByFunction: private data in an update batch are found by the function of the channel alone.
func TestUpdatesByFunction(t *testing.T) {
	sha, sm := sha256.Sum256([]byte("key")), sm3.Sum([]byte("key"))
	batch := privacyenabledstate.NewHashedUpdateBatch()
	batch.Put("ns", "coll", sha[:], []byte("by SHA-256"), nil)
	batch.Put("ns", "coll", sm[:], []byte("by SM3"), nil)
	for f, expected := range map[protoutil.HashFunction]string{protoutil.HashSHA256: "by SHA-256", protoutil.HashSM3: "by SM3"} {
		executer := &queryutil.UpdateBatchBackedQueryExecuter{HashUpdatesBatch: batch, Hash: f}
		found, err := executer.GetPrivateDataHash("ns", "coll", "key")
		require.NoError(t, err)
		require.NotNil(t, found)
		require.Equal(t, expected, string(found.Value))
	}
}
