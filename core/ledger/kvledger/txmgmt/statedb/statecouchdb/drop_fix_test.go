// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb/mock"
)

// TestDropOfInterruptedJoin drops a channel of which CouchDB has nothing but its database.
func TestDropOfInterruptedJoin(t *testing.T) {
	_, server, provider := couch(t)
	before := server.Databases()
	_, err := createCouchDatabase(provider.couchInstance, constructMetadataDBName("interrupted"))
	require.NoError(t, err)
	require.NotEqual(t, before, server.Databases())
	for range 2 {
		require.NoError(t, provider.Drop("interrupted"))
		require.Equal(t, before, server.Databases())
	}
}

// TestDropOfOldLedger drops a ledger that has state, and no list of namespaces until it is opened.
func TestDropOfOldLedger(t *testing.T) {
	db, server, provider := couch(t)
	put(t, namespace, []string{"key"}, db)
	require.NoError(t, db.metadataDB.deleteDoc(channelMetadataDocID, ""))
	before := server.Databases()
	require.ErrorContains(t, provider.Drop(channel), "database channel_ has no list of its namespaces")
	require.Equal(t, before, server.Databases())

	old := &mock.NamespaceProvider{}
	old.PossibleNamespacesReturns([]string{namespace}, nil)
	again := open(t, server)
	_, err := again.GetDBHandle(channel, old)
	require.NoError(t, err)
	require.NoError(t, again.Drop(channel))
	require.Equal(t, []string{"fabric__internal"}, server.Databases())
	require.NotContains(t, again.databases, channel)
}
