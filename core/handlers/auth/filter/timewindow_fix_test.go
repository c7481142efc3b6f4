// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestTimeWindow(t *testing.T) {
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := NewTimeWindow(15 * time.Minute).(*timeWindow)
	f.now = func() time.Time { return clock }
	f.Init(acceptor{})
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(clock.Add(d)) }
	const far = "farther than 15m0s (peer.authentication.timewindow)"
	for name, tc := range map[string]struct {
		stamp *timestamppb.Timestamp
		want  string
	}{
		"now":          {at(0), ""},
		"first moment": {at(-15 * time.Minute), ""},
		"last moment":  {at(15 * time.Minute), ""},
		"too old":      {at(-15*time.Minute - 1), far},
		"too new":      {at(15*time.Minute + 1), far},
		"epoch":        {&timestamppb.Timestamp{}, far},
		"none":         {nil, "no valid timestamp"},
		"beyond time":  {&timestamppb.Timestamp{Seconds: math.MaxInt64}, "no valid timestamp"},
		"bad nanos":    {&timestamppb.Timestamp{Seconds: clock.Unix(), Nanos: -1}, "no valid timestamp"},
	} {
		signed := &peer.SignedProposal{ProposalBytes: protoutil.MarshalOrPanic(&peer.Proposal{
			Header: protoutil.MarshalOrPanic(&common.Header{
				ChannelHeader: protoutil.MarshalOrPanic(&common.ChannelHeader{Timestamp: tc.stamp}),
			}),
		})}
		_, err := f.ProcessProposal(context.Background(), signed)
		if tc.want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, tc.want, name)
		}
	}

	garbage := []byte{0xff}
	for want, bytes := range map[string][]byte{
		"the proposal cannot be parsed":                       garbage,
		"the header of the proposal cannot be parsed":         protoutil.MarshalOrPanic(&peer.Proposal{Header: garbage}),
		"the channel header of the proposal cannot be parsed": protoutil.MarshalOrPanic(&peer.Proposal{Header: protoutil.MarshalOrPanic(&common.Header{ChannelHeader: garbage})}),
	} {
		_, err := f.ProcessProposal(context.Background(), &peer.SignedProposal{ProposalBytes: bytes})
		require.ErrorContains(t, err, want)
	}
}
