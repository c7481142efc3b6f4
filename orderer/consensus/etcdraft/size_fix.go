// SPDX-License-Identifier: Apache-2.0

package etcdraft

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer"

	"github.com/hyperledger/fabric/orderer/common/blockcutter"
)

// ordered gives a message that a leader has taken, from a client or from another consenter, to the batches.
//
// Other consenters have checked the message. One of stock Fabric does not count all of its bytes, and the entry of a message
// that is too large to send would stop the channel.
//
//fork:wrap fix: a leader orders no message that is larger than the channel lets it be, whoever forwards it
func (c *Chain) ordered(msg *orderer.SubmitRequest) (batches [][]*common.Envelope, pending bool, err error) {
	limits := c.support.SharedConfig().BatchSize()
	if size := blockcutter.MessageSize(msg.Payload); limits != nil && size > limits.AbsoluteMaxBytes {
		c.Metrics.ProposalFailures.Add(1)
		return nil, true, fmt.Errorf("a message of %d bytes exceeds AbsoluteMaxBytes of the channel, %d", size, limits.AbsoluteMaxBytes)
	}
	return c.upstreamOrdered(msg)
}
