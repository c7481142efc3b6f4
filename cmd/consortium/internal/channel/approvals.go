// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/common/channelconfig"
)

// Approval is a policy that the signatures of an update have to satisfy.
type Approval struct {
	Policy string   `json:"policy"`         // /Channel/Application/Admins
	Rule   string   `json:"rule"`           // MAJORITY Admins
	Of     []string `json:"of"`             // organisations, or MSP ids, whose signatures can count
	Need   int      `json:"need,omitempty"` // how many of them; 0 where the rule is not a count
}

// approvals lists the modification policies of what an update changes. New elements are covered by the group that they join.
func approvals(before, write *cb.ConfigGroup) ([]Approval, error) {
	named := map[string]bool{}
	collect(named, "/"+channelconfig.ChannelGroupKey, before, write)
	names := make([]string, 0, len(named))
	for name := range named {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []Approval
	for _, name := range names {
		a, err := describe(before, name)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// element is what the parts of a configuration have in common.
type element interface {
	GetVersion() uint64
	GetModPolicy() string
}

// collect adds the policies of changed elements: those whose version grows. place is the full name of the group.
func collect(named map[string]bool, place string, before, write *cb.ConfigGroup) {
	changed := func(old, new element) {
		if new.GetVersion() == old.GetVersion() {
			return
		}
		policy := old.GetModPolicy()
		if !strings.HasPrefix(policy, "/") {
			policy = place + "/" + policy
		}
		named[policy] = true
	}
	changed(before, write)
	for key, value := range write.GetValues() {
		if old := before.GetValues()[key]; old != nil {
			changed(old, value)
		}
	}
	for key, policy := range write.GetPolicies() {
		if old := before.GetPolicies()[key]; old != nil {
			changed(old, policy)
		}
	}
	for key, group := range write.GetGroups() {
		if old := before.GetGroups()[key]; old != nil {
			collect(named, place+"/"+key, old, group)
		}
	}
}

// describe says what satisfies the policy of that full name.
func describe(root *cb.ConfigGroup, name string) (Approval, error) {
	a := Approval{Policy: name}
	group, err := groupAt(root, path.Dir(name))
	if err != nil {
		return a, err
	}
	policy := group.GetPolicies()[path.Base(name)].GetPolicy()
	switch cb.Policy_PolicyType(policy.GetType()) {
	case cb.Policy_IMPLICIT_META:
		var meta cb.ImplicitMetaPolicy
		if err := proto.Unmarshal(policy.Value, &meta); err != nil {
			return a, fmt.Errorf("the policy %s cannot be decoded", name)
		}
		a.Rule = meta.Rule.String() + " " + meta.SubPolicy
		a.Of = sortedKeys(group.Groups)
		a.Need = map[cb.ImplicitMetaPolicy_Rule]int{
			cb.ImplicitMetaPolicy_ANY: 1, cb.ImplicitMetaPolicy_ALL: len(a.Of), cb.ImplicitMetaPolicy_MAJORITY: len(a.Of)/2 + 1,
		}[meta.Rule]
	case cb.Policy_SIGNATURE:
		var signed cb.SignaturePolicyEnvelope
		if err := proto.Unmarshal(policy.Value, &signed); err != nil {
			return a, fmt.Errorf("the policy %s cannot be decoded", name)
		}
		a.Rule = "signatures"
		for _, identity := range signed.Identities {
			if id, err := principal(identity); err == nil && !slices.Contains(a.Of, id) {
				a.Of = append(a.Of, id)
			}
		}
	default:
		return a, fmt.Errorf("there is no policy %s that says who may change this: nobody can", name)
	}
	return a, nil
}

// principal names who may sign: BankMSP.admin.
func principal(p *mb.MSPPrincipal) (string, error) {
	if p.PrincipalClassification != mb.MSPPrincipal_ROLE {
		return "", fmt.Errorf("a principal of class %v", p.PrincipalClassification)
	}
	var role mb.MSPRole
	if err := proto.Unmarshal(p.Principal, &role); err != nil {
		return "", err
	}
	return role.MspIdentifier + "." + strings.ToLower(role.Role.String()), nil
}

// groupAt finds a group by its full name, /Channel/Application.
func groupAt(root *cb.ConfigGroup, name string) (*cb.ConfigGroup, error) {
	steps := strings.Split(strings.Trim(name, "/"), "/")
	if steps[0] != channelconfig.ChannelGroupKey {
		return nil, fmt.Errorf("%s does not begin with /%s", name, channelconfig.ChannelGroupKey)
	}
	group := root
	for _, step := range steps[1:] {
		if group = group.GetGroups()[step]; group == nil {
			return nil, fmt.Errorf("the channel has no group %s", name)
		}
	}
	return group, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
