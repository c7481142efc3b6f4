// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/protoutil"
)

// applyTxRwset is what upstream's tests call. core/ledger/kvledger/tests tests the function with both hash functions.
func (txops txOps) applyTxRwset(rwset *rwsetutil.TxRwSet) error {
	return txops.applyTxRwsetOf(protoutil.HashSHA256, rwset)
}
