// SPDX-License-Identifier: Apache-2.0

package inquire

import (
	"math/rand"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/common/policies"
)

const (
	// maxPrincipals bounds the principals in the sets that SatisfiedBy returns, all sets together.
	maxPrincipals = 400_000
	// maxSigners bounds those of one set. What needs more signatures counts as what nobody satisfies.
	maxSigners = 256
)

// SatisfiedBy returns sets of principals, each of which satisfies the policy: all of them, or as many as the bounds allow, chosen at
// random. A part that is malformed counts as one that nobody satisfies: one organisation writes it, the others can do without. A set
// without principals tells nobody whom to ask, and is left out.
//
//fork:wrap fix: a policy of one organisation, or one that clients of the discovery service send, neither ends a peer nor keeps others from an endorsement
func (isp *inquireableSignaturePolicy) SatisfiedBy() []policies.PrincipalSet {
	if isp.sigPol == nil {
		return nil
	}
	if isp.sigPol.Rule == nil {
		return isp.upstreamSatisfiedBy() // which says so in the log
	}
	var res []policies.PrincipalSet
	for _, set := range isp.satisfying(isp.sigPol.Rule, maxPrincipals) {
		if len(set) > 0 {
			res = append(res, set)
		}
	}
	return res
}

// satisfying returns sets that satisfy a rule, of about budget principals together, and at least one if there is one.
func (isp *inquireableSignaturePolicy) satisfying(rule *common.SignaturePolicy, budget int) []policies.PrincipalSet {
	switch kind := rule.GetType().(type) {
	case *common.SignaturePolicy_SignedBy:
		if kind.SignedBy < 0 || int(kind.SignedBy) >= len(isp.sigPol.Identities) {
			return nil
		}
		principal := isp.sigPol.Identities[kind.SignedBy]
		if principal == nil || NewComparablePrincipal(principal) == nil { // with which the caller would refuse the whole policy
			return nil
		}
		return []policies.PrincipalSet{{principal}}
	case *common.SignaturePolicy_NOutOf_:
		return isp.combined(int(kind.NOutOf.GetN()), kind.NOutOf.GetRules(), budget)
	}
	return nil
}

// combined returns sets that satisfy n of the rules. Each choice of n rules has the same share of the budget, so that no rule that many
// sets satisfy takes the place of another.
func (isp *inquireableSignaturePolicy) combined(n int, rules []*common.SignaturePolicy, budget int) []policies.PrincipalSet {
	if n == 0 {
		return []policies.PrincipalSet{nil}
	}
	var parts [][]policies.PrincipalSet
	for _, rule := range rules {
		if sets := isp.satisfying(rule, budget/len(rules)); len(sets) > 0 {
			parts = append(parts, sets)
		}
	}
	if n < 0 || n > len(parts) {
		return nil
	}
	parts, choices := pruned(parts, n, budget)
	var res []policies.PrincipalSet
	choose(parts, n, nil, func(chosen [][]policies.PrincipalSet) {
		res = append(res, joined(chosen, budget/choices)...)
	})
	return res
}

// pruned leaves out parts at random, as upstream does, until there are few enough choices of n of them, and returns their number.
func pruned(parts [][]policies.PrincipalSet, n, budget int) (kept [][]policies.PrincipalSet, choices int) {
	keep, choices := n, 1
	for keep < len(parts) {
		more := choices * (keep + 1) / (keep + 1 - n)
		if more > combinationsUpperBound || more*n > budget {
			rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] }) //nolint:gosec // chance spreads who is asked, and keeps no secret
			break
		}
		keep, choices = keep+1, more
	}
	return parts[:keep], choices
}

// choose calls take for each choice of n parts.
func choose(parts [][]policies.PrincipalSet, n int, chosen [][]policies.PrincipalSet, take func([][]policies.PrincipalSet)) {
	if n == 0 {
		take(chosen)
		return
	}
	for i := 0; i+n <= len(parts); i++ {
		choose(parts[i+1:], n-1, append(chosen, parts[i]), take)
	}
}

// joined joins one set of each part, in all ways or, if they are too many, in some until the budget is spent: those of one kind in all parts,
// as organisations whose policies have one form can sign, and random ones.
func joined(parts [][]policies.PrincipalSet, budget int) (res []policies.PrincipalSet) {
	ways, most := 1, max(1, budget/len(parts))
	kinds := 0
	for _, sets := range parts {
		ways, kinds = min(ways*len(sets), maxPrincipals), max(kinds, len(sets))
	}
	for i, used := 0, 0; i < min(ways, most) && (i == 0 || used < budget); i++ {
		var set policies.PrincipalSet
		rest := i
		for _, sets := range parts {
			at := rest % len(sets)
			rest /= len(sets)
			if ways > most {
				at = i % len(sets)
				if i >= kinds {
					at = rand.Intn(len(sets)) //nolint:gosec // chance spreads who is asked, and keeps no secret
				}
			}
			set = append(set, sets[at]...)
		}
		used += len(set)
		if len(set) <= maxSigners {
			res = append(res, set)
		}
	}
	return res
}
