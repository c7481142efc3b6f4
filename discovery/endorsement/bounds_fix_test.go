// SPDX-License-Identifier: Apache-2.0

package endorsement

import (
	"math/bits"
	"strconv"
	"testing"

	common2 "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/chaincode"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policies/inquire"
	"github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/protoutil"
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

// setsOf returns one set of the members of n organisations for each number, from the first number on.
func setsOf(first, sets, n int) (res inquire.ComparablePrincipalSets) {
	for i := range sets {
		var set policies.PrincipalSet
		for j := range n {
			set = append(set, memberOf(strconv.Itoa(first+i)+"."+strconv.Itoa(j)))
		}
		res = append(res, inquire.NewComparablePrincipalSet(set))
	}
	return res
}

func memberOf(mspid string) *msp.MSPPrincipal {
	return &msp.MSPPrincipal{Principal: protoutil.MarshalOrPanic(&msp.MSPRole{MspIdentifier: mspid})}
}

// TestPoliciesAreMergedInBoundedTime: policies that are named often are merged once, and those that would take hours not at all.
func TestPoliciesAreMergedInBoundedTime(t *testing.T) {
	a, b := setsOf(0, 10, 2), setsOf(100, 5, 2)
	few, err := mergePrincipalSets([]inquire.ComparablePrincipalSets{a, b})
	require.NoError(t, err)
	require.Len(t, few, 50)

	var often []inquire.ComparablePrincipalSets
	for range 50 {
		often = append(often, setsOf(0, 200, 5))
	}
	again, err := mergePrincipalSets(often)
	require.NoError(t, err)
	require.Len(t, again, 200)
	require.Same(t, often[0][0][0], again[0][0], "nothing was merged")
	large, err := mergePrincipalSets([]inquire.ComparablePrincipalSets{setsOf(0, 1000, 5), setsOf(5000, 1000, 5)})
	require.NoError(t, err)
	require.NotEmpty(t, large)
	require.LessOrEqual(t, len(large), 1<<14)
	var many []inquire.ComparablePrincipalSets
	for i := range 11 {
		many = append(many, setsOf(1000*i, 100, 1))
	}
	_, err = mergePrincipalSets(many)
	require.ErrorContains(t, err, "too many sets")
	_, err = mergePrincipalSets(nil)
	require.Error(t, err)
}

// TestMajorityAndAnyOne: of a majority of 14 organisations, merged with any one of them, none of the 3,003 sets is lost.
func TestMajorityAndAnyOne(t *testing.T) {
	var any, majority inquire.ComparablePrincipalSets
	var orgs []*msp.MSPPrincipal
	for i := range 14 {
		orgs = append(orgs, memberOf(strconv.Itoa(i)))
		any = append(any, inquire.NewComparablePrincipalSet(policies.PrincipalSet{orgs[i]}))
	}
	for chosen := range uint(1) << 14 {
		if bits.OnesCount(chosen) != 8 {
			continue
		}
		var set policies.PrincipalSet
		for i := range 14 {
			if chosen>>i&1 == 1 {
				set = append(set, orgs[i])
			}
		}
		majority = append(majority, inquire.NewComparablePrincipalSet(set))
	}
	merged, err := mergePrincipalSets([]inquire.ComparablePrincipalSets{majority, any})
	require.NoError(t, err)
	require.Len(t, merged, 3003)
	for _, set := range merged {
		require.Len(t, set, 8)
	}
}

// TestEqualCallsCountOnce: a chaincode that an interest names often has its policy worked out once.
func TestEqualCallsCountOnce(t *testing.T) {
	gossip, fetcher, metadata := &gossipMock{}, &policyFetcherMock{}, &metadataFetcher{}
	members := peerSet{newPeer(0).withChaincode("asset", "1.0")}
	gossip.On("Peers").Return(members.toMembers())
	gossip.On("PeersOfChannel").Return(members.toMembers())
	gossip.On("IdentityInfo").Return(identitySet(pkiID2MSPID))
	metadata.On("Metadata").Return(&chaincode.Metadata{Name: "asset", Version: "1.0"})
	fetcher.On("PoliciesByChaincode", "asset").Return((&principalBuilder{}).newSet().addPrincipal(peerRole("p0")).buildPolicy())
	interest := &peer.ChaincodeInterest{}
	for range 900 {
		interest.Chaincodes = append(interest.Chaincodes, &peer.ChaincodeCall{Name: "asset"})
	}
	found, err := NewEndorsementAnalyzer(gossip, fetcher, &principalEvaluatorMock{}, metadata).PeersForEndorsement(common.ChannelID("mine"), interest)
	require.NoError(t, err)
	require.Len(t, found.Layouts, 1)
	fetcher.AssertNumberOfCalls(t, "PoliciesByChaincode", 1)
	require.Len(t, interest.Chaincodes, 900, "what was asked is left as it was")
}
