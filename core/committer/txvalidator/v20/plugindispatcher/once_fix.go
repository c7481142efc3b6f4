// SPDX-License-Identifier: Apache-2.0

package plugindispatcher

import (
	"github.com/hyperledger/fabric/core/common/validation/statebased"
	"github.com/hyperledger/fabric/protoutil"
)

// ForEndorsements returns what Evaluate does for one set of endorsements.
func (id *PolicyEvaluatorWrapper) ForEndorsements(set []*protoutil.SignedData) func(policy []byte) error {
	return statebased.ForEndorsements(id.PolicyEvaluator, set)
}
