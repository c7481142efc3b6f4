// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb/mock"
)

// TestReservedFieldsBesideHugeNumbers writes objects with a number that is no float64. They are stored as bytes, whatever fields they have.
func TestReservedFieldsBesideHugeNumbers(t *testing.T) {
	values := []string{
		`{"_x":1,"n":1e400}`, `{"n":1e400,"_rev":"z"}`, `{"_deleted":true,"n":-1e999}`, `{"_id":"other","n":[{"n":1e400}]}`,
		`{"_attachments":{"valueBytes":{"data":"eA=="}},"n":1e400}`, `{"~version":"CgMBAQA=","n":1e400}`, `{"a":1,"n":1e400}`, `{"n":1e400}`,
	}
	for _, value := range values {
		t.Run(value, func(t *testing.T) { testStoredAsBytes(t, value) })
	}

	// What queries find in the document stays.
	doc, err := keyValToCouchDoc(&keyValue{key: "key", VersionedValue: &statedb.VersionedValue{
		Value: []byte(`{"_x":1,"_deleted":true,"_rev":"z","~version":1,"a":1,"n":1e400}`), Version: version.NewHeight(1, 1),
	}})
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(doc.jsonValue, &fields))
	require.IsType(t, "", fields[versionField])
	delete(fields, versionField)
	require.Equal(t, map[string]any{idField: "key", "a": 1.0, "n": nil}, fields)
}

func testStoredAsBytes(t *testing.T, value string) {
	require.NoError(t, validateValue([]byte(value)), "stock peers take it")
	db, server, _ := couch(t)
	for height := uint64(1); height < 3; height++ { // the second time it has a revision
		batch := statedb.NewUpdateBatch()
		batch.Put(namespace, "key", []byte(value), version.NewHeight(height, 1))
		batch.Put(namespace, "other key", []byte("other"), version.NewHeight(height, 2))
		require.NoError(t, db.ApplyUpdates(batch, version.NewHeight(height, 2)))

		fresh, err := open(t, server).GetDBHandle(channel, &mock.NamespaceProvider{}) // with nothing in its cache
		require.NoError(t, err)
		for _, db := range []statedb.VersionedDB{db, fresh} {
			found, err := db.GetState(namespace, "key")
			require.NoError(t, err)
			require.NotNil(t, found)
			require.Equal(t, value, string(found.Value))
			require.Equal(t, version.NewHeight(height, 1), found.Version)
		}
		require.Equal(t, []string{"key", "other key"}, scan(t, fresh, namespace, "", ""))
	}
}
