// SPDX-License-Identifier: Apache-2.0

package queryutil

import "github.com/hyperledger/fabric/protoutil"

// UpdateBatchBackedQueryExecuter finds private data in its batch by the hashes that this function makes.
//
//fork:fields gm: hashes of private data are made by the function of the channel
type UpdateBatchBackedQueryExecuter struct {
	Hash protoutil.HashFunction
}
