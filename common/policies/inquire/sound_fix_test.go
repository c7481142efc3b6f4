// SPDX-License-Identifier: Apache-2.0

package inquire

import (
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/stretchr/testify/require"
)

func signedBy(index int32) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: index}}
}

func outOf(n int32, rules ...*common.SignaturePolicy) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: n, Rules: rules}}}
}

// satisfied returns what satisfies a rule, within ten seconds. The principals of the rule are organisations A, B, C and so on; the last
// one is of a kind that is not known.
func satisfied(t *testing.T, rule *common.SignaturePolicy) []policies.PrincipalSet {
	identities := append(createPrincipals("A", "B", "C"), &msp.MSPPrincipal{PrincipalClassification: 99})
	done := make(chan []policies.PrincipalSet, 1)
	go func() {
		done <- NewInquireableSignaturePolicy(&common.SignaturePolicyEnvelope{Rule: rule, Identities: identities}).SatisfiedBy()
	}()
	select {
	case sets := <-done:
		return sets
	case <-time.After(10 * time.Second):
		t.Fatal("it computes without end")
		return nil
	}
}

// TestMalformedNumbers: policies with numbers that make no sense have no sets of principals, at once.
func TestMalformedNumbers(t *testing.T) {
	many := rules(64)
	for name, rule := range map[string]*common.SignaturePolicy{
		"negative principal":                signedBy(-1),
		"negative principal, inside":        outOf(1, outOf(1, signedBy(-1))),
		"principal that is not one":         signedBy(4),
		"principal of no known kind":        signedBy(3),
		"principal of no known kind, twice": outOf(2, signedBy(3), signedBy(0)),
		"negative threshold":                outOf(-1, many...),
		"negative threshold, inside":        outOf(2, signedBy(0), outOf(-1, many...)),
		"more than there are":               outOf(2, signedBy(0)),
		"nobody is needed":                  outOf(0, many...),
		"no type":                           {},
		"none":                              nil,
	} {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, satisfied(t, rule))
		})
	}
	require.Empty(t, NewInquireableSignaturePolicy(nil).SatisfiedBy())
	require.Len(t, satisfied(t, outOf(1, signedBy(0), signedBy(1))), 2)
}

func rules(n int) (rules []*common.SignaturePolicy) {
	for range n {
		rules = append(rules, signedBy(2))
	}
	return rules
}

// TestPolicyOfOneOrganization: whatever C writes as its own policy, two of A, B and C can be A and B, and the answer comes soon and is bounded.
func TestPolicyOfOneOrganization(t *testing.T) {
	half := outOf(7, rules(14)...)
	for name, ofC := range map[string]*common.SignaturePolicy{
		"3432 to the power of 3 sets": outOf(3, half, half, half),
		"many sets of many":           outOf(2, half, half, outOf(100, rules(300)...), outOf(139, rules(141)...)),
		"everybody":                   outOf(0),
		"a negative number":           outOf(-1, signedBy(2)),
		"a principal of no kind":      signedBy(3),
		"no type":                     {},
	} {
		t.Run(name, func(t *testing.T) {
			for _, order := range [][]*common.SignaturePolicy{{ofC, signedBy(0), signedBy(1)}, {signedBy(0), signedBy(1), ofC}} {
				sets := satisfied(t, outOf(2, order...))
				total, found := 0, false
				for _, set := range sets {
					total += len(set)
					found = found || len(set) == 2 && mspId(set[0]) == "A" && mspId(set[1]) == "B"
				}
				require.True(t, found)
				require.LessOrEqual(t, total, 2*maxPrincipals)
			}
		})
	}
}

// TestChoicesHaveTheirShare: each of two organisations that many sets satisfy is in some set of the answer, beside all others.
func TestChoicesHaveTheirShare(t *testing.T) {
	half := outOf(7, rules(14)...)
	ways := map[string]int{}
	for _, set := range satisfied(t, outOf(2, half, outOf(1, signedBy(0), signedBy(1)), half)) {
		ways[mspId(set[0])+mspId(set[7])+mspId(set[len(set)-1])]++
	}
	for _, kind := range []string{"CAA", "CBB", "ACC", "BCC", "CCC"} {
		require.Greater(t, ways[kind], 100, "%v", ways)
	}
}

// TestManySignersOfOneOrganization: what needs a thousand signatures counts as what nobody satisfies.
func TestManySignersOfOneOrganization(t *testing.T) {
	parts := []*common.SignaturePolicy{outOf(999, rules(999)...)}
	for range 14 {
		parts = append(parts, signedBy(0))
	}
	sets := satisfied(t, outOf(8, parts...))
	require.Len(t, sets, 3003)
	for _, set := range sets {
		require.Len(t, set, 8)
	}
}

// TestOneKindOfAll: where organisations have policies of one form, one of the sets has the same kind of signer of all.
func TestOneKindOfAll(t *testing.T) {
	var parts []*common.SignaturePolicy
	for range 12 {
		parts = append(parts, outOf(1, signedBy(0), signedBy(1), signedBy(2)))
	}
	found := map[string]bool{}
	for _, set := range satisfied(t, outOf(12, parts...)) {
		names := ""
		for _, principal := range set {
			names += mspId(principal)
		}
		found[names] = true
	}
	for _, name := range []string{"A", "B", "C"} {
		require.True(t, found[strings.Repeat(name, 12)], name)
	}
}
