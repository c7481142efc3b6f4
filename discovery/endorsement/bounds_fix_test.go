// SPDX-License-Identifier: Apache-2.0

package endorsement

import (
	"testing"

	common2 "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"
)

// TestPoliciesOfKeysAreBounded sends a policy that C(40,20) sets of principals satisfy, as another peer could in the answer to a gateway.
func TestPoliciesOfKeysAreBounded(t *testing.T) {
	var principals []*common2.SignaturePolicy
	for range 40 {
		principals = append(principals, &common2.SignaturePolicy{Type: &common2.SignaturePolicy_SignedBy{}})
	}
	half := &common2.SignaturePolicy{Type: &common2.SignaturePolicy_NOutOf_{NOutOf: &common2.SignaturePolicy_NOutOf{N: 20, Rules: principals}}}
	interest := &peer.ChaincodeInterest{Chaincodes: []*peer.ChaincodeCall{{
		Name: "asset", KeyPolicies: []*common2.SignaturePolicyEnvelope{{Rule: half}},
	}}}
	_, err := NewEndorsementAnalyzer(nil, nil, nil, nil).PeersForEndorsement(nil, interest)
	require.ErrorContains(t, err, "more than 256 sets of principals")
}
