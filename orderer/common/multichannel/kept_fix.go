// SPDX-License-Identifier: Apache-2.0

package multichannel

import "github.com/hyperledger/fabric/orderer/common/cluster"

// ledgerResources are the ledger and the configuration of a channel.
//
//fork:fields fix: the policies of a configuration are made once, and not again for each block behind it
type ledgerResources struct {
	behind cluster.KeptBundle // of the last configuration in a batch of another orderer
}
