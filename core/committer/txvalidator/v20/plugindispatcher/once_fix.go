// SPDX-License-Identifier: Apache-2.0

package plugindispatcher

import (
	"github.com/hyperledger/fabric/core/common/validation/statebased"
	"github.com/hyperledger/fabric/protoutil"
)

// ForSet returns what Evaluate does for one set of signatures.
func (id *PolicyEvaluatorWrapper) ForSet(signatureSet []*protoutil.SignedData) func(policy []byte) error {
	if e, ok := id.PolicyEvaluator.(statebased.SetEvaluator); ok {
		return e.ForSet(signatureSet)
	}
	return func(policy []byte) error { return id.Evaluate(policy, signatureSet) }
}
