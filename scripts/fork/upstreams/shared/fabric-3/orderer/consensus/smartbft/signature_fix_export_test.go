// SPDX-License-Identifier: Apache-2.0

package smartbft

import "github.com/hyperledger-labs/SmartBFT/pkg/types"

// LieInVotes makes a consenter that was not started yet change what it signs when it votes.
func (c *BFTChain) LieInVotes(change func(*Signature)) {
	c.consensus.Signer = lyingVoter{c.consensus.Signer.(*Signer), change}
}

type lyingVoter struct {
	*Signer
	change func(*Signature)
}

func (l lyingVoter) SignProposal(proposal types.Proposal, aux []byte) *types.Signature {
	vote, signed := l.Signer.SignProposal(proposal, aux), &Signature{}
	if err := signed.Unmarshal(vote.Msg); err != nil {
		panic(err)
	}
	l.change(signed)
	vote.Msg, vote.Value = signed.Marshal(), l.Sign(signed.AsBytes())
	return vote
}
