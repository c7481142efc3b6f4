// SPDX-License-Identifier: Apache-2.0

package deliverservice_test

import "github.com/hyperledger/fabric/common/deliverclient/blocksprovider"

// dialerAdapter is what the deliver client dials with.
type dialerAdapter = blocksprovider.DialerAdapter
