// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/internal/peer/gossip/mocks"
)

func newService(managers *mocks.ChannelPolicyManagerGetterWithManager, csp bccsp.BCCSP) *MSPMessageCryptoService {
	return NewMCS(managers, &mocks.SignerSerializer{}, &mocks.DeserializersManager{}, csp, mockChannelConfigGetter)
}
