// SPDX-License-Identifier: Apache-2.0

package policies

import cb "github.com/hyperledger/fabric-protos-go/common"

// Convert returns what nobody satisfies: one of no rules. An organisation may remove its own policy from the channel. The others then do
// without it, as they do when the policy is evaluated; upstream cannot convert it, so that peers find no endorsers for anybody.
func (rp rejectPolicy) Convert() (*cb.SignaturePolicyEnvelope, error) {
	return &cb.SignaturePolicyEnvelope{Rule: &cb.SignaturePolicy{
		Type: &cb.SignaturePolicy_NOutOf_{NOutOf: &cb.SignaturePolicy_NOutOf{N: 1}},
	}}, nil
}
