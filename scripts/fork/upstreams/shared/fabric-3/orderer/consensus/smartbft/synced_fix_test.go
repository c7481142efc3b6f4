// SPDX-License-Identifier: Apache-2.0

package smartbft_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/orderer/consensus/smartbft"
	"github.com/hyperledger/fabric/protoutil"
)

// change returns a copy of a block with changes, also of its signatures.
func change(t *testing.T, block *cb.Block, changes ...func(*cb.Block, *cb.Metadata)) *cb.Block {
	block = proto.Clone(block).(*cb.Block)
	signed, err := protoutil.GetMetadataFromBlock(block, cb.BlockMetadataIndex_SIGNATURES)
	require.NoError(t, err)
	for _, change := range changes {
		change(block, signed)
	}
	block.Metadata.Metadata[cb.BlockMetadataIndex_SIGNATURES] = protoutil.MarshalOrPanic(signed)
	return block
}

// additions are what a verifier of blocks passes over.
func additions() map[string]func(*cb.Block, *cb.Metadata) {
	unknown := []byte{0x78, 1}
	entry := func(index cb.BlockMetadataIndex) func(*cb.Block, *cb.Metadata) {
		return func(block *cb.Block, _ *cb.Metadata) { block.Metadata.Metadata[index] = []byte{8, 1} }
	}
	sign := func(vote *cb.MetadataSignature) func(*cb.Block, *cb.Metadata) {
		return func(_ *cb.Block, signed *cb.Metadata) { signed.Signatures = append(signed.Signatures, vote) }
	}
	return map[string]func(*cb.Block, *cb.Metadata){
		"a filter of transactions": entry(cb.BlockMetadataIndex_TRANSACTIONS_FILTER),
		"an orderer's entry":       entry(cb.BlockMetadataIndex_ORDERER),
		"a commit hash":            entry(cb.BlockMetadataIndex_COMMIT_HASH),
		"a last configuration":     entry(cb.BlockMetadataIndex_LAST_CONFIG),
		"another entry": func(block *cb.Block, _ *cb.Metadata) {
			block.Metadata.Metadata = append(block.Metadata.Metadata, []byte("x"))
		},
		"a field of the data":       func(block *cb.Block, _ *cb.Metadata) { block.Data.ProtoReflect().SetUnknown(unknown) },
		"a field of the metadata":   func(block *cb.Block, _ *cb.Metadata) { block.Metadata.ProtoReflect().SetUnknown(unknown) },
		"a field of the signatures": func(_ *cb.Block, signed *cb.Metadata) { signed.ProtoReflect().SetUnknown(unknown) },
		"a number that is none":     sign(&cb.MetadataSignature{SignatureHeader: []byte{10, 0}, IdentifierHeader: []byte{0xff}}),
		"a header":                  sign(&cb.MetadataSignature{SignatureHeader: []byte{10, 0}, IdentifierHeader: []byte{8, 9}}),
		"a vote of nobody":          sign(&cb.MetadataSignature{IdentifierHeader: []byte{8, 9}}),
	}
}

// votes are signatures of consenters on a block.
func votes(t *testing.T, chain *smartbft.BFTChain, block *cb.Block, value []byte, signers ...uint32) (signatures []*cb.MetadataSignature) {
	for _, id := range signers {
		header := protoutil.MarshalOrPanic(&cb.IdentifierHeader{Identifier: id, Nonce: make([]byte, 24)})
		signature, err := key(chain.IdentityOf(uint64(id))).Sign(slices.Concat(value, header, protoutil.BlockHeaderBytes(block.Header)))
		require.NoError(t, err)
		signatures = append(signatures, &cb.MetadataSignature{IdentifierHeader: header, Signature: signature})
	}
	return signatures
}

// TestSyncedBlock: a consenter that pulls its last block from a liar, who added to it, has the same decision as the others, starts, and
// changes the view with them.
func TestSyncedBlock(t *testing.T) {
	network, nodes, verifier := startWithKeys(t, "testchannel")
	order(t, network, "one", 2)
	order(t, network, "two", 3)
	chain, block := nodes[3].Chain, nodes[3].State.GetBlock(2)
	honest := chain.StockDecision(block)
	require.GreaterOrEqual(t, len(honest.Signatures), 3)
	require.Equal(t, honest, chain.BlockToDecision(block))
	for name, addition := range additions() {
		require.Equal(t, honest, chain.BlockToDecision(change(t, block, addition)), name)
	}
	require.Equal(t, honest, chain.BlockToDecision(change(t, block, func(_ *cb.Block, signed *cb.Metadata) {
		for _, vote := range signed.Signatures { // a false vote of each signer before its own, and its own again
			signed.Signatures = append([]*cb.MetadataSignature{{IdentifierHeader: vote.IdentifierHeader, Signature: []byte("x")}}, signed.Signatures...)
			signed.Signatures = append(signed.Signatures, vote)
		}
	})))

	nodes[2].Stop()
	nodes[2].lock.Lock() // as Restart does
	nodes[2].State.ledgerArray[2] = change(t, block, slices.Collect(maps.Values(additions()))...)
	restarted, err := createBFTChainUsingMocks(t, nodes[2], network.configInfo)
	require.NoError(t, err)
	restarted.UseKeys(key(restarted.IdentityOf(2)), verifier)
	restarted.ClusterService = nodes[1].Chain.ClusterService
	nodes[2].Chain = restarted
	restarted.Start()
	nodes[2].IsConnectedToNetwork, nodes[2].IsStarted = true, true
	nodes[2].lock.Unlock()
	nodes[1].Stop() // and the next leader is the one that has pulled
	require.Eventually(t, func() bool {
		for _, id := range []uint64{2, 3, 4} {
			if nodes[id].Chain.EstablishedView() == 0 {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond)
	order(t, network, "three", 4)
}

// TestSyncedConfiguration: a block with a configuration may be decided by consenters whom it removes, and by others with other identities.
// That of a migration has Raft's signature. Stock Fabric and this have the same decisions.
func TestSyncedConfiguration(t *testing.T) {
	_, nodes, _ := createWithKeys(t, "testchannel")
	chain := nodes[1].Chain
	value := protoutil.MarshalOrPanic(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{Index: 7}, ConsenterMetadata: []byte{8, 1}})
	block := protoutil.NewBlock(7, []byte("previous"))
	block.Data = nodes[1].State.GetBlock(0).Data
	block.Metadata.Metadata[cb.BlockMetadataIndex_LAST_CONFIG] = protoutil.MarshalOrPanic(&cb.Metadata{
		Value: protoutil.MarshalOrPanic(&cb.LastConfig{Index: 7}),
	})
	signed := change(t, block, func(_ *cb.Block, m *cb.Metadata) {
		m.Value, m.Signatures = value, votes(t, chain, block, value, 9, 1, 2, 3)
		m.Signatures[2].Signature = []byte("by the identity that it had")
	})
	honest := chain.StockDecision(signed)
	require.Len(t, honest.Signatures, 4)
	require.Equal(t, honest, chain.BlockToDecision(signed))
	require.Equal(t, honest, chain.BlockToDecision(change(t, signed, func(_ *cb.Block, m *cb.Metadata) {
		m.Signatures = append([]*cb.MetadataSignature{{IdentifierHeader: []byte{8, 1}}, {IdentifierHeader: []byte{0xff}}}, m.Signatures...)
	})))

	first := nodes[1].State.GetBlock(0)
	require.Equal(t, chain.StockDecision(first), chain.BlockToDecision(first))
	migrated := change(t, block, func(_ *cb.Block, m *cb.Metadata) {
		m.Value = protoutil.MarshalOrPanic(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{Index: 7}})
		m.Signatures = []*cb.MetadataSignature{{SignatureHeader: []byte{10, 0}, Signature: []byte("of Raft's leader")}}
	})
	honest = chain.StockDecision(migrated)
	require.Equal(t, honest, chain.BlockToDecision(migrated))
	require.Equal(t, honest, chain.BlockToDecision(change(t, migrated, func(_ *cb.Block, m *cb.Metadata) {
		m.Signatures = append(m.Signatures, &cb.MetadataSignature{IdentifierHeader: []byte{0xff}}, &cb.MetadataSignature{SignatureHeader: []byte{10, 0}})
	})))
}
