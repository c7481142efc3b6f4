// SPDX-License-Identifier: Apache-2.0

package cauthdsl

import (
	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/msp"
)

// A transaction sets the policy of a key and chooses its own endorsers, and each peer of the channel computes what it chose. So what is
// costly is computed once for each principal and identity, however many leaves name the principal.

// compile returns a function that says whether identities satisfy a policy. Upstream says whether the policy is one.
//
//fork:wrap fix: whether an identity satisfies a principal is computed once, and not for each leaf of the policy that names the principal
func compile(policy *cb.SignaturePolicy, principals []*mb.MSPPrincipal) (func([]msp.Identity, []bool) bool, error) {
	if _, err := upstreamCompile(policy, principals); err != nil {
		return nil, err
	}
	return func(identities []msp.Identity, used []bool) bool {
		return newEvaluation(principals, identities).satisfied(policy, used)
	}, nil
}

// evaluation is that of one policy for one set of identities.
type evaluation struct {
	principals []*mb.MSPPrincipal
	identities []msp.Identity
	known      [][]answer // by principal and identity; a row is made when it is needed
	room       int        // answers that may still be kept
}

// answersAtMost bounds in bytes what is kept for one evaluation: both principals and identities are chosen by members. Further answers are
// computed each time.
const answersAtMost = 16 << 20

func newEvaluation(principals []*mb.MSPPrincipal, identities []msp.Identity) *evaluation {
	return &evaluation{principals: principals, identities: identities, known: make([][]answer, len(principals)), room: answersAtMost}
}

type answer byte

const (
	unknown answer = iota
	no
	yes
)

// satisfied reports whether the identities that are not used satisfy a rule. If they do, used has those that this took; if not, what it has is
// of no meaning. A gate takes the identities of all of its rules that are satisfied, also of more than it needs: verdicts depend on that.
func (e *evaluation) satisfied(rule *cb.SignaturePolicy, used []bool) bool {
	if leaf, ok := rule.Type.(*cb.SignaturePolicy_SignedBy); ok {
		return e.signed(leaf.SignedBy, used)
	}
	gate, satisfied, trial := rule.GetNOutOf(), int32(0), make([]bool, len(used))
	for _, r := range gate.GetRules() {
		copy(trial, used)
		if e.satisfied(r, trial) {
			satisfied++
			copy(used, trial)
		}
	}
	cauthdslLogger.Debugf("%d of %d rules are satisfied, at least %d must be", satisfied, len(gate.GetRules()), gate.GetN())
	return satisfied >= gate.GetN()
}

// signed takes the first identity that satisfies a principal and is not used.
func (e *evaluation) signed(principal int32, used []bool) bool {
	for i, taken := range used {
		if !taken && e.answer(principal, i) == yes {
			used[i] = true
			return true
		}
	}
	return false
}

func (e *evaluation) answer(principal int32, identity int) answer {
	row := e.known[principal]
	if row == nil {
		if e.room < len(e.identities) {
			return e.compute(principal, identity)
		}
		e.room -= len(e.identities)
		row = make([]answer, len(e.identities))
		e.known[principal] = row
	}
	if row[identity] == unknown {
		row[identity] = e.compute(principal, identity)
	}
	return row[identity]
}

func (e *evaluation) compute(principal int32, identity int) answer {
	if err := e.identities[identity].SatisfiesPrincipal(e.principals[principal]); err != nil {
		cauthdslLogger.Debugf("identity %d does not satisfy principal %d: %s", identity, principal, err)
		return no
	}
	cauthdslLogger.Debugf("identity %d satisfies principal %d", identity, principal)
	return yes
}
