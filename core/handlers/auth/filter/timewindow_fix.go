// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"time"

	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/core/handlers/auth"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/pkg/errors"
)

// timeWindow refuses proposals whose timestamp is too far from the peer's clock.
type timeWindow struct {
	next   peer.EndorserServer
	window time.Duration
	now    func() time.Time
}

// NewTimeWindow returns a filter that refuses proposals whose timestamp is farther than window from this peer's clock, in the past
// or in the future. Chaincode sees the client's timestamp: without the filter a client can name any time (CVE-2024-45244).
func NewTimeWindow(window time.Duration) auth.Filter {
	return &timeWindow{window: window, now: time.Now}
}

// Init sets who gets the proposals that pass.
func (f *timeWindow) Init(next peer.EndorserServer) { f.next = next }

// ProcessProposal refuses the proposal or hands it on.
func (f *timeWindow) ProcessProposal(ctx context.Context, signed *peer.SignedProposal) (*peer.ProposalResponse, error) {
	if err := f.check(signed); err != nil {
		return nil, err
	}
	return f.next.ProcessProposal(ctx, signed)
}

func (f *timeWindow) check(signed *peer.SignedProposal) error {
	proposal, err := protoutil.UnmarshalProposal(signed.GetProposalBytes())
	if err != nil {
		return errors.WithMessage(err, "the proposal cannot be parsed")
	}
	header, err := protoutil.UnmarshalHeader(proposal.Header)
	if err != nil {
		return errors.WithMessage(err, "the header of the proposal cannot be parsed")
	}
	channel, err := protoutil.UnmarshalChannelHeader(header.ChannelHeader)
	if err != nil {
		return errors.WithMessage(err, "the channel header of the proposal cannot be parsed")
	}
	if err := channel.GetTimestamp().CheckValid(); err != nil {
		return errors.WithMessage(err, "the proposal has no valid timestamp")
	}
	sent, now := channel.Timestamp.AsTime(), f.now()
	if sent.Before(now.Add(-f.window)) || sent.After(now.Add(f.window)) {
		return errors.Errorf("the timestamp %s of the proposal is farther than %s (peer.authentication.timewindow) from the clock of this peer, %s; set the client's clock",
			sent.UTC().Format(time.RFC3339), f.window, now.UTC().Format(time.RFC3339))
	}
	return nil
}
