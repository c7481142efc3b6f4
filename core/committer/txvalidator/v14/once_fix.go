// SPDX-License-Identifier: Apache-2.0

package txvalidator

import (
	"sync"

	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// ForSet returns what Evaluate does for one set of signatures, which are verified once for all policies.
func (id *PolicyEvaluator) ForSet(signatureSet []*protoutil.SignedData) func(policy []byte) error {
	identities := sync.OnceValue(func() []msp.Identity {
		return policies.SignatureSetToValidIdentities(signatureSet, id.IdentityDeserializer)
	})
	return func(policy []byte) error {
		p, _, err := cauthdsl.NewPolicyProvider(id.IdentityDeserializer).NewPolicy(policy)
		if err != nil {
			return err
		}
		return p.EvaluateIdentities(identities())
	}
}
