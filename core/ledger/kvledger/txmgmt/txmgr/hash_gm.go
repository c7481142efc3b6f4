// SPDX-License-Identifier: Apache-2.0

package txmgr

import (
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/protoutil"
)

// uniquePvtData finds the newest of the reconciled writes of each key. The keys of the map are compared with those of the state
// database, so they are hashed by the function of the channel.
func (txmgr *LockBasedTxMgr) uniquePvtData(reconciled map[uint64][]*ledger.TxPvtData) (uniquePvtDataMap, error) {
	byUpstream, err := constructUniquePvtData(reconciled)
	if err != nil || txmgr.db.HashFunction() == protoutil.HashSHA256 { // upstream's are of SHA-256
		return byUpstream, err
	}
	unique := make(uniquePvtDataMap, len(byUpstream))
	for key, write := range byUpstream {
		key.KeyHash = string(txmgr.db.HashFunction().Sum([]byte(write.Key)))
		unique[key] = write
	}
	return unique, nil
}
