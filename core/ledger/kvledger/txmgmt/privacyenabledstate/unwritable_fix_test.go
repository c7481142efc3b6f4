// SPDX-License-Identifier: Apache-2.0

package privacyenabledstate

import (
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/bookkeeping"
	testmock "github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate/mock"
	"github.com/hyperledger/fabric/core/ledger/mock"
	"github.com/hyperledger/fabric/internal/couchtest"
	"github.com/stretchr/testify/require"
)

// TestPrivateDataThatCouchDBCannotHave commits private data of members of a collection. Other peers do not see it, so it cannot make the
// transaction invalid: what CouchDB cannot have is not stored, and the rest is.
func TestPrivateDataThatCouchDBCannotHave(t *testing.T) {
	server := couchtest.Start()
	defer server.Close()
	bookkeeper := bookkeeping.NewTestEnv(t)
	defer bookkeeper.Cleanup()
	provider, err := NewDBProvider(bookkeeper.TestProvider, &disabled.Provider{}, &mock.HealthCheckRegistry{},
		&StateDBConfig{StateDBConfig: &ledger.StateDBConfig{StateDatabase: ledger.CouchDB, CouchDB: &ledger.CouchDBConfig{
			Address: server.Address(), InternalQueryLimit: 10, MaxBatchUpdateSize: 10, MaxRetries: 1, MaxRetriesOnStartup: 1,
			RequestTimeout: 10 * time.Second, RedoLogPath: t.TempDir(),
		}}}, nil)
	require.NoError(t, err)
	defer provider.Close()
	db, err := provider.GetDBHandle("channel", &testmock.ChannelInfoProvider{})
	require.NoError(t, err)

	at := version.NewHeight(1, 1)
	batch := NewUpdateBatch()
	batch.PvtUpdates.Put("ns", "coll", "key", []byte("value"), at)
	batch.PvtUpdates.Put("ns", "coll", "_x", []byte("value"), at)
	batch.PvtUpdates.Put("ns", "coll", "\xff", []byte("value"), at)
	batch.PvtUpdates.Put("ns", "coll", "reserved", []byte(`{"_id":1}`), at)
	batch.PvtUpdates.Delete("ns", "coll", "_y", at)
	batch.PvtUpdates.Put("ns", "集合", "key", []byte("value"), at)
	batch.PvtUpdates.Put("ns", "another", "_x", []byte("value"), at)
	require.NoError(t, db.ApplyPrivacyAwareUpdates(batch, at))

	for _, key := range []string{"_x", "\xff", "reserved", "_y"} {
		value, err := db.GetPrivateData("ns", "coll", key)
		require.NoError(t, err)
		require.Nil(t, value)
	}
	value, err := db.GetPrivateData("ns", "coll", "key")
	require.NoError(t, err)
	require.Equal(t, "value", string(value.Value))
	require.Equal(t, []string{"channel_", "channel_ns$$pcoll", "fabric__internal"}, server.Databases())
}
