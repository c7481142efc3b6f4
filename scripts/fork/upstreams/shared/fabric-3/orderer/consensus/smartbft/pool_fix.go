// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/protoutil"
)

// toPool gives a request of a client to the pool from which proposals are made. A request that other consenters would forward, or
// refuse in a proposal, is judged by the same rule.
func (c *BFTChain) toPool(request []byte) error {
	if _, err := c.verifier.VerifyRequest(request); err != nil {
		return err
	}
	return c.consensus.SubmitRequest(request)
}

// JudgeContent refuses what no proposal may have, so that its client is told that another attempt is in vain. The signature was
// judged by the channel's filters just before.
func (c *BFTChain) JudgeContent(env *cb.Envelope) error {
	request, err := proto.Marshal(env)
	if err != nil {
		return err
	}
	content := *c.verifier
	content.AccessController = judgedBefore{}
	_, err = content.VerifyRequest(request)
	return err
}

// judgedBefore is an AccessController that has nothing left to judge.
type judgedBefore struct{}

func (judgedBefore) Evaluate([]*protoutil.SignedData) error { return nil }
