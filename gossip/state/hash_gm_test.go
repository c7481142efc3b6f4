// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/protoutil"
)

func init() { channelhash.Set("", protoutil.HashSHA256) } // the channel of upstream's tests, which have no ledger
