// SPDX-License-Identifier: Apache-2.0

package policies_test

import (
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policies/inquire"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/protoutil"
)

// withoutPolicy returns a channel's Application group in which the last of the organisations has no policy Endorsement.
func withoutPolicy(orgs ...string) *cb.ConfigGroup {
	group := protoutil.NewConfigGroup()
	for i, org := range orgs {
		group.Groups[org] = protoutil.NewConfigGroup()
		if i < len(orgs)-1 {
			group.Groups[org].Policies["Endorsement"] = &cb.ConfigPolicy{Policy: &cb.Policy{
				Type: int32(cb.Policy_SIGNATURE), Value: protoutil.MarshalOrPanic(policydsl.SignedByMspPeer(org)),
			}}
		}
	}
	return group
}

// TestOrganisationWithoutPolicy: endorsers are found among the organisations that have the policy, if they suffice.
func TestOrganisationWithoutPolicy(t *testing.T) {
	for name, test := range map[string]struct {
		rule cb.ImplicitMetaPolicy_Rule
		orgs []string
		sets [][]string
	}{
		"majority":          {cb.ImplicitMetaPolicy_MAJORITY, []string{"Org1", "Org2", "Org3"}, [][]string{{"Org1", "Org2"}}},
		"any":               {cb.ImplicitMetaPolicy_ANY, []string{"Org1", "Org2"}, [][]string{{"Org1"}}},
		"all, which is not": {cb.ImplicitMetaPolicy_ALL, []string{"Org1", "Org2"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			group := withoutPolicy(test.orgs...)
			group.Policies["Endorsement"] = &cb.ConfigPolicy{Policy: &cb.Policy{
				Type: int32(cb.Policy_IMPLICIT_META), Value: protoutil.MarshalOrPanic(&cb.ImplicitMetaPolicy{SubPolicy: "Endorsement", Rule: test.rule}),
			}}
			manager, err := policies.NewManagerImpl("Application", map[int32]policies.Provider{int32(cb.Policy_SIGNATURE): cauthdsl.NewPolicyProvider(nil)}, group)
			require.NoError(t, err)
			policy, ok := manager.GetPolicy("Endorsement")
			require.True(t, ok)
			converted, err := policy.(policies.Converter).Convert()
			require.NoError(t, err)
			var sets [][]string
			for _, set := range inquire.NewInquireableSignaturePolicy(converted).SatisfiedBy() {
				var orgs []string
				for _, principal := range set {
					role := &msp.MSPRole{}
					require.NoError(t, proto.Unmarshal(principal.Principal, role))
					orgs = append(orgs, role.MspIdentifier)
				}
				sets = append(sets, orgs)
			}
			require.Len(t, sets, len(test.sets))
			for i := range sets {
				require.ElementsMatch(t, test.sets[i], sets[i])
			}
		})
	}
}
