// SPDX-License-Identifier: Apache-2.0

//fork:file perf: a peer parses each transaction of a block once while it commits the block

package rwsetutil

import "github.com/hyperledger/fabric/protoutil"

// FromProtoBytes fills the set from its encoding. While a block is committed, all who ask share what is below the set.
//
//fork:wrap perf: transactions of a block that is committed are parsed once
func (txRwSet *TxRwSet) FromProtoBytes(encoded []byte) error {
	parsed, err := protoutil.ParsedOnce(encoded, func(encoded []byte) (*TxRwSet, error) {
		set := new(TxRwSet)
		return set, set.upstreamFromProtoBytes(encoded)
	}, func(set *TxRwSet) ([][]byte, int) { return nil, elements(set) })
	if err != nil {
		return err
	}
	txRwSet.NsRwSets = parsed.NsRwSets
	return nil
}

// elements counts those of all lists of a set.
func elements(set *TxRwSet) (n int) {
	for _, ns := range set.NsRwSets {
		kv := ns.KvRwSet
		n += 1 + len(kv.GetReads()) + len(kv.GetRangeQueriesInfo()) + len(kv.GetWrites()) + len(kv.GetMetadataWrites()) + len(ns.CollHashedRwSets)
		for _, query := range kv.GetRangeQueriesInfo() {
			n += len(query.GetRawReads().GetKvReads()) + len(query.GetReadsMerkleHashes().GetMaxLevelHashes())
		}
		for _, write := range kv.GetMetadataWrites() {
			n += len(write.GetEntries())
		}
		for _, collection := range ns.CollHashedRwSets {
			hashed := collection.HashedRwSet
			n += len(hashed.GetHashedReads()) + len(hashed.GetHashedWrites()) + len(hashed.GetMetadataWrites())
			for _, write := range hashed.GetMetadataWrites() {
				n += len(write.GetEntries())
			}
		}
	}
	return n
}
