// SPDX-License-Identifier: Apache-2.0

//fork:file fix: an orderer that joins or follows a channel does not depend on what one other orderer claims

package follower_test

// claimHeight has one orderer claim a height.
func claimHeight(height uint64) {
	puller.HeightsByEndpointsReturns(map[string]uint64{"liar": height}, "", nil)
}

// switches has the node end as a follower.
func switches() { mockChainCreator.SwitchFollowerToChainReturns(true) }
