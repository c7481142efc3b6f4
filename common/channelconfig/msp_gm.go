// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/msp"
)

// NewMSPConfigHandler makes the MSPs of a channel.
//
//fork:wrap gm: without capability GM_V1 a channel's MSPs judge as stock Fabric and version 0.1.0 do
func NewMSPConfigHandler(mspVersion msp.MSPVersion, bccsp bccsp.BCCSP) *MSPConfigHandler {
	return upstreamNewMSPConfigHandler(mspVersion.OfChannel(), bccsp)
}
