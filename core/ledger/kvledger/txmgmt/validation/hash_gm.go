// SPDX-License-Identifier: Apache-2.0

package validation

import "github.com/hyperledger/fabric/protoutil"

type hashFunction = protoutil.HashFunction
