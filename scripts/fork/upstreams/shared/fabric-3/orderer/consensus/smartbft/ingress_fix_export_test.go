// SPDX-License-Identifier: Apache-2.0

package smartbft

import "github.com/hyperledger-labs/SmartBFT/smartbftprotos"

// CheckSize says why a message of another consenter is not parsed.
func (rtc RuntimeConfig) CheckSize(payload []byte) error { return rtc.checkSize(payload) }

// CheckSize says why this chain is not given a message of another consenter.
func (c *BFTChain) CheckSize(m *smartbftprotos.Message) error {
	return c.RuntimeConfig.Load().(RuntimeConfig).checkSize(bftMsgToClusterMsg(m).Payload)
}
