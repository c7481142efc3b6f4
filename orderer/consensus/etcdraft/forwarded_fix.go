// SPDX-License-Identifier: Apache-2.0

package etcdraft

import (
	"github.com/hyperledger/fabric-protos-go/orderer"
)

// Submit takes a message from a client of this node (sender 0) or from another consenter.
//
// A consenter says up to which configuration it has validated what it forwards. A leader that believed it would order any
// configuration, and every consenter would end at that block, at each start.
//
//fork:wrap fix: a consenter that does not lead gets no configuration ordered that the leader has not validated
func (c *Chain) Submit(req *orderer.SubmitRequest, sender uint64) error {
	if sender == 0 {
		return c.upstreamSubmit(req, sender)
	}
	validated, err := c.validated(req)
	if err != nil {
		// As for a message that a leader cannot order, the stream from that consenter goes on.
		c.Metrics.ProposalFailures.Add(1)
		c.logger.Warnf("Configuration that consenter %d forwarded is refused: %s", sender, err)
		return nil
	}
	return c.upstreamSubmit(validated, sender)
}

// validated is the request with a configuration of this node's making if it has one. Others are validated where they are ordered.
func (c *Chain) validated(req *orderer.SubmitRequest) (*orderer.SubmitRequest, error) {
	if config, err := c.isConfig(req.Payload); err != nil || !config {
		return req, err
	}
	payload, seq, err := c.support.ProcessConfigMsg(req.Payload)
	if err != nil {
		return nil, err
	}
	return &orderer.SubmitRequest{Channel: req.Channel, LastValidationSeq: seq, Payload: payload}, nil
}
