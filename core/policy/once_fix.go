// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"sync"

	"github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// ForSet returns what Evaluate does for one set of signatures. For all policies that do not refer to the channel's, they are verified once.
func (a *ApplicationPolicyEvaluator) ForSet(signatureSet []*protoutil.SignedData) func(policy []byte) error {
	e := *a
	if p, ok := a.signaturePolicyProvider.(*cauthdsl.EnvelopeBasedPolicyProvider); ok {
		e.signaturePolicyProvider = verified{p, sync.OnceValue(func() []msp.Identity {
			return policies.SignatureSetToValidIdentities(signatureSet, p.Deserializer)
		})}
	}
	return func(policy []byte) error { return e.Evaluate(policy, signatureSet) }
}

// verified makes policies that know which signatures of the set are right.
type verified struct {
	SignaturePolicyProvider
	identities func() []msp.Identity
}

// NewPolicy returns a policy that is evaluated for the identities.
func (v verified) NewPolicy(envelope *common.SignaturePolicyEnvelope) (policies.Policy, error) {
	p, err := v.SignaturePolicyProvider.NewPolicy(envelope)
	if err != nil {
		return nil, err
	}
	return verifiedPolicy{p, v.identities}, nil
}

type verifiedPolicy struct {
	policies.Policy
	identities func() []msp.Identity
}

// EvaluateSignedData evaluates the policy for the one set.
func (p verifiedPolicy) EvaluateSignedData([]*protoutil.SignedData) error {
	return p.EvaluateIdentities(p.identities())
}
