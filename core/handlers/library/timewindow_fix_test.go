// SPDX-License-Identifier: Apache-2.0

package library

import (
	"context"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/core/handlers/auth"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type endorser struct{ peer.EndorserServer }

func (endorser) ProcessProposal(context.Context, *peer.SignedProposal) (*peer.ProposalResponse, error) {
	return &peer.ProposalResponse{}, nil
}

// The filter is found by the name that is in the configuration, and takes its window from there.
func TestTimeWindowCheckByName(t *testing.T) {
	defer viper.Reset()
	proposal := func(age time.Duration) *peer.SignedProposal {
		return &peer.SignedProposal{ProposalBytes: protoutil.MarshalOrPanic(&peer.Proposal{
			Header: protoutil.MarshalOrPanic(&common.Header{
				ChannelHeader: protoutil.MarshalOrPanic(&common.ChannelHeader{Timestamp: timestamppb.New(time.Now().Add(-age))}),
			}),
		})}
	}
	for configured, window := range map[time.Duration]time.Duration{time.Hour: time.Hour, 0: 15 * time.Minute} {
		viper.Set("peer.authentication.timewindow", configured)
		r := &registry{}
		r.loadHandlers(Config{AuthFilters: []*HandlerConfig{{Name: "TimeWindowCheck"}}})
		filters := r.Lookup(Auth).([]auth.Filter)
		require.Len(t, filters, 1)
		filters[0].Init(endorser{})
		_, err := filters[0].ProcessProposal(context.Background(), proposal(window-time.Minute))
		require.NoError(t, err)
		_, err = filters[0].ProcessProposal(context.Background(), proposal(window+time.Minute))
		require.ErrorContains(t, err, "peer.authentication.timewindow")
	}
}
