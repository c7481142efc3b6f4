// SPDX-License-Identifier: Apache-2.0

//fork:file fix: one organisation with many endpoints cannot have a consenter wait for blocks that do not exist

package smartbft

import (
	"cmp"
	"slices"
	"time"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/hyperledger/fabric/orderer/consensus"
)

// believable leaves out heights, so that of f lying consenters come at most f. Heights are numbers that nobody proves, and each
// organisation lists its endpoints by itself. Of the endpoints of each, as many count as it has consenters, the highest ones.
func believable(heights map[string]uint64, support consensus.ConsenterSupport) map[string]uint64 {
	if len(heights) == 0 {
		return heights
	}
	config := support.SharedConfig()
	consenters := map[string]int{}
	for _, consenter := range config.Consenters() {
		consenters[consenter.MspId]++
	}
	left, listed := map[string]uint64{}, map[string]bool{}
	for _, organization := range config.Organizations() {
		var answered []string
		for _, endpoint := range organization.Endpoints() {
			if _, ok := heights[endpoint]; ok && !slices.Contains(answered, endpoint) {
				answered = append(answered, endpoint)
			}
			listed[endpoint] = true
		}
		slices.SortFunc(answered, func(a, b string) int { return cmp.Compare(heights[b], heights[a]) })
		for _, endpoint := range answered[:min(len(answered), consenters[organization.MSPID()])] {
			left[endpoint] = heights[endpoint]
		}
	}
	for endpoint, height := range heights {
		if !listed[endpoint] { // an address of the whole channel, which no organisation sets alone
			left[endpoint] = height
		}
	}
	if len(left) == 0 { // an organisation without consenters has all endpoints
		return heights
	}
	return left
}

// pullBlock gives up when no block has come for as long as upstream lets one synchronization retry. If only a liar could be asked, its
// height is never reached, and this consenter does not vote meanwhile.
func (s *BFTSynchronizer) pullBlock(seq uint64) *cb.Block {
	limit := s.LocalConfigCluster.ReplicationPullTimeout * time.Duration(s.LocalConfigCluster.ReplicationMaxRetries)
	if limit > 0 { // no retries means that there is no limit to them
		defer time.AfterFunc(limit, s.syncBuff.Stop).Stop()
	}
	return s.syncBuff.PullBlock(seq)
}
