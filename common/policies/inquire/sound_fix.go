// SPDX-License-Identifier: Apache-2.0

package inquire

import (
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/common/policies"
)

// SatisfiedBy returns sets of principals, each of which satisfies the policy; none if the policy is malformed.
//
//fork:wrap fix: a policy with a negative number, which clients of the discovery service can send, ends or occupies no peer
func (isp *inquireableSignaturePolicy) SatisfiedBy() []policies.PrincipalSet {
	if isp.sigPol == nil || !sound(isp.sigPol.Rule, len(isp.sigPol.Identities)) {
		logger.Warn("Malformed policy: a rule names a principal that is not in it, or a negative number of rules")
		return nil
	}
	return isp.upstreamSatisfiedBy()
}

// sound reports whether the numbers in a rule make sense for a policy with so many principals.
func sound(rule *common.SignaturePolicy, principals int) bool {
	switch kind := rule.GetType().(type) {
	case *common.SignaturePolicy_SignedBy:
		return kind.SignedBy >= 0 && int(kind.SignedBy) < principals
	case *common.SignaturePolicy_NOutOf_:
		if kind.NOutOf.GetN() < 0 {
			return false
		}
		for _, part := range kind.NOutOf.GetRules() {
			if !sound(part, principals) {
				return false
			}
		}
	}
	return true
}
