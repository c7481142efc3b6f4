// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"sync/atomic"

	"github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/common/channelconfig"
)

// KeptBundle keeps what was made last of a configuration. Its zero value is ready, for several goroutines too.
type KeptBundle struct {
	last atomic.Pointer[keptBundle]
}

type keptBundle struct {
	of   *common.ConfigEnvelope
	made *channelconfig.Bundle
}

// Of returns the bundle of a configuration of the channel. It makes one only if it did not do so for this very envelope the last time: the
// blocks behind a configuration in a batch are verified by one envelope.
func (k *KeptBundle) Of(channel string, envelope *common.ConfigEnvelope, csp bccsp.BCCSP) (*channelconfig.Bundle, error) {
	if last := k.last.Load(); last != nil && last.of == envelope {
		return last.made, nil
	}
	made, err := channelconfig.NewBundle(channel, envelope.Config, csp)
	if err != nil {
		return nil, err
	}
	k.last.Store(&keptBundle{of: envelope, made: made})
	return made, nil
}

// BlockValidationPolicyVerifier verifies blocks by the policy of the channel.
//
//fork:fields fix: the policies of a configuration are made once, and not again for each block behind it
type BlockValidationPolicyVerifier struct {
	behind KeptBundle // of the last configuration in a batch
}
