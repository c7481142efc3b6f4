// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"

	cb "github.com/hyperledger/fabric-protos-go/common"
)

// newSmartBFT refuses: the messages of this version of Fabric cannot hold SmartBFT's consenters.
func newSmartBFT(_, _ *cb.ConfigGroup) (cluster, error) {
	return nil, errors.New("the channel orders by SmartBFT: use the consortium command that is built over Fabric 3 (docs/byzantine.md)")
}
