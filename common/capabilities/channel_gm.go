// SPDX-License-Identifier: Apache-2.0

package capabilities

import "github.com/hyperledger/fabric/msp"

// ChannelGMV1 is the capability of a channel, all of whose nodes are of this fork, by which an identity has one form: see
// docs/security.md. Stock Fabric and version 0.1.0 refuse a channel that has it.
const ChannelGMV1 = "GM_V1"

// ChannelGMV2 is the capability of a channel that may hash with SM3: see docs/hashes.md. It includes what ChannelGMV1 does. Stock
// Fabric and version 0.1.0 refuse a channel that has it.
const ChannelGMV2 = "GM_V2"

// HasCapability reports whether this binary supports the capability.
//
//fork:wrap gm: capabilities GM_V1 and GM_V2 of channels
func (cp *ChannelProvider) HasCapability(capability string) bool {
	return capability == ChannelGMV1 || capability == ChannelGMV2 || cp.upstreamHasCapability(capability)
}

// MSPVersion returns which MSPs the channel needs.
//
//fork:wrap gm: capabilities GM_V1 and GM_V2 of channels
func (cp *ChannelProvider) MSPVersion() msp.MSPVersion {
	version := cp.upstreamMSPVersion()
	_, v1 := cp.capabilities[ChannelGMV1]
	_, v2 := cp.capabilities[ChannelGMV2]
	if v1 || v2 {
		return version.WithCapability()
	}
	return version
}
