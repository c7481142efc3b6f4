// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"github.com/hyperledger-labs/SmartBFT/pkg/types"
)

// LieInProposals makes a consenter that was not started yet change each proposal that it makes, and believe its own ones.
func (c *BFTChain) LieInProposals(change func(*types.Proposal)) {
	c.consensus.Assembler = liar{c.assembler, change}
	c.consensus.Verifier = believer{c.verifier}
}

type liar struct {
	*Assembler
	change func(*types.Proposal)
}

func (l liar) AssembleProposal(metadata []byte, requests [][]byte) types.Proposal {
	proposal := l.Assembler.AssembleProposal(metadata, requests)
	l.change(&proposal)
	return proposal
}

type believer struct{ *Verifier }

func (b believer) VerifyProposal(proposal types.Proposal) ([]types.RequestInfo, error) {
	return b.RequestsFromProposal(proposal), nil
}
