// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	"google.golang.org/protobuf/proto"
)

// VerifyProposal accepts from a leader only a proposal that an honest consenter could have made. The ledger ends a consenter that
// commits another number than the next one. A proposal that is prepared, but whose votes are refused, stops the channel for ever.
// And nobody can fetch a block that is larger than a message.
//
//fork:wrap fix: a lying leader's proposal that ends all consenters, or that they prepare and can never commit, is refused before it is prepared
func (v *Verifier) VerifyProposal(proposal types.Proposal) ([]types.RequestInfo, error) {
	if err := v.checkBounds(proposal); err != nil {
		return nil, err
	}
	requests, err := v.upstreamVerifyProposal(proposal)
	if err != nil {
		return nil, err
	}
	if err := v.checkForm(proposal); err != nil {
		return nil, fmt.Errorf("no honest consenter with the same last block proposes this: %w", err)
	}
	return requests, nil
}

// checkBounds holds a proposal to the channel's BatchSize, as the leader's pool does: MaxMessageCount, and AbsoluteMaxBytes for all
// transactions together. Memory is spent only on what is within the bounds.
func (v *Verifier) checkBounds(proposal types.Proposal) error {
	config := v.RuntimeConfig.Load().(RuntimeConfig).BFTConfig
	// No channel has a zero here, as the library refuses it; without a configuration, its own bounds are taken.
	maxCount := cmp.Or(config.RequestBatchMaxCount, types.DefaultConfig.RequestBatchMaxCount)
	maxBytes := cmp.Or(config.RequestBatchMaxBytes, types.DefaultConfig.RequestBatchMaxBytes)
	// Each transaction has a tag and a length, and the block's metadata have the proposal's.
	if most := maxBytes + 16*maxCount + 1024 + uint64(len(proposal.Metadata)); uint64(len(proposal.Payload)) > most {
		return fmt.Errorf("the payload has %d bytes, and BatchSize allows %d", len(proposal.Payload), most)
	}
	block, err := ProposalToBlock(proposal)
	if err != nil {
		return err
	}
	if n := len(block.Data.Data); uint64(n) > maxCount {
		return fmt.Errorf("block %d has %d transactions, and BatchSize.MaxMessageCount is %d", block.Header.Number, n, maxCount)
	}
	var size uint64
	for _, transaction := range block.Data.Data {
		size += uint64(len(transaction))
	}
	if size > maxBytes {
		return fmt.Errorf("the transactions of block %d have %d bytes, and BatchSize.AbsoluteMaxBytes is %d", block.Header.Number, size, maxBytes)
	}
	return nil
}

// checkForm makes the proposal once more as its leader should have made it, from the same transactions and metadata, and compares
// every byte. Upstream's verification has to come first: the assembler panics if a transaction is not an envelope.
func (v *Verifier) checkForm(proposal types.Proposal) error {
	block, err := ProposalToBlock(proposal)
	if err != nil {
		return err
	}
	view := &smartbftprotos.ViewMetadata{}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(proposal.Metadata, view); err != nil {
		return fmt.Errorf("view metadata: %w", err)
	}
	canonical, err := proto.Marshal(view)
	if err != nil {
		return fmt.Errorf("view metadata: %w", err)
	}
	assembler := &Assembler{RuntimeConfig: v.RuntimeConfig, VerificationSeq: v.VerificationSequence, Logger: v.Logger}
	honest := assembler.AssembleProposal(proposal.Metadata, block.Data.Data)
	next := v.RuntimeConfig.Load().(RuntimeConfig).LastBlock.Header.Number + 1
	switch {
	case !bytes.Equal(proposal.Header, honest.Header):
		return fmt.Errorf("its header, with the number %d, is not the one that block %d has to have", block.Header.Number, next)
	case !bytes.Equal(proposal.Payload, honest.Payload):
		return fmt.Errorf("the metadata of block %d, or the form of its payload, are not those of a new block", next)
	case !bytes.Equal(proposal.Metadata, canonical):
		return fmt.Errorf("the view metadata of block %d have fields that nobody reads, or another form", next)
	case len(view.PrevCommitSignatureDigest) > sha256.Size:
		return fmt.Errorf("the view metadata of block %d have a digest of %d bytes, and it is one of SHA-256", next, len(view.PrevCommitSignatureDigest))
	}
	return nil
}
