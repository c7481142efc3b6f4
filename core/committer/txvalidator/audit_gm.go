// SPDX-License-Identifier: Apache-2.0

package txvalidator

import (
	"github.com/hyperledger/fabric-protos-go/common"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/audit"
)

// Validate validates the transactions of a block.
//
//fork:wrap gm: transactions without the signatures that they need are security events, one for each code in a block
func (v *ValidationRouter) Validate(block *common.Block) error {
	if err := v.upstreamValidate(block); err != nil {
		return err
	}
	counts := make(map[pb.TxValidationCode]int)
	for _, code := range codesOf(block) {
		counts[pb.TxValidationCode(code)]++
	}
	for _, code := range []pb.TxValidationCode{pb.TxValidationCode_BAD_CREATOR_SIGNATURE, pb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE} {
		if n := counts[code]; n > 0 {
			audit.Bounded(audit.TransactionsRefused, "block", block.GetHeader().GetNumber(), "code", code.String(), "transactions", n)
		}
	}
	return nil
}

// codesOf returns the validation codes that the validator has left in the block.
func codesOf(block *common.Block) []byte {
	metadata := block.GetMetadata().GetMetadata()
	if at := int(common.BlockMetadataIndex_TRANSACTIONS_FILTER); at < len(metadata) {
		return metadata[at]
	}
	return nil
}
