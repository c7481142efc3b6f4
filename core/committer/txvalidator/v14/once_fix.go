// SPDX-License-Identifier: Apache-2.0

package txvalidator

import (
	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/protoutil"
)

// ForEndorsements returns what Evaluate does for one set of endorsements, which are verified once for all policies.
func (id *PolicyEvaluator) ForEndorsements(set []*protoutil.SignedData) func(policy []byte) error {
	endorsers := policies.Endorsers(set, id.IdentityDeserializer)
	return func(policy []byte) error {
		p, _, err := cauthdsl.NewPolicyProvider(id.IdentityDeserializer).NewPolicy(policy)
		if err != nil {
			return err
		}
		return p.EvaluateIdentities(endorsers())
	}
}
