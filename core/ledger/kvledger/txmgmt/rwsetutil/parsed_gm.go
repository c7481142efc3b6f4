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
	}, nil)
	if err != nil {
		return err
	}
	txRwSet.NsRwSets = parsed.NsRwSets
	return nil
}
