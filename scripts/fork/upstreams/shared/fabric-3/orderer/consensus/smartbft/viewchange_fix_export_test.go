// SPDX-License-Identifier: Apache-2.0

package smartbft

import "github.com/hyperledger-labs/SmartBFT/smartbftprotos"

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
