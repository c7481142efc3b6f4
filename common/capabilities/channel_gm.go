// SPDX-License-Identifier: Apache-2.0

package capabilities

import "github.com/hyperledger/fabric/msp"

// ChannelGMV1 is the capability of a channel, all of whose nodes are of this fork, by which an identity has one form: see
// docs/security.md. Stock Fabric and version 0.1.0 refuse a channel that has it.
const ChannelGMV1 = "GM_V1"

// HasCapability tells whether this binary supports the capability.
//
//fork:wrap gm: capability GM_V1 of channels
func (cp *ChannelProvider) HasCapability(capability string) bool {
	return capability == ChannelGMV1 || cp.upstreamHasCapability(capability)
}

// MSPVersion returns which MSPs the channel needs.
//
//fork:wrap gm: capability GM_V1 of channels
func (cp *ChannelProvider) MSPVersion() msp.MSPVersion {
	version := cp.upstreamMSPVersion()
	if _, ok := cp.capabilities[ChannelGMV1]; ok {
		return version.WithCapability()
	}
	return version
}
