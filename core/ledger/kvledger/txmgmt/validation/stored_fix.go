// SPDX-License-Identifier: Apache-2.0

package validation

import "github.com/hyperledger/fabric/core/ledger"

// requiresPvtdataValidation reports whether sets are to be compared with their hashes. Those of the store were when they came. If a key was
// purged since then, they are not what was hashed. What rwsetutil.LeaveOutUnhashed takes of them fits the chain in any case.
//
//fork:replace fix: a peer that has purged private data can make its state again from its blocks
func requiresPvtdataValidation(data *ledger.TxPvtData) bool { return !data.FromStore }
