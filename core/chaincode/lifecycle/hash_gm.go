// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"bytes"

	lb "github.com/hyperledger/fabric-protos-go/peer/lifecycle"
	"github.com/hyperledger/fabric/core/chaincode/persistence"
	"github.com/hyperledger/fabric/core/ledger/channelhash"
	"github.com/hyperledger/fabric/protoutil"
)

// hashedState is a private state that says by which function its keys and values are hashed.
type hashedState interface {
	HashFunction() (protoutil.HashFunction, error)
}

// HashFunction returns the function of the channel for which the chaincode is called.
func (s *ChaincodePrivateLedgerShim) HashFunction() (protoutil.HashFunction, error) {
	return channelhash.Of(s.Stub.GetChannelID())
}

// PrivateQueryExecutorShim knows its channel.
//
//fork:fields gm: hashes of approvals are made by the function of the channel
type PrivateQueryExecutorShim struct {
	ChannelID string
}

// HashFunction returns the function of the channel.
func (s *PrivateQueryExecutorShim) HashFunction() (protoutil.HashFunction, error) {
	return channelhash.Of(s.ChannelID)
}

// noHash is the hash of a value in a state whose function is not known. No hash in a state is like it, absent ones included, so
// nothing counts as approved.
var noHash = []byte("no hash")

// hashIn returns the hash that value has in state.
func hashIn(state OpaqueState, value []byte) []byte {
	hashed, ok := state.(hashedState)
	if !ok {
		logger.Errorf("A state of type %T does not say by which function it hashes", state)
		return noHash
	}
	f, err := hashed.HashFunction()
	if err != nil {
		logger.Errorf("Approvals cannot be compared: %s", err)
		return noHash
	}
	return f.Sum(value)
}

// localChaincodeKey returns the key in localChaincodes of the package that the organisation has approved under key, and the function
// of the channel. An installed package belongs to no channel, so localChaincodes has it under SHA-256. A package that is not
// installed is found under the hash that the channel has of it, until adoptReferences brings both together.
func (c *Cache) localChaincodeKey(state *PrivateQueryExecutorShim, key string) ([]byte, protoutil.HashFunction, error) {
	f, err := state.HashFunction()
	if err != nil {
		return nil, 0, err
	}
	hash, err := state.GetStateHash(key)
	if err != nil || f == protoutil.HashSHA256 || len(hash) == 0 {
		return hash, f, err
	}
	for _, local := range c.localChaincodes {
		if local.Info == nil {
			continue
		}
		if encoded := encodedPackageID(local.Info.PackageID); bytes.Equal(f.Sum(encoded), hash) {
			return protoutil.HashSHA256.Sum(encoded), f, nil
		}
	}
	return hash, f, nil
}

// encodedPackageID is the value that an approval writes for the identifier of a package.
func encodedPackageID(packageID string) []byte {
	return protoutil.MarshalOrPanic(&lb.StateData{Type: &lb.StateData_String_{String_: packageID}})
}

// handleChaincodeInstalledWhileLocked takes note of a package that is installed.
//
//fork:wrap gm: channels that hash with SM3 find packages that are installed after they were approved
func (c *Cache) handleChaincodeInstalledWhileLocked(initializing bool, metadata *persistence.ChaincodePackageMetadata, packageID string) {
	c.adoptReferences(packageID)
	c.upstreamHandleChaincodeInstalledWhileLocked(initializing, metadata, packageID)
}

// adoptReferences moves what channels with SM3 know of the package, under their hash of it, to where localChaincodes has installed
// packages. A channel has one function, so no channel is in both.
func (c *Cache) adoptReferences(packageID string) {
	encoded := encodedPackageID(packageID)
	from, to := string(protoutil.HashSM3.Sum(encoded)), string(protoutil.HashSHA256.Sum(encoded))
	waiting, ok := c.localChaincodes[from]
	if !ok {
		return
	}
	delete(c.localChaincodes, from)
	local, ok := c.localChaincodes[to]
	if !ok {
		c.localChaincodes[to] = waiting
		return
	}
	for channel, references := range waiting.References {
		local.References[channel] = references
	}
}
