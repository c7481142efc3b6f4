// SPDX-License-Identifier: Apache-2.0

package cauthdsl

import (
	"errors"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/msp"
)

// counted satisfies the principals that name one of its roles, and counts how often it was asked.
type counted struct {
	msp.Identity
	roles []byte
	asked *int
}

func (c counted) SatisfiesPrincipal(p *mb.MSPPrincipal) error {
	*c.asked++
	if slices.Contains(c.roles, p.Principal[0]) {
		return nil
	}
	return errors.New("none of its roles")
}

// plainly evaluates a policy as the rules say, with no regard to cost: a leaf takes the first identity that satisfies it and is left, a gate
// lets each of its rules take some from what the satisfied ones before it have left.
func plainly(rule *cb.SignaturePolicy, principals []*mb.MSPPrincipal, ids []msp.Identity, used []bool) (bool, []bool) {
	if leaf, ok := rule.Type.(*cb.SignaturePolicy_SignedBy); ok {
		for i, id := range ids {
			if !used[i] && id.SatisfiesPrincipal(principals[leaf.SignedBy]) == nil {
				used = slices.Clone(used)
				used[i] = true
				return true, used
			}
		}
		return false, used
	}
	var satisfied int32
	for _, r := range rule.GetNOutOf().Rules {
		if ok, left := plainly(r, principals, ids, used); ok {
			satisfied++
			used = left
		}
	}
	return satisfied >= rule.GetNOutOf().N, used
}

func signedBy(principal int) *cb.SignaturePolicy {
	return &cb.SignaturePolicy{Type: &cb.SignaturePolicy_SignedBy{SignedBy: int32(principal)}}
}

func outOf(n int, rules ...*cb.SignaturePolicy) *cb.SignaturePolicy {
	return &cb.SignaturePolicy{Type: &cb.SignaturePolicy_NOutOf_{NOutOf: &cb.SignaturePolicy_NOutOf{N: int32(n), Rules: rules}}}
}

func randomRule(r *rand.Rand, depth, principals int) *cb.SignaturePolicy {
	if depth == 0 || r.Intn(3) == 0 {
		return signedBy(r.Intn(principals))
	}
	rules := make([]*cb.SignaturePolicy, r.Intn(5))
	for i := range rules {
		rules[i] = randomRule(r, depth-1, principals)
	}
	return outOf(r.Intn(len(rules)+3)-1, rules...)
}

// TestLeavesSameVerdicts: random policies have the verdicts of the plain rules, for which also the order counts in which identities are taken.
func TestLeavesSameVerdicts(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	verdicts := map[bool]int{}
	for range 20000 {
		principals := make([]*mb.MSPPrincipal, 1+r.Intn(4))
		for i := range principals {
			principals[i] = &mb.MSPPrincipal{Principal: []byte{byte(r.Intn(4))}}
		}
		ids := make([]msp.Identity, r.Intn(5))
		for i := range ids {
			roles := make([]byte, r.Intn(4))
			for j := range roles {
				roles[j] = byte(r.Intn(4))
			}
			ids[i] = counted{roles: roles, asked: new(int)}
		}
		rule := randomRule(r, 3, len(principals))
		evaluate, err := compile(rule, principals)
		require.NoError(t, err)
		want, _ := plainly(rule, principals, ids, make([]bool, len(ids)))
		require.Equal(t, want, evaluate(ids, make([]bool, len(ids))), "%s for %v", rule, ids)
		verdicts[want]++
	}
	require.Greater(t, min(verdicts[true], verdicts[false]), 2000, "the policies tell little")
}

// TestLeavesCost: an identity is asked once for a principal, however many leaves name it, and again in the next evaluation.
func TestLeavesCost(t *testing.T) {
	leaves := make([]*cb.SignaturePolicy, 1000)
	for i := range leaves {
		leaves[i] = outOf(1, signedBy(i%2))
	}
	evaluate, err := compile(outOf(1, leaves...), []*mb.MSPPrincipal{{Principal: []byte{1}}, {Principal: []byte{2}}})
	require.NoError(t, err)
	asked := 0
	ids := []msp.Identity{counted{asked: &asked}, counted{asked: &asked}, counted{asked: &asked}}
	for n := 1; n <= 2; n++ {
		require.False(t, evaluate(ids, make([]bool, len(ids))))
		require.Equal(t, n*6, asked)
	}
}

// TestLeavesMemory: what is kept of many principals and identities has a bound, beyond which identities are asked each time.
func TestLeavesMemory(t *testing.T) {
	principals, leaves := make([]*mb.MSPPrincipal, 5000), make([]*cb.SignaturePolicy, 5000)
	for i := range principals {
		principals[i], leaves[i] = &mb.MSPPrincipal{Principal: []byte{1}}, signedBy(i)
	}
	asked := 0
	ids := make([]msp.Identity, 8000)
	for i := range ids {
		ids[i] = counted{asked: &asked}
	}
	e := newEvaluation(principals, ids)
	require.False(t, e.satisfied(outOf(1, append(leaves, leaves[0], leaves[len(leaves)-1])...), make([]bool, len(ids))))
	kept := 0
	for _, row := range e.known {
		kept += len(row)
	}
	require.InDelta(t, answersAtMost, kept, float64(len(ids)))
	require.Equal(t, (len(leaves)+1)*len(ids), asked, "the first principal is known the second time, the last is not")
}
