// SPDX-License-Identifier: Apache-2.0

package etcdraft

import (
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"github.com/hyperledger/fabric/common/channelconfig"
)

// maxInflightBlocks bounds the queue that a leader makes when it is elected.
const maxInflightBlocks = 10000

// ValidateConsensusMetadata judges an update of the configuration before it is ordered.
//
//fork:wrap fix: an update that would end each orderer at its next start, or each leader at its election, is refused
func (c *Chain) ValidateConsensusMetadata(oldConfig, newConfig channelconfig.Orderer, newChannel bool) error {
	if err := c.upstreamValidateConsensusMetadata(oldConfig, newConfig, newChannel); err != nil {
		return err
	}
	if newConfig.ConsensusMetadata() == nil || newConfig.ConsensusType() != oldConfig.ConsensusType() {
		return nil // a channel that leaves Raft has other options
	}
	was, is := &etcdraft.ConfigMetadata{}, &etcdraft.ConfigMetadata{}
	if err := proto.Unmarshal(oldConfig.ConsensusMetadata(), was); err != nil {
		return fmt.Errorf("the present options of Raft: %w", err)
	}
	if err := proto.Unmarshal(newConfig.ConsensusMetadata(), is); err != nil {
		return fmt.Errorf("the options of Raft: %w", err)
	}
	return checkChanged(was.Options, is.Options)
}

// CheckFirst judges the options in a first block as ValidateConsensusMetadata does those in an update. An orderer that joins as a
// consenter would end with others, and again at each start.
func CheckFirst(first channelconfig.Resources) error {
	config, ok := first.OrdererConfig()
	if !ok || config.ConsensusType() != "etcdraft" {
		return nil
	}
	is := &etcdraft.ConfigMetadata{}
	if err := proto.Unmarshal(config.ConsensusMetadata(), is); err != nil {
		return fmt.Errorf("the options of Raft: %w", err)
	}
	return checkChanged(nil, is.Options)
}

// checkChanged looks at changed options only, so that a channel that has a refused one can have others changed.
func checkChanged(was, is *etcdraft.Options) error {
	if is.GetTickInterval() != was.GetTickInterval() {
		if d, err := time.ParseDuration(is.GetTickInterval()); err != nil || d <= 0 {
			return fmt.Errorf("TickInterval (%s) must be a positive duration such as 500ms", is.GetTickInterval())
		}
	}
	if n := is.GetMaxInflightBlocks(); n != was.GetMaxInflightBlocks() && n > maxInflightBlocks {
		return fmt.Errorf("MaxInflightBlocks (%d) must be at most %d", n, maxInflightBlocks)
	}
	return nil
}
