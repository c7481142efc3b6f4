// SPDX-License-Identifier: Apache-2.0

package protoutil

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
)

// signedBlock is block 9 with these bytes signed by so many.
func signedBlock(value []byte, signatures int) *cb.Block {
	block := NewBlock(9, make([]byte, 32))
	block.Header.DataHash = make([]byte, 32)
	InitBlockMetadata(block)
	signed := &cb.Metadata{Value: value}
	for range signatures {
		signed.Signatures = append(signed.Signatures, &cb.MetadataSignature{})
	}
	block.Metadata.Metadata[cb.BlockMetadataIndex_SIGNATURES] = MarshalOrPanic(signed)
	return block
}

func ordererMetadata(index *cb.LastConfig, size int) []byte {
	return MarshalOrPanic(&cb.OrdererBlockMetadata{LastConfig: index, ConsenterMetadata: make([]byte, size)})
}

// TestReceivedSignatures: whoever passes a block on cannot fill memory or disks with it.
func TestReceivedSignatures(t *testing.T) {
	there := &cb.LastConfig{Index: 9}
	longHeader := signedBlock(ordererMetadata(there, 0), 17)
	longHeader.Header.PreviousHash = make([]byte, 1<<20)
	longHash := signedBlock(ordererMetadata(there, 0), 17)
	longHash.Header.DataHash = make([]byte, 1<<20)
	further := signedBlock(ordererMetadata(there, 0), 1)
	further.Metadata.Metadata = append(further.Metadata.Metadata, make([]byte, 1<<20))
	many := signedBlock(ordererMetadata(there, 0), 1)
	many.Metadata.Metadata = append(many.Metadata.Metadata, make([][]byte, 12)...)
	for want, blocks := range map[string][]*cb.Block{
		"of metadata":                  {further, many, signedBlock(ordererMetadata(there, 1<<20), 1)},
		"signatures of":                {longHeader, longHash, signedBlock(nil, 1001), signedBlock(ordererMetadata(there, 1<<17), 128)},
		"do not say where":             {signedBlock(ordererMetadata(nil, 10), 1)},
		"in block 10":                  {signedBlock(ordererMetadata(&cb.LastConfig{Index: 10}, 0), 1)},
		"orderer block metadata":       {signedBlock([]byte("none"), 1)},
		"no metadata":                  {{Header: &cb.BlockHeader{Number: 9}}},
		"error unmarshalling metadata": {{Header: &cb.BlockHeader{}, Metadata: &cb.BlockMetadata{Metadata: [][]byte{{1}}}}},
	} {
		for i, block := range blocks {
			_, err := ReceivedSignatures(block)
			require.ErrorContains(t, err, want, "block %d", i)
		}
	}
	full := signedBlock(ordererMetadata(there, 0), 1000)
	full.Metadata.Metadata[cb.BlockMetadataIndex_TRANSACTIONS_FILTER] = make([]byte, 500_000)
	for i, block := range []*cb.Block{full, signedBlock(ordererMetadata(there, 1<<17), 127), signedBlock(nil, 1), signedBlock(ordererMetadata(&cb.LastConfig{}, 0), 3)} {
		signatures, err := ReceivedSignatures(block)
		require.NoError(t, err, "block %d", i)
		require.NotEmpty(t, signatures.Signatures)
	}
}

// TestNoLastConfig: it is an error, which upstream's callers expect, and no panic.
func TestNoLastConfig(t *testing.T) {
	_, err := GetLastConfigIndexFromBlock(signedBlock(ordererMetadata(nil, 10), 1))
	require.ErrorContains(t, err, "do not say where")
}
