// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/gossip/api"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/gossip/protoext"
)

var member = common.PKIidType("member")

// said is what the member says at a height.
func said(height int) *protoext.SignedGossipMessage {
	m := createStateInfoMsg(height, member, common.ChannelID("A"))
	m.GetStateInfo().Timestamp.IncNum = uint64(height) // the clock may stand still between two
	return m
}

func newStates(t *testing.T, expired func(any) bool) *stateInfoCache {
	states := newStateInfoCache(time.Millisecond, expired, func(*protoext.SignedGossipMessage, ...api.OrgIdentityType) bool { return true })
	t.Cleanup(states.Stop)
	return states
}

// TestMemberStaysWhileSuperseded looks for a member while one message about it replaces the other, all the time.
func TestMemberStaysWhileSuperseded(t *testing.T) {
	states := newStates(t, func(any) bool { return false })
	require.True(t, states.Add(said(0)))
	var missed, ended atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ended.Load() == 0 {
			if states.MsgByID(member) == nil {
				missed.Add(1)
			}
		}
	}()
	const rounds = 20000
	for height := 1; height <= rounds; height++ {
		require.True(t, states.Add(said(height)))
	}
	ended.Store(1)
	<-done
	require.Zero(t, missed.Load(), "times that nobody would have been found")
}

// TestSupersededInOrder: the newest message is the member's, in whatever order they come, and the one that expires takes the
// member along.
func TestSupersededInOrder(t *testing.T) {
	var expired atomic.Bool
	states := newStates(t, func(any) bool { return expired.Load() })
	require.True(t, states.Add(said(1)))
	require.True(t, states.Add(said(3)))
	require.False(t, states.supersede(said(2)), "older, which was verified before the newer one came")
	require.EqualValues(t, 3, states.MsgByID(member).GetStateInfo().Properties.LedgerHeight)
	require.Equal(t, 1, states.MessageStore.Size())
	expired.Store(true)
	require.Eventually(t, func() bool { return states.MsgByID(member) == nil }, 10*time.Second, time.Millisecond)
}
