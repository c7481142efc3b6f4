// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// updateTrustedRoots takes the TLS root CAs of a channel from its configuration, and before them its revocation lists.
//
//fork:wrap gm: certificates of TLS and TLCP are checked by the channels' revocation lists
func (mgr *caManager) updateTrustedRoots(cm channelconfig.Resources, servers ...*comm.GRPCServer) {
	comm.UpdateRevocationLists(cm)
	mgr.upstreamUpdateTrustedRoots(cm, servers...)
}
