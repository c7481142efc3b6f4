// SPDX-License-Identifier: Apache-2.0

package protoutil

import cb "github.com/hyperledger/fabric-protos-go-apiv2/common"

// CheckedDataHash is ChannelDataHash of a block whose transactions are in their one form; others are refused.
func CheckedDataHash(block *cb.Block) ([]byte, error) {
	if err := VerifyTransactionsAreWellFormed(block.Data); err != nil {
		return nil, err
	}
	return ChannelDataHash(block.Header, block.Data), nil
}
