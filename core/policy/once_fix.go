// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// ForEndorsements returns what Evaluate does for one set of endorsements, which are verified once for all policies. Each signs the Data followed
// by its Identity. The channel's policies know the same MSPs as the deserializer.
func (a *ApplicationPolicyEvaluator) ForEndorsements(set []*protoutil.SignedData) func(policy []byte) error {
	p, ok := a.signaturePolicyProvider.(*cauthdsl.EnvelopeBasedPolicyProvider)
	if !ok {
		panic("programming error: New makes no other provider")
	}
	endorsers := policies.Endorsers(set, p.Deserializer)
	e := ApplicationPolicyEvaluator{endorsed{p, endorsers}, endorsedReferences{a.channelPolicyReferenceProvider, endorsers}}
	return func(policy []byte) error { return e.Evaluate(policy, nil) }
}

// endorsed makes policies that are evaluated for the endorsers.
type endorsed struct {
	SignaturePolicyProvider
	endorsers func() []msp.Identity
}

// NewPolicy makes a policy of a signature policy.
func (e endorsed) NewPolicy(envelope *common.SignaturePolicyEnvelope) (policies.Policy, error) {
	p, err := e.SignaturePolicyProvider.NewPolicy(envelope)
	return endorsedPolicy{p, e.endorsers}, err
}

type endorsedReferences struct {
	ChannelPolicyReferenceProvider
	endorsers func() []msp.Identity
}

// NewPolicy makes a policy of one of the channel's.
func (e endorsedReferences) NewPolicy(reference string) (policies.Policy, error) {
	p, err := e.ChannelPolicyReferenceProvider.NewPolicy(reference)
	return endorsedPolicy{p, e.endorsers}, err
}

type endorsedPolicy struct {
	policies.Policy
	endorsers func() []msp.Identity
}

// EvaluateSignedData evaluates the policy for the endorsers.
func (p endorsedPolicy) EvaluateSignedData([]*protoutil.SignedData) error {
	return p.EvaluateIdentities(p.endorsers())
}
