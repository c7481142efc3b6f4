// SPDX-License-Identifier: Apache-2.0

package mock

import "github.com/hyperledger/fabric/protoutil"

// HashFunction makes the fake a state of a channel that hashes with SHA-256.
func (*ReadWritableState) HashFunction() (protoutil.HashFunction, error) {
	return protoutil.HashSHA256, nil
}
