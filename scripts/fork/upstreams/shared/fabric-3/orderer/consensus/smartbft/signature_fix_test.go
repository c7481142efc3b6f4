// SPDX-License-Identifier: Apache-2.0

//fork:file fix: a vote of one lying consenter can neither make a decided block one that nobody can verify, nor too long to be sent

package smartbft_test

import (
	"slices"
	"testing"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/orderer/consensus/smartbft"
	"github.com/hyperledger/fabric/protoutil"
)

// otherOrder says the same about a block with the fields in another order.
func otherOrder(sig *smartbft.Signature) {
	metadata := &cb.OrdererBlockMetadata{}
	if err := proto.Unmarshal(sig.OrdererBlockMetadata, metadata); err != nil {
		panic(err)
	}
	sig.OrdererBlockMetadata = append(protoutil.MarshalOrPanic(&cb.OrdererBlockMetadata{ConsenterMetadata: metadata.ConsenterMetadata}),
		protoutil.MarshalOrPanic(&cb.OrdererBlockMetadata{LastConfig: metadata.LastConfig})...)
}

// TestVotesOfAnotherForm: votes that say the same as an honest one, and verify, are refused when their bytes are others.
func TestVotesOfAnotherForm(t *testing.T) {
	assembler, verifier, signer := proposing(t)
	proposal := assembler.AssembleProposal(protoutil.MarshalOrPanic(&smartbftprotos.ViewMetadata{LatestSequence: 1, ViewId: 2}), [][]byte{nonConfigTx})
	signed := func(change func(*smartbft.Signature)) func(*types.Signature) {
		return func(vote *types.Signature) {
			sig := &smartbft.Signature{}
			require.NoError(t, sig.Unmarshal(vote.Msg))
			change(sig)
			vote.Msg = sig.Marshal()
		}
	}
	for want, change := range map[string]func(*types.Signature){
		"the metadata of the block have another form": signed(otherOrder),
		"its identifier header has": signed(func(sig *smartbft.Signature) {
			sig.IdentifierHeader = protowire.AppendBytes(protowire.AppendTag(sig.IdentifierHeader, 100, protowire.BytesType), make([]byte, 64))
		}),
		"and its value 4097":         func(vote *types.Signature) { vote.Value = make([]byte, 4097) },
		"bytes after what is signed": func(vote *types.Signature) { vote.Msg = append(vote.Msg, 0) },
	} {
		vote := *signer.SignProposal(proposal, nil)
		_, err := verifier.VerifyConsenterSig(vote, proposal)
		require.NoError(t, err)
		change(&vote)
		_, err = verifier.VerifyConsenterSig(vote, proposal)
		require.ErrorContains(t, err, "no honest consenter signs so: ")
		require.ErrorContains(t, err, want)
	}
}

// TestLyingVoter: the blocks of the other consenters have only signatures that verify.
func TestLyingVoter(t *testing.T) {
	network, nodes, verifier := createWithKeys(t, "testchannel")
	nodes[4].Chain.LieInVotes(otherOrder)
	network.StartAllNodes()
	order(t, network, "one", 2)
	order(t, network, "two", 3)
	for _, id := range []uint64{1, 2, 3} {
		for number := uint64(1); number < 3; number++ {
			block := nodes[id].State.GetBlock(number)
			metadata, err := protoutil.GetMetadataFromBlock(block, cb.BlockMetadataIndex_SIGNATURES)
			require.NoError(t, err)
			require.Len(t, metadata.Signatures, 3)
			for _, signature := range metadata.Signatures {
				identifier, err := protoutil.UnmarshalIdentifierHeader(signature.IdentifierHeader)
				require.NoError(t, err)
				require.NoError(t, verifier.Evaluate([]*protoutil.SignedData{{
					Identity: nodes[id].Chain.IdentityOf(uint64(identifier.Identifier)), Signature: signature.Signature,
					Data: slices.Concat(metadata.Value, signature.IdentifierHeader, protoutil.BlockHeaderBytes(block.Header)),
				}}))
			}
		}
	}
}
