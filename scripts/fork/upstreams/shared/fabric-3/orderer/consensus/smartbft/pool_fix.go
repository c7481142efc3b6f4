// SPDX-License-Identifier: Apache-2.0

package smartbft

// toPool gives a request of a client to the pool from which proposals are made. A request that other consenters would forward, or
// refuse in a proposal, is judged by the same rule.
func (c *BFTChain) toPool(request []byte) error {
	if _, err := c.verifier.VerifyRequest(request); err != nil {
		return err
	}
	return c.consensus.SubmitRequest(request)
}
