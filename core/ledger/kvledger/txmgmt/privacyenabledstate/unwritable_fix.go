// SPDX-License-Identifier: Apache-2.0

package privacyenabledstate

import (
	"encoding/base64"

	"github.com/hyperledger/fabric/core/ledger/internal/version"
)

// ValidateNamespace returns an error if the database cannot have a namespace. Only CouchDB cannot have all.
func (s *DB) ValidateNamespace(namespace string) error {
	if db, ok := s.VersionedDB.(interface{ ValidateNamespace(string) error }); ok {
		return db.ValidateNamespace(namespace)
	}
	return nil
}

// ValidateKeyHash returns an error if the database cannot have the hashes of a private key and its value, as ValidateKeyValue does for a
// public key and its value. Hashes in the collection "" are no hashes: they are written as a public key and its value.
func (s *DB) ValidateKeyHash(namespace, collection string, keyHash, valueHash []byte) error {
	key := string(keyHash)
	if collection != "" {
		namespace = deriveHashedDataNs(namespace, collection)
		key = base64.StdEncoding.EncodeToString(keyHash) // as it is called in CouchDB; LevelDB takes every key
	}
	if err := s.ValidateNamespace(namespace); err != nil {
		return err
	}
	return s.ValidateKeyValue(key, valueHash)
}

// ApplyPrivacyAwareUpdates writes the updates of a block, or private data that came later.
//
//fork:wrap fix: private data that CouchDB cannot have ends no peer
func (s *DB) ApplyPrivacyAwareUpdates(updates *UpdateBatch, height *version.Height) error {
	s.leaveOutPrivate(updates.PvtUpdates)
	return s.upstreamApplyPrivacyAwareUpdates(updates, height)
}

// leaveOutPrivate takes out of the updates what the database cannot have. The transaction stays valid, because not all peers that judge it
// see its private data. To a chaincode on this peer the data is missing, as data is that did not arrive: its hash is there.
func (s *DB) leaveOutPrivate(updates *PvtUpdateBatch) {
	for namespace, batch := range updates.UpdateMap {
		for _, collection := range batch.GetCollectionNames() {
			unwritable := s.ValidateNamespace(derivePvtDataNs(namespace, collection))
			for key, update := range batch.GetUpdates(collection) {
				err := unwritable
				if err == nil {
					err = s.ValidateKeyValue(key, update.Value)
				}
				if err != nil {
					logger.Warningf("A private key of namespace %q, collection %q is not stored, because this database cannot have it; the chaincode must not write it", namespace, collection)
					delete(batch.GetUpdates(collection), key)
				}
			}
		}
	}
}
