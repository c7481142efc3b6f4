// SPDX-License-Identifier: Apache-2.0

package configtx

import (
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	mspprotos "github.com/hyperledger/fabric-protos-go/msp"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/internal/configtxlator/update"
	"github.com/hyperledger/fabric/protoutil"
)

const largestTransaction = 1 << 20

// organisation is a channel with this organisation, and its group.
func organisation(edit func(*cb.ConfigGroup)) *cb.ConfigGroup {
	org := &cb.ConfigGroup{
		ModPolicy: "foo", Groups: map[string]*cb.ConfigGroup{}, Values: map[string]*cb.ConfigValue{mspKey: {ModPolicy: "foo"}},
		Policies: map[string]*cb.ConfigPolicy{"Readers": signedBy(nil, 1)},
	}
	edit(org)
	size := &cb.ConfigValue{ModPolicy: "foo", Value: protoutil.MarshalOrPanic(&ab.BatchSize{AbsoluteMaxBytes: largestTransaction})}
	orderer := &cb.ConfigGroup{
		ModPolicy: "foo", Values: map[string]*cb.ConfigValue{"BatchSize": size}, Groups: map[string]*cb.ConfigGroup{"Org1": org},
	}
	return &cb.ConfigGroup{ModPolicy: "foo", Groups: map[string]*cb.ConfigGroup{"Orderer": orderer}}
}

func signedBy(rule *cb.SignaturePolicy, identities int) *cb.ConfigPolicy {
	policy := &cb.SignaturePolicyEnvelope{Rule: rule}
	for range identities {
		policy.Identities = append(policy.Identities, &mspprotos.MSPPrincipal{})
	}
	return &cb.ConfigPolicy{ModPolicy: "foo", Policy: &cb.Policy{Type: int32(cb.Policy_SIGNATURE), Value: protoutil.MarshalOrPanic(policy)}}
}

// signedByOne names one identity of so many bytes.
func signedByOne(size int) *cb.ConfigPolicy {
	const header = 3
	policy := &cb.SignaturePolicyEnvelope{Rule: anyOf(1), Identities: []*mspprotos.MSPPrincipal{{Principal: make([]byte, size-header)}}}
	return &cb.ConfigPolicy{ModPolicy: "foo", Policy: &cb.Policy{Type: int32(cb.Policy_SIGNATURE), Value: protoutil.MarshalOrPanic(policy)}}
}

// anyOf is a rule over so many rules.
func anyOf(rules int) *cb.SignaturePolicy {
	all := make([]*cb.SignaturePolicy, rules)
	for i := range all {
		all[i] = &cb.SignaturePolicy{Type: &cb.SignaturePolicy_SignedBy{}}
	}
	return &cb.SignaturePolicy{Type: &cb.SignaturePolicy_NOutOf_{NOutOf: &cb.SignaturePolicy_NOutOf{N: 1, Rules: all}}}
}

func nested(depth int) *cb.SignaturePolicy {
	rule := anyOf(1)
	for range depth {
		rule = &cb.SignaturePolicy{Type: &cb.SignaturePolicy_NOutOf_{NOutOf: &cb.SignaturePolicy_NOutOf{N: 1, Rules: []*cb.SignaturePolicy{rule}}}}
	}
	return rule
}

func readers(policy *cb.ConfigPolicy) func(*cb.ConfigGroup) {
	return func(org *cb.ConfigGroup) { org.Policies["Readers"] = policy }
}

func orderers(addresses int) func(*cb.ConfigGroup) {
	return func(org *cb.ConfigGroup) {
		value := protoutil.MarshalOrPanic(&cb.OrdererAddresses{Addresses: strings.Split(strings.Repeat("a:1,", addresses-1)+"a:1", ",")})
		org.Values["Endpoints"] = &cb.ConfigValue{ModPolicy: "foo", Value: value}
	}
}

func certificates(size int) func(*cb.ConfigGroup) {
	return func(org *cb.ConfigGroup) {
		org.Values["More"] = &cb.ConfigValue{ModPolicy: "foo", Value: make([]byte, size)}
	}
}

// change has an orderer judge a change of an organisation, whose policies anybody satisfies.
func change(t *testing.T, was, is func(*cb.ConfigGroup)) error {
	t.Helper()
	from, to := &cb.Config{ChannelGroup: organisation(was)}, &cb.Config{ChannelGroup: organisation(is)}
	judge, err := NewValidatorImpl(defaultChannel, from, "foonamespace", defaultPolicyManager())
	require.NoError(t, err)
	computed, err := update.Compute(from, to)
	require.NoError(t, err)
	_, err = judge.ProposeConfigUpdate(makeConfigUpdateEnvelope(defaultChannel, computed.ReadSet, computed.WriteSet))
	return err
}

// TestLimitsOfAnOrganisation: what an organisation decides alone about itself cannot be more than all nodes of the channel can bear.
func TestLimitsOfAnOrganisation(t *testing.T) {
	const share = largestTransaction / sharesAtLeast
	sameBytes := signedBy(anyOf(1000), 1)
	sameBytes.Policy.Type = int32(cb.Policy_IMPLICIT_META)
	for want, cases := range map[string][][2]func(*cb.ConfigGroup){
		"policy Readers of foonamespace/Orderer/Org1: it has more than 1000 rules": {
			{nothing, readers(signedBy(anyOf(1000), 1))},
			{nothing, readers(signedBy(nested(999), 1))},
			{readers(sameBytes), readers(signedBy(anyOf(1000), 1))},
			{readers(signedBy(anyOf(1000), 1)), readers(signedBy(anyOf(1001), 1))},
		},
		"policy Readers of foonamespace/Orderer/Org1: it names 1001 identities": {{nothing, readers(signedBy(anyOf(1), 1001))}},
		"policy Readers of foonamespace/Orderer/Org1: it names an identity of 16385 bytes": {
			{nothing, readers(signedByOne(principalAtMost + 1))},
			{readers(signedByOne(principalAtMost + 2)), readers(signedByOne(principalAtMost + 1))},
		},
		"Endpoints of foonamespace/Orderer/Org1 has 51 addresses": {{nothing, orderers(51)}},
		"foonamespace/Orderer/Org1 would have":                    {{nothing, certificates(share)}, {certificates(share), certificates(share + 1)}},
		"": {
			{nothing, readers(signedBy(anyOf(999), 1000))},
			{nothing, readers(signedBy(nested(998), 1))},
			{nothing, readers(sameBytes)},
			{nothing, readers(signedByOne(principalAtMost))},
			{readers(signedByOne(principalAtMost + 1)), both(readers(signedByOne(principalAtMost+1)), certificates(10))},
			{nothing, orderers(50)},
			{nothing, certificates(share - 1000)},
			{readers(signedBy(anyOf(1001), 1)), both(readers(signedBy(anyOf(1001), 1)), certificates(10))},
			{orderers(51), both(orderers(51), certificates(10))},
			{orderers(51), orderers(50)},
			{certificates(share + 1000), certificates(share + 900)},
		},
	} {
		for i, c := range cases {
			if err := change(t, c[0], c[1]); want == "" {
				require.NoError(t, err, "%d", i)
			} else {
				require.ErrorContains(t, err, want, "%d", i)
			}
		}
	}
}

func nothing(*cb.ConfigGroup) {}

func both(first, second func(*cb.ConfigGroup)) func(*cb.ConfigGroup) {
	return func(org *cb.ConfigGroup) {
		first(org)
		second(org)
	}
}

// TestUnreadableLimits: what cannot be read is refused.
func TestUnreadableLimits(t *testing.T) {
	unreadable := func(org *cb.ConfigGroup) {
		org.Values["Endpoints"] = &cb.ConfigValue{ModPolicy: "foo", Value: []byte{10}}
	}
	require.ErrorContains(t, change(t, nothing, unreadable), "Endpoints of foonamespace/Orderer/Org1")
	for _, value := range [][]byte{{18}, {18, 1, 18}, {18, 3, 18, 1, 18}, {18, 5, 18, 3, 18, 1, 8}} {
		policy := &cb.ConfigPolicy{ModPolicy: "foo", Policy: &cb.Policy{Type: int32(cb.Policy_SIGNATURE), Value: value}}
		require.ErrorContains(t, change(t, nothing, readers(policy)), "policy Readers of foonamespace/Orderer/Org1", "%v", value)
	}
}
