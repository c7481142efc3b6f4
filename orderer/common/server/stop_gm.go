// SPDX-License-Identifier: Apache-2.0

//fork:file fix: an orderer that is asked to stop gives its leadership to another first

package server

import (
	"sync"

	"github.com/hyperledger/fabric/orderer/common/multichannel"
)

// handOver makes the channels' consenters that can do so give their leadership to another node, all at once. Followers would
// otherwise wait for an election timeout before ordering continues.
func handOver(registrar *multichannel.Registrar) {
	var wg sync.WaitGroup
	for _, channel := range registrar.ChannelList().Channels {
		support := registrar.GetChain(channel.Name)
		if support == nil {
			continue // removed, or this node is not among its consenters
		}
		if leader, ok := support.Chain.(interface{ HandOver() }); ok {
			wg.Go(leader.HandOver)
		}
	}
	wg.Wait()
}
