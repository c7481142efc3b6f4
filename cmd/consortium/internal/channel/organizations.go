// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/mspfolder"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/msp"
)

// Organization is an organisation that joins a channel.
type Organization struct {
	Name     string // of its group in the configuration
	MSPID    string
	MSPDir   string // folder of its public MSP: cacerts, tlscacerts, config.yaml
	Ordering bool   // it joins the ordering organisations, not the members with peers
	// Anchors are addresses HOST:PORT of peers that others learn first; endpoints those of its orderers.
	Anchors, Endpoints []string
}

const mspType = "bccsp" // of X.509 certificates, in the words of configtx.yaml

// Policies are the rules of a new organisation, by node OUs: what cryptogen, fabric-ca-client and docs/deployment.md make.
func Policies(mspID string, ordering bool) map[string]*genesisconfig.Policy {
	signature := func(roles ...string) *genesisconfig.Policy {
		for i, role := range roles {
			roles[i] = "'" + mspID + "." + role + "'"
		}
		return &genesisconfig.Policy{Type: encoder.SignaturePolicyType, Rule: "OR(" + strings.Join(roles, ", ") + ")"}
	}
	if ordering {
		return map[string]*genesisconfig.Policy{"Readers": signature("member"), "Writers": signature("member"), "Admins": signature("admin")}
	}
	return map[string]*genesisconfig.Policy{
		"Readers": signature("admin", "peer", "client"), "Writers": signature("admin", "client"),
		"Admins": signature("admin"), "Endorsement": signature("peer"),
	}
}

// identifier is what names of organisations and MSPs may be: they are in policies and in file names.
var identifier = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]{0,99}$`)

// AddOrganization lets an organisation join.
func AddOrganization(o Organization) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		for what, name := range map[string]string{"name": o.Name, "MSP id": o.MSPID} {
			if !identifier.MatchString(name) {
				return nil, fmt.Errorf("%q cannot be the %s of an organisation: use letters, digits, dots and hyphens, up to 100", name, what)
			}
		}
		parent, err := organizations(root, o.Ordering)
		if err != nil {
			return nil, err
		}
		if parent.Groups[o.Name] != nil {
			return nil, fmt.Errorf("the channel has an organisation %s already", o.Name)
		}
		for _, place := range places(root) {
			if id := place.config.Name; id == o.MSPID && place.ordering == o.Ordering {
				return nil, fmt.Errorf("the MSP id %s is that of the organisation %s", id, place.name)
			}
		}
		group, err := organizationGroup(o)
		if err != nil {
			return nil, err
		}
		parent.Groups[o.Name] = group
		return []string{fmt.Sprintf("organisation %s (%s) joins %s", o.Name, o.MSPID, groupName(o.Ordering))}, nil
	}
}

func organizationGroup(o Organization) (*cb.ConfigGroup, error) {
	conf := &genesisconfig.Organization{
		Name: o.Name, ID: o.MSPID, MSPDir: o.MSPDir, MSPType: mspType,
		Policies: Policies(o.MSPID, o.Ordering),
	}
	for _, address := range o.Endpoints {
		if _, _, err := splitAddress(address); err != nil {
			return nil, err
		}
	}
	if o.Ordering {
		if len(o.Anchors) > 0 {
			return nil, errors.New("an ordering organisation has no anchor peers")
		}
		// The encoder for ordering organisations differs from one version of Fabric to another; this one makes the same.
		group, err := encoder.NewApplicationOrgGroup(conf)
		if err == nil && len(o.Endpoints) > 0 {
			setValue(group, channelconfig.EndpointsValue(o.Endpoints))
		}
		return group, err
	}
	if len(o.Endpoints) > 0 {
		return nil, errors.New("an organisation outside the ordering service has no endpoints of orderers")
	}
	for _, address := range o.Anchors {
		host, port, err := splitAddress(address)
		if err != nil {
			return nil, err
		}
		conf.AnchorPeers = append(conf.AnchorPeers, &genesisconfig.AnchorPeer{Host: host, Port: port})
	}
	return encoder.NewApplicationOrgGroup(conf)
}

// RemoveOrganization takes an organisation out of the members with peers, or of the ordering organisations.
func RemoveOrganization(name string, ordering bool) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		parent, err := organizations(root, ordering)
		if err != nil {
			return nil, err
		}
		if parent.Groups[name] == nil {
			return nil, noOrganization(name, parent)
		}
		if len(parent.Groups) == 1 {
			return nil, fmt.Errorf("%s is the last one: nobody could change the channel afterwards", name)
		}
		delete(parent.Groups, name)
		return []string{fmt.Sprintf("organisation %s leaves %s", name, groupName(ordering))}, nil
	}
}

// SetAnchors names the anchor peers of an organisation, in place of those that it has.
func SetAnchors(name string, anchors []string) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		parent, err := organizations(root, false)
		if err != nil {
			return nil, err
		}
		group := parent.Groups[name]
		if group == nil {
			return nil, noOrganization(name, parent)
		}
		made, err := organizationAnchors(anchors)
		if err != nil {
			return nil, err
		}
		setValue(group, made)
		return []string{fmt.Sprintf("anchor peers of %s: %s", name, strings.Join(anchors, ", "))}, nil
	}
}

// SetMSP puts the MSP of a folder in place of an organisation's, wherever its MSP id occurs: for renewed or further CAs.
// Revocation lists stay while their CA does, unless the folder has a later one.
func SetMSP(mspID, dir string) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		fresh, err := msp.GetVerifyingMspConfig(dir, mspID, mspType)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		var fabric mb.FabricMSPConfig
		if err := proto.Unmarshal(fresh.Config, &fabric); err != nil {
			return nil, err
		}
		return editMSP(root, mspID, func(f *mb.FabricMSPConfig) (string, error) {
			before := f.RevocationList
			f.Reset()
			proto.Merge(f, &fabric)
			lists, err := mergeLists(f, before, filepath.Join(dir, mspfolder.RevocationLists))
			return "MSP of " + mspID + " from " + dir + lists, err
		})
	}
}

// place is where an MSP is in a configuration.
type place struct {
	name     string
	ordering bool
	group    *cb.ConfigGroup
	config   *mb.FabricMSPConfig
}

// places lists the MSPs of X.509 certificates.
func places(root *cb.ConfigGroup) (all []place) {
	for _, ordering := range []bool{false, true} {
		parent, err := organizations(root, ordering)
		if err != nil {
			continue
		}
		for _, name := range sortedKeys(parent.Groups) {
			var outer mb.MSPConfig
			p := place{name: name, ordering: ordering, group: parent.Groups[name], config: &mb.FabricMSPConfig{}}
			value := p.group.GetValues()[channelconfig.MSPKey]
			if value == nil || proto.Unmarshal(value.Value, &outer) != nil || outer.Type != int32(msp.FABRIC) ||
				proto.Unmarshal(outer.Config, p.config) != nil {
				continue
			}
			all = append(all, p)
		}
	}
	return all
}

// editMSP changes an MSP wherever its id occurs.
func editMSP(root *cb.ConfigGroup, mspID string, edit func(*mb.FabricMSPConfig) (string, error)) (did []string, err error) {
	for _, p := range places(root) {
		if p.config.Name != mspID {
			continue
		}
		before := proto.Clone(p.config)
		what, err := edit(p.config)
		if err != nil {
			return nil, err
		}
		if proto.Equal(before, p.config) {
			continue
		}
		data, err := proto.Marshal(p.config)
		if err != nil {
			return nil, err
		}
		setValue(p.group, channelconfig.MSPValue(&mb.MSPConfig{Type: int32(msp.FABRIC), Config: data}))
		did = append(did, fmt.Sprintf("%s, in %s", what, groupName(p.ordering)))
	}
	if did == nil {
		for _, p := range places(root) {
			if p.config.Name == mspID {
				return nil, nil
			}
		}
		return nil, fmt.Errorf("the channel has no organisation with the MSP id %s", mspID)
	}
	return did, nil
}

func organizationAnchors(addresses []string) (channelconfig.ConfigValue, error) {
	if len(addresses) == 0 {
		return nil, errors.New("name at least one anchor peer: without one, peers of other organisations do not find this one")
	}
	group, err := anchorPeers(addresses)
	if err != nil {
		return nil, err
	}
	return channelconfig.AnchorPeersValue(group), nil
}

// setValue puts a value into a group; its modification policy stays, or becomes Admins.
func setValue(group *cb.ConfigGroup, value channelconfig.ConfigValue) {
	data, err := proto.Marshal(value.Value())
	if err != nil {
		panic(err) // a message that was built here
	}
	policy := channelconfig.AdminsPolicyKey
	old := group.Values[value.Key()]
	if old != nil {
		policy = old.ModPolicy
	}
	var version uint64
	if old != nil {
		version = old.Version
	}
	if group.Values == nil {
		group.Values = map[string]*cb.ConfigValue{}
	}
	group.Values[value.Key()] = &cb.ConfigValue{Version: version, ModPolicy: policy, Value: data}
}

// organizations is the group that holds the organisations of either kind.
func organizations(root *cb.ConfigGroup, ordering bool) (*cb.ConfigGroup, error) {
	key := channelconfig.ApplicationGroupKey
	if ordering {
		key = channelconfig.OrdererGroupKey
	}
	group := root.GetGroups()[key]
	if group == nil {
		return nil, fmt.Errorf("the channel has no group /%s/%s", channelconfig.ChannelGroupKey, key)
	}
	return group, nil
}

func groupName(ordering bool) string {
	if ordering {
		return "the ordering service"
	}
	return "the application"
}

func noOrganization(name string, parent *cb.ConfigGroup) error {
	return fmt.Errorf("there is no organisation %s; there are %s", name, strings.Join(sortedKeys(parent.Groups), ", "))
}

// splitAddress takes HOST:PORT apart.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("%q is not an address of the form HOST:PORT", address)
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil || number == 0 {
		return "", 0, fmt.Errorf("%q has no port from 1 to 65535", address)
	}
	return host, int(number), nil
}
