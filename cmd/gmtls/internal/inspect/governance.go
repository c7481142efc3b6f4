// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/policytext"
)

const (
	groupOrderer = "Orderer"
	adminsPolicy = "Admins" // by which configtxgen has everything changed
)

// governance takes in who may do what in a channel, and by whose certificates: nobody signs a first block, so who joins by it has to see
// all of it. It returns the ordering organisations besides.
func (r *Report) governance(where string, root *common.ConfigGroup, kind string) (items []*Item, ordering []organisation) {
	told := map[string]string{} // the MSPs, and where they were
	items = r.rules(where, root)
	names := sortedKeys(root.GetGroups())
	if i := slices.Index(names, groupOrderer); i > 0 { // the checks of its certificates are the stricter ones
		names = slices.Insert(slices.Delete(names, i, i+1), 0, groupOrderer)
	}
	for _, name := range names {
		found, orgs := r.tree(where+":"+loglimit.Printable(name), root.Groups[name], told, trust{tls: name == groupOrderer, ca: name == groupOrderer && kind == consensusBFT}, 1)
		items = append(items, found...)
		if name == groupOrderer {
			ordering = orgs
		}
	}
	return items, ordering
}

// trust says whose certificates are needed to join: that one of another is out of date is a warning only.
type trust struct{ tls, ca bool }

// tree takes in a group of a channel's configuration, and the groups in it.
func (r *Report) tree(where string, group *common.ConfigGroup, told map[string]string, needed trust, depth int) (items []*Item, orgs []organisation) {
	if depth > maxDepth {
		r.tooDeep(where)
		return nil, nil
	}
	if value, ok := group.GetValues()["MSP"]; ok {
		found, org := r.organisation(where, value.GetValue(), told, needed)
		items, orgs = found, append(orgs, org)
	}
	items = append(items, r.rules(where, group)...)
	for _, name := range sortedKeys(group.GetGroups()) {
		found, inner := r.tree(where+":"+loglimit.Printable(name), group.Groups[name], told, needed, depth+1)
		items, orgs = append(items, found...), append(orgs, inner...)
	}
	return items, orgs
}

// organisation takes in the MSP of an organisation, unless it was told before.
func (r *Report) organisation(where string, value []byte, told map[string]string, needed trust) (items []*Item, org organisation) {
	var config msp.MSPConfig
	var fabric msp.FabricMSPConfig
	switch {
	case proto.Unmarshal(value, &config) != nil || config.Type == 0 && proto.Unmarshal(config.Config, &fabric) != nil:
		r.found(where, cause.Find(cause.Unparsable, "the MSP cannot be decoded"))
		return nil, org
	case config.Type != 0 && needed.tls:
		r.found(where, cause.Find(cause.Unparsable, "its MSP is not one of certificates"))
		return nil, org
	case config.Type != 0:
		r.found(where, cause.Warn(cause.Unparsable, "its MSP is not one of certificates (Idemix), and what is in it is not told"))
		return nil, org
	}
	item := &Item{Where: where, Kind: "organisation", Note: "MSP " + loglimit.Quoted(fabric.Name)}
	if before, ok := told[string(value)]; ok {
		item.Note += ", the same as of " + before
		return []*Item{item}, org
	}
	told[string(value)] = where
	org.msp = fabric.Name
	item.Note += ", " + unitsOf(&fabric)
	take := func(what string, needed bool, texts ...[]byte) (all []*Item) {
		before := len(r.Findings)
		for i, text := range texts {
			all = append(all, r.pem(fmt.Sprintf("%s:%s %d", where, what, i+1), text)...)
		}
		for i := before; i < len(r.Findings); i++ {
			if f := &r.Findings[i]; !needed && (f.Cause == cause.Expired || f.Cause == cause.NotYetValid) {
				f.Warning = true // an MSP takes it
			}
		}
		return all
	}
	org.ca = take("ca", needed.ca, slices.Concat(fabric.RootCerts, fabric.IntermediateCerts)...)
	org.tls = take("tls root", needed.tls, slices.Concat(fabric.TlsRootCerts, fabric.TlsIntermediateCerts)...)
	return slices.Concat([]*Item{item}, org.ca, org.tls, take("administrator", false, fabric.Admins...), take("list", false, fabric.RevocationList...)), org
}

// unitsOf says by which units of its certificates an organisation tells its roles apart.
func unitsOf(config *msp.FabricMSPConfig) string {
	ous := config.GetFabricNodeOus()
	if !ous.GetEnable() {
		return "no NodeOUs"
	}
	text := "NodeOUs"
	for _, role := range []struct {
		name string
		ou   *msp.FabricOUIdentifier
	}{{"client", ous.ClientOuIdentifier}, {"peer", ous.PeerOuIdentifier}, {"admin", ous.AdminOuIdentifier}, {"orderer", ous.OrdererOuIdentifier}} {
		if role.ou != nil {
			text += fmt.Sprintf(" %s=%s", role.name, loglimit.Quoted(role.ou.OrganizationalUnitIdentifier))
		}
	}
	return text
}

// rules takes in what a group lets whom do: its policies, rights and capabilities, and what others than its administrators may change.
func (r *Report) rules(where string, group *common.ConfigGroup) (items []*Item) {
	say := func(kind, name, modPolicy, text string) {
		note := loglimit.Quoted(name)
		if text != "" {
			note += " is " + text
		}
		if modPolicy != adminsPolicy {
			note += ", changed by " + loglimit.Quoted(modPolicy)
		}
		items = append(items, &Item{Where: where, Kind: kind, Note: note})
	}
	if group.GetModPolicy() != adminsPolicy {
		items = append(items, &Item{Where: where, Kind: "group", Note: "changed by " + loglimit.Quoted(group.GetModPolicy())})
	}
	for _, name := range sortedKeys(group.GetPolicies()) {
		p := group.Policies[name]
		text, err := policytext.Text(p.GetPolicy().GetType(), p.GetPolicy().GetValue())
		if err != nil {
			r.found(where, cause.Find(cause.Unparsable, "the policy %s %v", loglimit.Quoted(name), err))
			text = "not told"
		}
		say("policy", name, p.GetModPolicy(), text)
	}
	for _, name := range sortedKeys(group.GetValues()) {
		v := group.Values[name]
		var capabilities common.Capabilities
		var acls peer.ACLs
		switch {
		case name == "Capabilities" && proto.Unmarshal(v.GetValue(), &capabilities) == nil:
			say("value", name, v.GetModPolicy(), loglimit.Printable(strings.Join(sortedKeys(capabilities.Capabilities), ", ")))
		case name == "ACLs" && proto.Unmarshal(v.GetValue(), &acls) == nil:
			for _, resource := range sortedKeys(acls.Acls) {
				say("right", resource, adminsPolicy, loglimit.Quoted(acls.Acls[resource].GetPolicyRef()))
			}
			fallthrough
		default:
			if v.GetModPolicy() != adminsPolicy {
				say("value", name, v.GetModPolicy(), "")
			}
		}
	}
	return items
}
