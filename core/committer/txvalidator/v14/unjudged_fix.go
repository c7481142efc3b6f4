// SPDX-License-Identifier: Apache-2.0

package txvalidator

import "github.com/hyperledger/fabric/core/common/validation/statebased"

// validateTx says when the transaction has its verdict, before anybody learns which.
//
//fork:wrap fix: no transaction waits for ever for one that is refused
func (v *TxValidator) validateTx(req *blockValidationRequest, results chan<- *blockValidationResult) {
	ended := statebased.Validating(req.block, req.tIdx)
	verdict := make(chan *blockValidationResult, 1) // upstream gives one
	v.upstreamValidateTx(req, verdict)
	ended()
	results <- <-verdict
}
