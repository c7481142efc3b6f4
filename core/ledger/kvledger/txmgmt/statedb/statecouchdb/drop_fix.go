// SPDX-License-Identifier: Apache-2.0

package statecouchdb

import "github.com/pkg/errors"

// listToDrop returns the list of namespaces of a channel that is dropped. It is empty if the channel's database is there and the list is not: the
// list is written next, and a peer can stop between.
func listToDrop(metadataDB *couchDatabase) (*channelMetadata, error) {
	list, err := readChannelMetadata(metadataDB)
	if err != nil || list != nil {
		return list, err
	}
	// A ledger of v2.0 has no list until it is opened, and has state.
	savepoint, _, err := metadataDB.readDoc(savepointDocID)
	if err == nil && savepoint != nil {
		err = errors.Errorf("CouchDB has state of the channel, but database %s has no list of its namespaces; "+
			"start the peer once, which makes the list, or remove the databases whose names begin with %[1]s", metadataDB.dbName)
	}
	return &channelMetadata{}, err
}

// forget takes a channel out of the open ones, beside others that are opened.
func (provider *VersionedDBProvider) forget(channel string) {
	provider.mux.Lock()
	defer provider.mux.Unlock()
	delete(provider.databases, channel)
}
