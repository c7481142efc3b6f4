// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/privacyenabledstate"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
)

// validateEndorserTX validates a transaction whose public keys and values the database can have.
//
//fork:wrap fix: a transaction that writes a namespace, collection or hashes that CouchDB cannot have is invalid there, as upstream judges public keys, and ends no peer
func (v *validator) validateEndorserTX(txRWSet *rwsetutil.TxRwSet, doMVCCValidation bool, updates *publicAndHashUpdates) (peer.TxValidationCode, error) {
	if err := validateUnwritable(v.db, txRWSet); err != nil {
		logger.Warningf("A transaction writes what this database cannot have: %s", err)
		return peer.TxValidationCode_INVALID_WRITESET, nil
	}
	return v.upstreamValidateEndorserTX(txRWSet, doMVCCValidation, updates)
}

// validateUnwritable returns an error if the database cannot have what a transaction writes. Upstream's validateWriteset has asked for public
// keys and values. No simulation writes the rest of it, so no honest transaction is judged here, and no stock peer with CouchDB gets past one.
// A metadata write counts only where there is a value, so that it needs no judgement.
func validateUnwritable(db *privacyenabledstate.DB, txRWSet *rwsetutil.TxRwSet) error {
	for _, nsRWSet := range txRWSet.NsRwSets {
		if nsRWSet.KvRwSet != nil && len(nsRWSet.KvRwSet.Writes) > 0 {
			if err := db.ValidateNamespace(nsRWSet.NameSpace); err != nil {
				return err
			}
		}
		for _, collection := range nsRWSet.CollHashedRwSets {
			for _, write := range collection.HashedRwSet.GetHashedWrites() {
				if err := db.ValidateKeyHash(nsRWSet.NameSpace, collection.CollectionName, write.KeyHash, write.ValueHash); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
