// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/common/channelconfig"
)

// newSmartBFT refuses: the messages of this version of Fabric cannot hold SmartBFT's consenters.
func newSmartBFT(_, _ *cb.ConfigGroup) (cluster, error) {
	return nil, errors.New("the channel orders by SmartBFT: use the consortium command that is built over Fabric 3 (docs/byzantine.md)")
}

// judgeSmartBFT has nothing to judge: see newSmartBFT.
func judgeSmartBFT(_, _ *channelconfig.Bundle) error { return nil }
