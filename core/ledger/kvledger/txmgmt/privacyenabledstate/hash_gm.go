// SPDX-License-Identifier: Apache-2.0

package privacyenabledstate

import "github.com/hyperledger/fabric/protoutil"

// DB knows by which function the keys and values of private data in it are hashed.
//
//fork:fields gm: hashes of private data are made by the function of the channel
type DB struct {
	hash protoutil.HashFunction
}

// SetHashFunction says the function of the channel, before the database is used.
func (s *DB) SetHashFunction(f protoutil.HashFunction) { s.hash = f }

// HashFunction returns the function of the channel. All that works on the database asks here. Only tests of upstream have no database.
func (s *DB) HashFunction() protoutil.HashFunction {
	if s == nil {
		return protoutil.HashSHA256
	}
	return s.hash
}
