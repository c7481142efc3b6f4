// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"errors"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric/orderer/common/msgprocessor"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/orderer/common/follower"
	"github.com/hyperledger/fabric/orderer/common/types"
	"github.com/hyperledger/fabric/orderer/consensus"
)

// TestRefusedUpdateLeavesNoLock: whatever change is refused for its channel, the next request finds the registrar free.
func TestRefusedUpdateLeavesNoLock(t *testing.T) {
	r := &Registrar{
		pendingRemoval: map[string]consensus.StaticStatusReporter{
			"going": {Status: types.StatusActive}, "stuck": {Status: types.StatusFailed},
		},
		followers: map[string]*follower.Chain{"behind": {}},
	}
	for channel, want := range map[string]error{
		"none": types.ErrChannelNotExist, "going": types.ErrChannelPendingRemoval, "stuck": types.ErrChannelRemovalFailure,
		"behind": types.ErrChannelNotReady,
	} {
		_, err := r.UpdateChannel(channel, &cb.Envelope{})
		require.ErrorIs(t, err, want, channel)
		require.True(t, r.lock.TryLock(), channel)
		r.lock.Unlock()
	}
}

// judge is the part of a channel that judges changes.
type judge struct {
	msgprocessor.Processor
	verdict error
}

func (j judge) ProcessConfigUpdateMsg(*cb.Envelope) (*cb.Envelope, uint64, error) {
	return &cb.Envelope{}, 7, j.verdict
}

// taker is the part that takes them.
type taker struct {
	consensus.Chain
	ready, taken error
	given        int
}

func (c *taker) WaitReady() error { return c.ready }

func (c *taker) Configure(*cb.Envelope, uint64) error {
	c.given++
	return c.taken
}

// TestRefusedUpdateIsNotConfigured: a change that the channel's policies refuse, or that its consensus cannot take, is not given to the
// consensus, and whoever asked for it is told.
func TestRefusedUpdateIsNotConfigured(t *testing.T) {
	no := errors.New("no")
	for name, c := range map[string]struct {
		verdict, ready, taken error
		given                 int
		want                  string
	}{
		"refused":   {no, nil, nil, 0, "channel one: the configuration update is refused: no"},
		"not ready": {nil, no, nil, 0, "channel one: its consensus accepts nothing now: no"},
		"not taken": {nil, nil, no, 1, "channel one: its consensus has not taken the configuration: no"},
	} {
		t.Run(name, func(t *testing.T) {
			chain := &taker{ready: c.ready, taken: c.taken}
			r := &Registrar{chains: map[string]*ChainSupport{"one": {Processor: judge{verdict: c.verdict}, Chain: chain}}}
			_, err := r.UpdateChannel("one", &cb.Envelope{})
			require.EqualError(t, err, c.want)
			require.ErrorIs(t, err, no)
			require.Equal(t, c.given, chain.given)
			require.True(t, r.lock.TryLock())
			r.lock.Unlock()
		})
	}
}
