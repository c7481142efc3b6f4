// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"sync"

	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/hyperledger/fabric/protoutil"
)

// UseKeys has a chain that has not started sign and verify as a test says.
func (c *BFTChain) UseKeys(signer SignerSerializer, verifier ConsenterVerifier) {
	c.consensus.Signer.(*Signer).SignerSerializer = signer
	c.verifier.ConsenterVerifier = verifier
}

// IdentityOf returns the identity of a consenter.
func (c *BFTChain) IdentityOf(id uint64) []byte {
	return c.RuntimeConfig.Load().(RuntimeConfig).ID2Identities[id]
}

// EstablishedView returns the view that the library has established.
func (c *BFTChain) EstablishedView() uint64 {
	return c.MetricsBFT.MetricsViewChange.RealView.(*views).established.Load()
}

// CheckViewChange says why HandleMessage drops a message.
func (c *BFTChain) CheckViewChange(sender uint64, m *smartbftprotos.Message) error {
	_, err := c.judgeViewChange(sender, m)
	return err
}

// JudgeViewChange returns what HandleMessage gives to the library.
func (c *BFTChain) JudgeViewChange(sender uint64, m *smartbftprotos.Message) (*smartbftprotos.Message, error) {
	return c.judgeViewChange(sender, m)
}

// WhileJudging has a chain that has not started commit a block while it verifies the next proposal.
func (c *BFTChain) WhileJudging(block *cb.Block) {
	c.verifier.AccessController = &meanwhile{AccessController: c.verifier.AccessController, do: func() { c.updateRuntimeConfig(block) }}
}

type meanwhile struct {
	AccessController
	once sync.Once
	do   func()
}

func (m *meanwhile) Evaluate(set []*protoutil.SignedData) error {
	m.once.Do(m.do)
	return m.AccessController.Evaluate(set)
}
