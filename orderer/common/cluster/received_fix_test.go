// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/protoutil"
)

// received is a sequence of three blocks of another orderer, the second with these metadata.
func received(second func(*common.BlockMetadata)) []*common.Block {
	var blocks []*common.Block
	for number := range uint64(3) {
		var previous []byte
		if number > 0 {
			previous = protoutil.BlockHeaderHash(blocks[number-1].Header)
		}
		block := protoutil.NewBlock(7+number, previous)
		block.Data.Data = [][]byte{protoutil.MarshalOrPanic(&common.Envelope{
			Payload: protoutil.MarshalOrPanic(&common.Payload{Header: &common.Header{ChannelHeader: []byte{8, 3}}}), Signature: []byte{1},
		})}
		block.Header.DataHash = protoutil.ChannelDataHash(block.Header, block.Data)
		signed(block.Metadata, &common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: 6}})
		if number == 1 {
			second(block.Metadata)
		}
		blocks = append(blocks, block)
	}
	return blocks
}

func signed(metadata *common.BlockMetadata, of *common.OrdererBlockMetadata) {
	metadata.Metadata[common.BlockMetadataIndex_SIGNATURES] = protoutil.MarshalOrPanic(&common.Metadata{Value: protoutil.MarshalOrPanic(of)})
}

// TestMetadataOfEachBlock: an orderer keeps every block of a sequence, and starts from what the last one that it has says.
func TestMetadataOfEachBlock(t *testing.T) {
	for want, second := range map[string]func(*common.BlockMetadata){
		"of metadata":      func(m *common.BlockMetadata) { m.Metadata = append(m.Metadata, make([]byte, 20<<20)) },
		"do not say where": func(m *common.BlockMetadata) { signed(m, &common.OrdererBlockMetadata{ConsenterMetadata: []byte{1}}) },
	} {
		require.ErrorContains(t, verifySequence(received(second)), "metadata of block 8")
		require.ErrorContains(t, verifySequence(received(second)), want)
	}
	require.NoError(t, verifySequence(received(func(*common.BlockMetadata) {})))
}
