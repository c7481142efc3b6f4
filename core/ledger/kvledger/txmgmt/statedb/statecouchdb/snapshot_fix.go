// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import (
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric/core/ledger/internal/version"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/statedb"
)

// ImportFromSnapshot imports state.
//
//fork:wrap fix: a key of a snapshot that CouchDB cannot have is an error, and not stored as another key
func (provider *VersionedDBProvider) ImportFromSnapshot(channel string, savepoint *version.Height, state statedb.FullScanIterator) error {
	if state != nil {
		state = legalKeys{state}
	}
	return provider.upstreamImportFromSnapshot(channel, savepoint, state)
}

type legalKeys struct{ statedb.FullScanIterator }

func (l legalKeys) Next() (*statedb.VersionedKV, error) {
	kv, err := l.FullScanIterator.Next()
	if err != nil || kv == nil {
		return kv, err
	}
	if err := validateKey(kv.Key); err != nil {
		return nil, errors.WithMessagef(err, "the snapshot has a key in namespace %q that CouchDB cannot have; use LevelDB, as the peer that made it", kv.Namespace)
	}
	return kv, nil
}
