// SPDX-License-Identifier: Apache-2.0

//fork:file fix: one lying consenter cannot give another one a false last block in a change of the view, and so stop the channel

package smartbft

import (
	"fmt"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/protoutil"
)

// decided judges the decision after this orderer's last block that view data bring. The library writes it into the ledger when a quorum has
// signed its header and its view metadata. Nobody signs the transactions, the other metadata and the verification sequence, and the library
// verifies one signature of each signer, and stores all.
type decided struct {
	chain       *BFTChain
	consenters  int
	own         uint64 // the sequence of this orderer's last block
	established uint64 // the view

	judged *smartbftprotos.Proposal
}

// after judges decisions by a configuration, and by the metadata of this orderer's last block.
func (c *BFTChain) after(rtc RuntimeConfig, own *smartbftprotos.ViewMetadata) *decided {
	established := c.MetricsBFT.MetricsViewChange.RealView.(*views).established.Load()
	return &decided{chain: c, consenters: len(rtc.Nodes), own: own.LatestSequence, established: max(own.ViewId, established)}
}

// check says whether an honest leader could have proposed what view data have for the next decision, and refuses repeated signers. A decision
// that is not later than this orderer's own is never written. Parts of a proof have the same decision, and it is judged once. Its transactions
// are verified last, when it is known that a quorum has decided it: else a liar could have others verify as many as it likes.
func (d *decided) check(data *smartbftprotos.ViewData, sequence uint64) error {
	if sequence != d.own+1 {
		return nil
	}
	if data.NextView <= d.established {
		return fmt.Errorf("it is about view %d, and view %d is established", data.NextView, d.established)
	}
	proposal := types.Proposal{
		Header: data.LastDecision.Header, Payload: data.LastDecision.Payload, Metadata: data.LastDecision.Metadata,
		VerificationSequence: int64(data.LastDecision.VerificationSequence),
	}
	if err := d.checkQuorum(data.LastDecisionSignatures, sequence); err != nil {
		return err
	}
	if d.judged != nil && proto.Equal(d.judged, data.LastDecision) {
		return nil
	}
	if err := d.chain.verifier.checkBounds(proposal); err != nil {
		return fmt.Errorf("decision %d: %w", sequence, err)
	}
	for _, s := range data.LastDecisionSignatures {
		if _, err := d.chain.verifier.VerifyConsenterSig(types.Signature{ID: s.Signer, Value: s.Value, Msg: s.Msg}, proposal); err != nil {
			return fmt.Errorf("decision %d: signature of consenter %d: %w", sequence, s.Signer, err)
		}
	}
	if _, err := d.chain.verifier.VerifyProposal(proposal); err != nil {
		return fmt.Errorf("decision %d: %w", sequence, err)
	}
	d.judged = data.LastDecision
	return nil
}

// checkQuorum wants one signature of each signer, and as many as the library does. All of them have to verify there.
func (d *decided) checkQuorum(signatures []*smartbftprotos.Signature, sequence uint64) error {
	if n := len(signatures); n > d.consenters {
		return fmt.Errorf("decision %d has %d signatures, and there are %d consenters", sequence, n, d.consenters)
	}
	signers := map[uint64]bool{}
	for _, signature := range signatures {
		if signers[signature.Signer] {
			return fmt.Errorf("decision %d has two signatures of consenter %d", sequence, signature.Signer)
		}
		signers[signature.Signer] = true
	}
	if quorum := policies.ComputeBFTQuorum(d.consenters, (d.consenters-1)/3); len(signers) < quorum {
		return fmt.Errorf("decision %d has %d signatures, and a quorum is %d", sequence, len(signers), quorum)
	}
	return nil
}

// callToSync is what the library may have of a proof with a decision that is later than the next one, which nobody can judge yet: enough to
// fetch blocks. Should it be the next one when the library reads this, there is no signature by which it could be taken over.
func callToSync(view, latest uint64) *smartbftprotos.Message {
	decision := &smartbftprotos.Proposal{Metadata: protoutil.MarshalOrPanic(&smartbftprotos.ViewMetadata{LatestSequence: latest})}
	part := &smartbftprotos.SignedViewData{RawViewData: protoutil.MarshalOrPanic(&smartbftprotos.ViewData{NextView: view, LastDecision: decision})}
	return &smartbftprotos.Message{Content: &smartbftprotos.Message_NewView{
		NewView: &smartbftprotos.NewView{SignedViewData: []*smartbftprotos.SignedViewData{part}},
	}}
}
