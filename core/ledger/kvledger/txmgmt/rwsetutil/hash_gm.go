// SPDX-License-Identifier: Apache-2.0

package rwsetutil

import "github.com/hyperledger/fabric/protoutil"

type hashFunction = protoutil.HashFunction

// RWSetBuilder hashes private data by one function.
//
//fork:fields gm: hashes of private data are made by the function of the channel
type RWSetBuilder struct {
	hash hashFunction
}

// NewRWSetBuilderOf returns a builder for a channel that hashes by this function. NewRWSetBuilder is for SHA-256.
func NewRWSetBuilderOf(f protoutil.HashFunction) *RWSetBuilder {
	b := NewRWSetBuilder()
	b.hash = f
	return b
}

// hashesOfNothing has the hash of an empty value by each function: to write it is to delete.
var hashesOfNothing = map[hashFunction][]byte{
	protoutil.HashSHA256: protoutil.HashSHA256.Sum(nil),
	protoutil.HashSM3:    protoutil.HashSM3.Sum(nil),
}
