// SPDX-License-Identifier: Apache-2.0

package interest

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"
)

func signedBy(index int) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: int32(index)}}
}

func outOf(n int32, parts ...*common.SignaturePolicy) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: n, Rules: parts}}}
}

func times(n int, part *common.SignaturePolicy) (parts []*common.SignaturePolicy) {
	for range n {
		parts = append(parts, part)
	}
	return parts
}

func call(rules ...*common.SignaturePolicy) *peer.ChaincodeCall {
	c := &peer.ChaincodeCall{Name: "asset", CollectionNames: []string{"one"}}
	for _, rule := range rules {
		c.KeyPolicies = append(c.KeyPolicies, &common.SignaturePolicyEnvelope{Rule: rule})
	}
	return c
}

// different returns policies that two sets of principals each satisfy.
func different(n int) (rules []*common.SignaturePolicy) {
	for i := range n {
		rules = append(rules, outOf(1, signedBy(i), signedBy(i+1)))
	}
	return rules
}

// TestCheck takes policies of keys as peers find them in their ledgers, and some that would occupy a peer.
func TestCheck(t *testing.T) {
	one := signedBy(0)
	half := outOf(20, times(40, one)...)
	for name, test := range map[string]struct {
		calls []*peer.ChaincodeCall
		parts int // 0: refused
	}{
		"nothing":                   {nil, 1},
		"no policies":               {[]*peer.ChaincodeCall{call()}, 1 + 1 + 1},
		"a principal":               {[]*peer.ChaincodeCall{call(one)}, 2 + 1 + 1},
		"all of many":               {[]*peer.ChaincodeCall{call(outOf(maxRules, times(maxRules, one)...))}, 2 + 1 + 1},
		"all of too many":           {[]*peer.ChaincodeCall{call(outOf(maxRules+1, times(maxRules+1, one)...))}, 0},
		"two of four":               {[]*peer.ChaincodeCall{call(outOf(2, times(4, one)...))}, 2 + 1 + 6},
		"any of many":               {[]*peer.ChaincodeCall{call(outOf(1, times(MaxSets, one)...))}, 2 + 1 + MaxSets},
		"products":                  {[]*peer.ChaincodeCall{call(outOf(8, different(8)...))}, 2 + 1 + 256},
		"greater products":          {[]*peer.ChaincodeCall{call(outOf(9, different(9)...))}, 0},
		"half of many":              {[]*peer.ChaincodeCall{call(half)}, 0},
		"many keys with one policy": {[]*peer.ChaincodeCall{call(times(100, outOf(1, one, one))...)}, 2 + 100 + 2},
		"keys of two chaincodes":    {[]*peer.ChaincodeCall{call(different(4)...), call(different(8)...)}, 4 + 4 + 8 + 256},
		"one key more":              {[]*peer.ChaincodeCall{call(different(4)...), call(different(9)...)}, 0},
		"what nothing satisfies":    {[]*peer.ChaincodeCall{call(outOf(3, one, half))}, 0},
		"what is not needed":        {[]*peer.ChaincodeCall{call(outOf(0, half))}, 0},
		"a negative number":         {[]*peer.ChaincodeCall{call(outOf(-1, half))}, 0},
		"no rule":                   {[]*peer.ChaincodeCall{call(nil)}, 2 + 1 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			parts, err := Check(&peer.ChaincodeInterest{Chaincodes: test.calls})
			if test.parts == 0 {
				require.ErrorContains(t, err, "more than 256 sets of principals")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.parts, parts)
		})
	}
	_, err := Check(nil)
	require.NoError(t, err)
}

// TestLargePolicies: one set of principals can be large, too.
func TestLargePolicies(t *testing.T) {
	check := func(calls ...*peer.ChaincodeCall) error {
		_, err := Check(&peer.ChaincodeInterest{Chaincodes: calls})
		return err
	}
	all := outOf(249, times(249, signedBy(0))...)
	require.NoError(t, check(call(outOf(3, all, all, all))))
	require.ErrorContains(t, check(call(outOf(4, all, all, all, all))), "has 1001 rules")
	var many []*common.SignaturePolicy
	for i := range 41 {
		many = append(many, outOf(250, append(times(249, signedBy(0)), signedBy(i+1))...))
	}
	require.NoError(t, check(call(many[:39]...)))
	require.ErrorContains(t, check(call(many...)), "has 251 rules")
	named := call(signedBy(0))
	named.KeyPolicies[0].Identities = []*msp.MSPPrincipal{{Principal: make([]byte, maxPrincipalBytes)}}
	require.NoError(t, check(named))
	named.KeyPolicies[0].Identities[0].Principal = make([]byte, maxPrincipalBytes+1)
	require.ErrorContains(t, check(named), "an identity of 16385 bytes")
}
