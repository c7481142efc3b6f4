// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"slices"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/protoutil"
)

// BlockToDecision gives the library the decision that made a block. A block that was pulled also has what its sender added: the sender's
// organisation needs no more for it than the block of the others.
//
//fork:wrap fix: an ordering organisation cannot stop a consenter, or all changes of the view, by what it adds to a block that a lagging consenter pulls
func (c *BFTChain) BlockToDecision(block *cb.Block) *types.Decision {
	return c.upstreamBlockToDecision(c.asDecided(block))
}

// asDecided makes a block once more as its leader proposed it, from what is signed, with the votes on it. For a block without additions it is
// the same block. Nobody signs a channel's first one.
func (c *BFTChain) asDecided(block *cb.Block) *cb.Block {
	signed, orderer := &cb.Metadata{}, &cb.OrdererBlockMetadata{}
	if block.Header.Number == 0 || proto.Unmarshal(block.Metadata.Metadata[cb.BlockMetadataIndex_SIGNATURES], signed) != nil ||
		proto.Unmarshal(signed.Value, orderer) != nil {
		return block
	}
	decided := protoutil.NewBlock(block.Header.Number, block.Header.PreviousHash)
	decided.Header.DataHash, decided.Data = block.Header.DataHash, &cb.BlockData{Data: block.Data.Data}
	decided.Metadata.Metadata[cb.BlockMetadataIndex_LAST_CONFIG] = protoutil.MarshalOrPanic(&cb.Metadata{
		Value: protoutil.MarshalOrPanic(&cb.LastConfig{Index: orderer.LastConfig.GetIndex()}),
	})
	decided.Metadata.Metadata[cb.BlockMetadataIndex_SIGNATURES] = protoutil.MarshalOrPanic(&cb.Metadata{
		Value:      signed.Value,
		Signatures: c.votesOn(decided, signed, len(orderer.ConsenterMetadata) > 0),
	})
	return decided
}

// votesOn returns one signature of each consenter. The configuration that a block brings is not the one by which it was decided, and may not
// know its consenters: there a signature that does not verify remains if its consenter has no better one. So does the signature of Raft's
// last block, which names nobody.
func (c *BFTChain) votesOn(block *cb.Block, signed *cb.Metadata, voted bool) []*cb.MetadataSignature {
	identities := c.RuntimeConfig.Load().(RuntimeConfig).ID2Identities
	verifies := func(id uint64, vote *cb.MetadataSignature) bool {
		message := Signature{IdentifierHeader: vote.IdentifierHeader, BlockHeader: protoutil.BlockHeaderBytes(block.Header), OrdererBlockMetadata: signed.Value}
		return identities[id] != nil && c.verifier.ConsenterVerifier.Evaluate([]*protoutil.SignedData{
			{Identity: identities[id], Data: message.AsBytes(), Signature: vote.Signature},
		}) == nil
	}
	votes, others := map[uint64]*cb.MetadataSignature{}, map[uint64]*cb.MetadataSignature{}
	for _, vote := range signed.Signatures {
		id, formed := voter(vote, voted)
		if !formed || votes[id] != nil {
			continue
		}
		if voted && verifies(id, vote) {
			votes[id] = vote
		} else if others[id] == nil && (!voted || protoutil.IsConfigBlock(block)) {
			others[id] = vote
		}
	}
	return slices.DeleteFunc(signed.Signatures, func(vote *cb.MetadataSignature) bool {
		id, formed := voter(vote, voted)
		return !formed || votes[id] != vote && (votes[id] != nil || others[id] != vote)
	})
}

// voter says whose vote a signature is, and whether it has the form of one. Raft's has a header in its place.
func voter(vote *cb.MetadataSignature, voted bool) (id uint64, formed bool) {
	header := &cb.IdentifierHeader{}
	if proto.Unmarshal(vote.IdentifierHeader, header) != nil || len(vote.IdentifierHeader) > maxIdentifierHeader || len(vote.Signature) > maxSignatureValue {
		return 0, false
	}
	return uint64(header.Identifier), voted == (len(vote.SignatureHeader) == 0)
}
