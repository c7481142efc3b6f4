// SPDX-License-Identifier: Apache-2.0

package pvtdatastorage

import "github.com/hyperledger/fabric/protoutil"

type hashFunction = protoutil.HashFunction

// Store finds private data by hashes of their keys, as the markers of purged data, which come from transactions, name them.
//
//fork:fields gm: hashes of private data are made by the function of the channel
type Store struct {
	hash hashFunction
}

// SetHashFunction says the function of the channel, before the store is used.
func (s *Store) SetHashFunction(f protoutil.HashFunction) { s.hash = f }

// HashFunction returns the function of the channel.
func (s *Store) HashFunction() protoutil.HashFunction { return s.hash }
