// SPDX-License-Identifier: Apache-2.0

package privdata

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"

	"github.com/hyperledger/fabric/core/chaincode/implicitcollection"
	"github.com/hyperledger/fabric/core/common/privdata"
	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/msp"
)

// Whoever satisfies one endorsement policy chooses what a transaction writes to collections, and for a transaction that is invalid anyhow it
// takes no endorsement. Upstream commits no block with a write to a collection that is not defined or cannot be used: it stops every peer of
// the channel there, at each start again. So the verdict on such a transaction is free, as long as the state alone decides it.

// unusable says why nobody can have private data of a collection. The state and the transaction are the reason, and not this peer.
type unusable struct{ error }

// collection returns an error if nobody can have private data of a collection, which is unusable if each peer gets it.
func (c *coordinator) collection(of privdata.CollectionCriteria) error {
	config, err := c.CollectionStore.RetrieveCollectionConfig(of)
	var undefined privdata.NoSuchCollectionError
	if errors.As(err, &undefined) {
		return unusable{err}
	}
	if err != nil {
		return err
	}
	if _, err := privdata.NewSimpleCollection(config, c.idDeserializerFactory.GetIdentityDeserializer(c.ChainID)); err != nil {
		return unusable{err}
	}
	return nil
}

// validate validates a block as upstream does, and makes what writes to collections that cannot be used invalid.
func (c *coordinator) validate(block *common.Block) error {
	if err := c.Validator.Validate(block); err != nil {
		return err
	}
	metadata := block.GetMetadata().GetMetadata()
	if len(metadata) <= int(common.BlockMetadataIndex_TRANSACTIONS_FILTER) {
		return nil // upstream refuses the block
	}
	flags := metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER]
	known := map[privdata.CollectionCriteria]error{}
	for i, data := range block.Data.Data {
		if i >= len(flags) || flags[i] != uint8(peer.TxValidationCode_VALID) {
			continue
		}
		tx, err := getTxInfoFromTransactionBytes(data)
		if err != nil {
			continue // no endorser transaction
		}
		err = c.writesToCollections(tx, known)
		var refused unusable
		if errors.As(err, &refused) {
			c.logger.Warningf("Transaction %s of block %d is invalid: %s", tx.txID, block.Header.Number, err)
			flags[i] = uint8(peer.TxValidationCode_ILLEGAL_WRITESET)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// writesToCollections returns what is wrong with one of the collections that a transaction writes to. It keeps in known what it learns.
func (c *coordinator) writesToCollections(tx *txInfo, known map[privdata.CollectionCriteria]error) error {
	for _, namespace := range tx.txRWSet.NsRwSets {
		for _, set := range firstOfEach(namespace.CollHashedRwSets) {
			if !containsWrites(tx.txID, namespace.NameSpace, set) {
				continue
			}
			of := privdata.CollectionCriteria{Channel: tx.channelID, Namespace: namespace.NameSpace, Collection: set.CollectionName}
			err, ok := known[of]
			if !ok {
				err = c.collection(of)
				known[of] = err
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// withPrivateData returns what is to know of a transaction that may have private data. An invalid one that writes to a collection that cannot
// be used has none.
func (c *coordinator) withPrivateData(transaction []byte, invalid bool) (*txInfo, error) {
	tx, err := getTxInfoFromTransactionBytes(transaction)
	if err == nil && invalid {
		if err := c.writesToStrangers(tx); err != nil {
			return nil, err
		}
		var refused unusable
		if errors.As(c.writesToCollections(tx, map[privdata.CollectionCriteria]error{}), &refused) {
			return nil, refused
		}
	}
	return tx, err
}

// writesToStrangers returns an error if an invalid transaction writes to the implicit collection of an organisation that the channel has not.
// The definition of a chaincode allows all names, and the ledger keeps what it has learned of each in memory. A valid transaction is no matter
// for it: validation knows the organisations, and one that has left may still have keys with policies of their own.
func (c *coordinator) writesToStrangers(tx *txInfo) error {
	manager, ok := c.idDeserializerFactory.GetIdentityDeserializer(c.ChainID).(msp.MSPManager)
	if !ok {
		return nil
	}
	organisations, err := manager.GetMSPs()
	if err != nil {
		return err
	}
	for _, namespace := range tx.txRWSet.NsRwSets {
		for _, set := range namespace.CollHashedRwSets {
			implicit, id := implicitcollection.MspIDIfImplicitCollection(set.CollectionName)
			if _, known := organisations[id]; implicit && !known && containsWrites(tx.txID, namespace.NameSpace, set) {
				return unusable{fmt.Errorf("the channel has no organisation %q", id)}
			}
		}
	}
	return nil
}

// firstOfEach returns the first write set of each collection. The ledger compares the data of a collection with the hash in the first; data of
// another one stopped each peer that had them.
func firstOfEach(sets []*rwsetutil.CollHashedRwSet) (first []*rwsetutil.CollHashedRwSet) {
	seen := map[string]bool{}
	for _, set := range sets {
		if !seen[set.CollectionName] {
			seen[set.CollectionName] = true
			first = append(first, set)
		}
	}
	return first
}
