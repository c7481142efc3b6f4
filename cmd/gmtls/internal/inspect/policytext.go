// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/common/loglimit"
)

// maxPolicyText bounds what is told of a policy: a mention of a name takes few bytes in a block, and many in the text.
const maxPolicyText = 16 << 10

var (
	errPolicy     = errors.New("cannot be decoded")
	errPolicyText = fmt.Errorf("takes more than %d characters to tell, or is nested more than %d deep", maxPolicyText, maxDepth)
)

// quoted keeps names of strangers apart from what is said of them.
func quoted(name string) string { return loglimit.Printable(strconv.Quote(name)) }

// policyText returns a policy in the words of configtx.yaml.
func policyText(policy *common.Policy) (string, error) {
	switch common.Policy_PolicyType(policy.GetType()) {
	case common.Policy_IMPLICIT_META:
		var meta common.ImplicitMetaPolicy
		if proto.Unmarshal(policy.Value, &meta) != nil {
			return "", errPolicy
		}
		return meta.Rule.String() + " " + quoted(meta.SubPolicy), nil
	case common.Policy_SIGNATURE:
		var signed common.SignaturePolicyEnvelope
		if proto.Unmarshal(policy.Value, &signed) != nil {
			return "", errPolicy
		}
		text := policyWriter{principals: signed.Identities}
		if !text.rule(signed.Rule, 0) {
			return "", errPolicyText
		}
		return text.String(), nil
	}
	return "", errors.New("is of a kind that is not known")
}

type policyWriter struct {
	strings.Builder
	principals []*msp.MSPPrincipal
}

// rule writes a rule; it reports false when there is too much of it.
func (w *policyWriter) rule(rule *common.SignaturePolicy, depth int) bool {
	outOf, ok := rule.GetType().(*common.SignaturePolicy_NOutOf_)
	if !ok {
		w.principal(rule)
		return w.Len() <= maxPolicyText
	}
	n, rules := outOf.NOutOf.GetN(), outOf.NOutOf.GetRules()
	switch {
	case depth == maxDepth:
		return false
	case n == 1:
		w.WriteString("OR(")
	case n > 1 && int(n) == len(rules):
		w.WriteString("AND(")
	default:
		fmt.Fprintf(w, "OutOf(%d of %d, ", n, len(rules))
	}
	for i, inner := range rules {
		if i > 0 {
			w.WriteString(", ")
		}
		if !w.rule(inner, depth+1) {
			return false
		}
	}
	w.WriteString(")")
	return true
}

// principal writes whose signature a rule wants.
func (w *policyWriter) principal(rule *common.SignaturePolicy) {
	signed, ok := rule.GetType().(*common.SignaturePolicy_SignedBy)
	if !ok || signed.SignedBy < 0 || int(signed.SignedBy) >= len(w.principals) {
		w.WriteString("nobody")
		return
	}
	p := w.principals[signed.SignedBy]
	var role msp.MSPRole
	var unit msp.OrganizationUnit
	var identity msp.SerializedIdentity
	switch {
	case p.GetPrincipalClassification() == msp.MSPPrincipal_ROLE && proto.Unmarshal(p.Principal, &role) == nil:
		w.WriteString(quoted(role.MspIdentifier + "." + strings.ToLower(role.Role.String())))
	case p.GetPrincipalClassification() == msp.MSPPrincipal_ORGANIZATION_UNIT && proto.Unmarshal(p.Principal, &unit) == nil:
		w.WriteString("the unit " + quoted(unit.OrganizationalUnitIdentifier) + " of " + quoted(unit.MspIdentifier))
	case p.GetPrincipalClassification() == msp.MSPPrincipal_IDENTITY && proto.Unmarshal(p.Principal, &identity) == nil:
		w.WriteString("one identity of " + quoted(identity.Mspid))
	default:
		w.WriteString("a principal of kind " + p.GetPrincipalClassification().String())
	}
}
