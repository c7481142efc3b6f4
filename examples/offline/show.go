// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// transient shows private data by its digest.
func (c *content) transient(data map[string][]byte) {
	for _, key := range slices.Sorted(maps.Keys(data)) {
		c.add("transient %q: %d bytes, SHA-256 %x", key, len(data[key]), sha256.Sum256(data[key]))
	}
}

// position shows where a stream begins or ends.
func (c *content) position(word string, position *orderer.SeekPosition) error {
	switch p := position.GetType().(type) {
	case *orderer.SeekPosition_Specified:
		c.add("%s block %d", word, p.Specified.GetNumber())
	case *orderer.SeekPosition_NextCommit:
		c.add("%s the next block", word)
	case *orderer.SeekPosition_Oldest:
		c.add("%s the first block", word)
	case *orderer.SeekPosition_Newest:
		c.add("%s the last block", word)
	default:
		return fmt.Errorf("it does not say %s which block", word)
	}
	return nil
}

// endorsed shows what the peers answered, what is to be written, and whom the text names as endorsers. This program has no root to check
// endorsers by: peers ignore one whose signature is false, so that a text may name more than who signed. The digest stands for what is
// not shown, the versions that were read.
func (c *content) endorsed(action *peer.ChaincodeEndorsedAction) error {
	var payload peer.ProposalResponsePayload
	var answer peer.ChaincodeAction
	if err := unmarshal(action.GetProposalResponsePayload(), &payload); err != nil {
		return err
	}
	if err := unmarshal(payload.GetExtension(), &answer); err != nil {
		return err
	}
	response := answer.GetResponse()
	c.add("answer %d %q %q", response.GetStatus(), response.GetMessage(), response.GetPayload())
	if err := c.writes(answer.GetResults()); err != nil {
		return err
	}
	if len(answer.GetEvents()) > 0 {
		var event peer.ChaincodeEvent
		if err := unmarshal(answer.GetEvents(), &event); err != nil {
			return err
		}
		c.add("event %q %q", event.GetEventName(), event.GetPayload())
	}
	var endorsers []string
	for _, endorsement := range action.GetEndorsements() {
		var id msp.SerializedIdentity
		if err := unmarshal(endorsement.GetEndorser(), &id); err != nil {
			return err
		}
		endorsers = append(endorsers, fmt.Sprintf("%q", id.GetMspid()))
	}
	c.add("names as endorsers %s: not checked here, peers check them", strings.Join(endorsers, ", "))
	c.add("SHA-256 of the endorsed result: %x", sha256.Sum256(action.GetProposalResponsePayload()))
	return nil
}

func (c *content) writes(results []byte) error {
	if len(results) == 0 {
		return nil
	}
	var sets rwset.TxReadWriteSet
	if err := unmarshal(results, &sets); err != nil {
		return err
	}
	for _, set := range sets.GetNsRwset() {
		var values kvrwset.KVRWSet
		if len(set.GetRwset()) > 0 {
			if err := unmarshal(set.GetRwset(), &values); err != nil {
				return err
			}
		}
		for _, write := range values.GetWrites() {
			if write.GetIsDelete() {
				c.add("deletes %q %q", set.GetNamespace(), write.GetKey())
				continue
			}
			c.add("writes %q %q: %q", set.GetNamespace(), write.GetKey(), write.GetValue())
		}
		for _, write := range values.GetMetadataWrites() {
			c.add("changes the endorsement policy of %q %q", set.GetNamespace(), write.GetKey())
		}
		for _, collection := range set.GetCollectionHashedRwset() {
			c.add("private data of %q, collection %q", set.GetNamespace(), collection.GetCollectionName())
		}
	}
	return nil
}
