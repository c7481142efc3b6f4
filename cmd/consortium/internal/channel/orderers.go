// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ob "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/consenter"
)

// Consenter is an orderer of the channel's cluster.
type Consenter struct {
	Organization string // of the ordering service, which names its address to peers
	Address      string // HOST:PORT by which the other orderers reach it
	Endpoint     string // HOST:PORT for peers and applications; empty: Address
	// Certificate is the file with the TLS certificates by which the others recognise it, see docs/deployment.md.
	Certificate string
	// Identity is the file with its enrolment certificate, by which SmartBFT recognises it. Raft uses none.
	Identity string
	// ID is its number in SmartBFT. Zero is one more than the highest.
	ID uint32
}

// certificates are what a consenter is recognised by, in PEM.
type certificates struct {
	tls, identity []byte // nil: not named
}

// read reads the files that c names.
func (c Consenter) read() (has certificates, err error) {
	if c.Certificate != "" {
		if has.tls, err = consenter.ReadField(c.Certificate); err != nil {
			return certificates{}, err
		}
	}
	if c.Identity == "" {
		return has, nil
	}
	has.identity, err = consenter.ReadIdentity(c.Identity)
	return has, err
}

// cluster is the consenters in a configuration, in the form that a kind of consensus gives them.
type cluster interface {
	addresses() []string // HOST:PORT of each
	seats() []seat
	add(c Consenter, host string, port int, has certificates) error
	replace(i int, has certificates) error
	remove(i int)
	has(mspID string) bool           // whether one is known to be of that MSP
	save() (did []string, err error) // into the configuration, with what depends on them
}

// clusterOf finds the consenters of the channel.
func clusterOf(root *cb.ConfigGroup) (cluster, error) {
	group, err := organizations(root, true)
	if err != nil {
		return nil, err
	}
	kind := &ob.ConsensusType{}
	if err := proto.Unmarshal(group.GetValues()[channelconfig.ConsensusTypeKey].GetValue(), kind); err != nil {
		return nil, errors.New("the channel's consensus cannot be decoded")
	}
	switch kind.Type {
	case "etcdraft":
		return newRaft(group, kind)
	case "BFT":
		return newSmartBFT(root, group)
	}
	return nil, fmt.Errorf("the channel's consensus is %q, which has no consenters here", kind.Type)
}

// raft is the consenters of Raft: the metadata of the consensus.
type raft struct {
	group    *cb.ConfigGroup
	kind     *ob.ConsensusType
	metadata *etcdraft.ConfigMetadata
}

func newRaft(group *cb.ConfigGroup, kind *ob.ConsensusType) (*raft, error) {
	r := &raft{group: group, kind: kind, metadata: &etcdraft.ConfigMetadata{}}
	if err := proto.Unmarshal(kind.Metadata, r.metadata); err != nil {
		return nil, errors.New("the channel's consenters cannot be decoded")
	}
	return r, nil
}

func (r *raft) addresses() (all []string) {
	for _, c := range r.metadata.Consenters {
		all = append(all, address(c.Host, int(c.Port)))
	}
	return all
}

func (r *raft) seats() (all []seat) {
	for _, c := range r.metadata.Consenters {
		all = append(all, seat{address: address(c.Host, int(c.Port)), client: c.ClientTlsCert, server: c.ServerTlsCert})
	}
	return all
}

func (r *raft) add(_ Consenter, host string, port int, has certificates) error {
	r.metadata.Consenters = append(r.metadata.Consenters, &etcdraft.Consenter{Host: host, Port: uint32(port)})
	return r.replace(len(r.metadata.Consenters)-1, has)
}

func (r *raft) replace(i int, has certificates) error {
	if has.identity != nil {
		return errors.New("this channel orders by Raft, which recognises a consenter by its TLS certificate; an identity is for SmartBFT")
	}
	if has.tls == nil {
		return errors.New("name the consenter's TLS certificate")
	}
	c := r.metadata.Consenters[i]
	c.ClientTlsCert, c.ServerTlsCert = has.tls, has.tls
	return nil
}

func (r *raft) remove(i int) {
	r.metadata.Consenters = slices.Delete(r.metadata.Consenters, i, i+1)
}

// has knows of none: the metadata of Raft does not say whose a consenter is.
func (r *raft) has(string) bool { return false }

func (r *raft) save() ([]string, error) {
	metadata, err := proto.Marshal(r.metadata)
	if err != nil {
		return nil, err
	}
	r.kind.Metadata = metadata
	data, err := proto.Marshal(r.kind)
	if err != nil {
		return nil, err
	}
	r.group.Values[channelconfig.ConsensusTypeKey].Value = data
	return nil, nil
}

// address is HOST:PORT.
func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// consenterIndex finds a consenter by its address.
func consenterIndex(all cluster, address string) (int, error) {
	i := slices.Index(all.addresses(), address)
	if i < 0 {
		return 0, fmt.Errorf("the channel has no consenter %s; it has %v", address, all.addresses())
	}
	return i, nil
}

// AddOrderer adds a consenter, and its address to those of its organisation. A cluster takes one at a time.
func AddOrderer(c Consenter) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		host, port, err := splitAddress(c.Address)
		if err != nil {
			return nil, err
		}
		all, err := clusterOf(root)
		if err != nil {
			return nil, err
		}
		if slices.Contains(all.addresses(), address(host, port)) {
			return nil, fmt.Errorf("the channel has a consenter %s already", c.Address)
		}
		has, err := c.read()
		if err != nil {
			return nil, err
		}
		if err := all.add(c, host, port, has); err != nil {
			return nil, err
		}
		more, err := all.save()
		if err != nil {
			return nil, err
		}
		endpoint := c.Endpoint
		if endpoint == "" {
			endpoint = c.Address
		}
		if _, _, err := splitAddress(endpoint); err != nil {
			return nil, err
		}
		did := append([]string{"consenter " + c.Address + " joins"}, more...)
		return append(did, fmt.Sprintf("%s is an endpoint of %s", endpoint, c.Organization)), editEndpoints(root, c.Organization, func(all []string) []string {
			if slices.Contains(all, endpoint) {
				return all
			}
			return append(all, endpoint)
		})
	}
}

// ReplaceOrderer gives the consenter at c's address other certificates: those that c names.
func ReplaceOrderer(c Consenter) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		all, i, err := find(root, c.Address)
		if err != nil {
			return nil, err
		}
		has, err := c.read()
		if err != nil {
			return nil, err
		}
		if err := all.replace(i, has); err != nil {
			return nil, err
		}
		more, err := all.save()
		return append([]string{"consenter " + c.Address + " has another certificate"}, more...), err
	}
}

// find returns the cluster and the place of a consenter in it.
func find(root *cb.ConfigGroup, at string) (cluster, int, error) {
	host, port, err := splitAddress(at)
	if err != nil {
		return nil, 0, err
	}
	all, err := clusterOf(root)
	if err != nil {
		return nil, 0, err
	}
	i, err := consenterIndex(all, address(host, port))
	return all, i, err
}

// RemoveOrderer takes a consenter out, and its address from the organisations that name it.
func RemoveOrderer(address string) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		all, i, err := find(root, address)
		if err != nil {
			return nil, err
		}
		if len(all.addresses()) == 1 {
			return nil, fmt.Errorf("%s is the last consenter: nobody would order transactions", address)
		}
		all.remove(i)
		more, err := all.save()
		if err != nil {
			return nil, err
		}
		did := append([]string{"consenter " + address + " leaves"}, more...)
		parent, err := organizations(root, true)
		if err != nil {
			return nil, err
		}
		for _, name := range sortedKeys(parent.Groups) {
			left := -1
			err := editEndpoints(root, name, func(all []string) []string {
				rest := slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == address })
				if len(rest) < len(all) {
					left = len(rest)
				}
				return rest
			})
			if err != nil {
				return nil, err
			}
			if left == 0 && endpointsRequired(root) && len(parent.Groups) > 1 && !all.has(mspOf(root, name)) {
				delete(parent.Groups, name)
				did = append(did, fmt.Sprintf("organisation %s leaves %s with its last orderer", name, groupName(true)))
			}
		}
		return did, nil
	}
}

// endpointsRequired reports whether nodes refuse a configuration in which an ordering organisation has no endpoint.
func endpointsRequired(root *cb.ConfigGroup) bool {
	var all cb.Capabilities
	return proto.Unmarshal(root.GetValues()[channelconfig.CapabilitiesKey].GetValue(), &all) == nil && all.Capabilities["V3_0"] != nil
}

// mspOf is the MSP id of an ordering organisation; empty: there is none.
func mspOf(root *cb.ConfigGroup, organization string) string {
	for _, p := range places(root) {
		if p.ordering && p.name == organization {
			return p.config.Name
		}
	}
	return ""
}

// editEndpoints changes the addresses of orderers that an organisation names to peers.
func editEndpoints(root *cb.ConfigGroup, organization string, edit func([]string) []string) error {
	parent, err := organizations(root, true)
	if err != nil {
		return err
	}
	group := parent.Groups[organization]
	if group == nil {
		return noOrganization(organization, parent)
	}
	var addresses cb.OrdererAddresses
	if err := proto.Unmarshal(group.GetValues()[channelconfig.EndpointsKey].GetValue(), &addresses); err != nil {
		return fmt.Errorf("the endpoints of %s cannot be decoded", organization)
	}
	after := edit(slices.Clone(addresses.Addresses))
	if !slices.Equal(addresses.Addresses, after) {
		setValue(group, channelconfig.EndpointsValue(after))
	}
	return nil
}
