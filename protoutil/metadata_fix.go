// SPDX-License-Identifier: Apache-2.0

package protoutil

import (
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"
)

const (
	// metadataAtMost bounds in bytes the metadata of a block that others sent. Fabric's own take one byte for each transaction, and a
	// signature of a consenter, or of each in BFT.
	metadataAtMost = 1 << 20

	// entriesAtMost is more than Fabric has, so that there is a place for what later versions add.
	entriesAtMost = 16

	signaturesAtMost = 1000

	// signedAtMost bounds in bytes what signers have signed of a block, of which each signature gets a copy.
	signedAtMost = 16 << 20
)

// ReceivedSignatures returns the signatures of a block that others sent. It refuses metadata by which whoever passes a block on fills
// disks or memory: the hash of a block does not cover them, and signatures only a part. It also refuses a block that does not say where
// the configuration is, as nodes look for that when they start. Others have the block with good metadata.
func ReceivedSignatures(block *cb.Block) (*cb.Metadata, error) {
	entries, size := block.GetMetadata().GetMetadata(), 0
	for _, entry := range entries {
		size += len(entry)
	}
	if size > metadataAtMost || len(entries) > entriesAtMost {
		return nil, fmt.Errorf("it has %d entries and %d bytes of metadata, and the limits are %d and %d", len(entries), size, entriesAtMost, metadataAtMost)
	}
	signatures, err := GetMetadataFromBlock(block, cb.BlockMetadataIndex_SIGNATURES)
	if err != nil {
		return nil, err
	}
	number, header := len(signatures.Signatures), block.GetHeader()
	signed := len(signatures.Value) + len(header.GetPreviousHash()) + len(header.GetDataHash())
	if number > signaturesAtMost || number*signed > signedAtMost {
		return nil, fmt.Errorf("it has %d signatures of %d bytes: more than %d signatures, or %d MiB in all, are refused", number, signed, signaturesAtMost, signedAtMost>>20)
	}
	return signatures, checkLastConfig(block)
}

func checkLastConfig(block *cb.Block) error {
	number := block.GetHeader().GetNumber()
	if number == 0 {
		return nil
	}
	index, err := GetLastConfigIndexFromBlock(block)
	if err == nil && index > number {
		err = fmt.Errorf("block %d cannot have its configuration in block %d", number, index)
	}
	return err
}

// lastConfigIndex is the number of the block with the configuration by which a block was made.
func lastConfigIndex(metadata *cb.OrdererBlockMetadata) (uint64, error) {
	if metadata.LastConfig == nil {
		return 0, errors.New("the metadata of the block do not say where the configuration is")
	}
	return metadata.LastConfig.Index, nil
}
