// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
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
