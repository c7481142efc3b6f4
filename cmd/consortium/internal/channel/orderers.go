// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ob "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/consenter"
)

// Consenter is an orderer of a Raft cluster.
type Consenter struct {
	Organization string // of the ordering service, which names its address to peers; empty leaves addresses alone
	Address      string // HOST:PORT by which the other orderers reach it
	Endpoint     string // HOST:PORT for peers and applications; empty: Address
	// Certificate is the file with the certificates by which the others recognise it, see docs/deployment.md.
	Certificate string
}

// raft edits the consenters of the channel.
func raft(root *cb.ConfigGroup, edit func(*etcdraft.ConfigMetadata) error) error {
	group, err := organizations(root, true)
	if err != nil {
		return err
	}
	var kind ob.ConsensusType
	var metadata etcdraft.ConfigMetadata
	if err := proto.Unmarshal(group.GetValues()[channelconfig.ConsensusTypeKey].GetValue(), &kind); err != nil || kind.Type != "etcdraft" {
		return fmt.Errorf("the channel's consensus is %q; this is for etcdraft", kind.Type)
	}
	if err := proto.Unmarshal(kind.Metadata, &metadata); err != nil {
		return errors.New("the channel's consenters cannot be decoded")
	}
	if err := edit(&metadata); err != nil {
		return err
	}
	if kind.Metadata, err = proto.Marshal(&metadata); err != nil {
		return err
	}
	data, err := proto.Marshal(&kind)
	if err != nil {
		return err
	}
	group.Values[channelconfig.ConsensusTypeKey].Value = data
	return nil
}

// seat finds a consenter by its address; -1: there is none.
func seat(metadata *etcdraft.ConfigMetadata, host string, port int) int {
	return slices.IndexFunc(metadata.Consenters, func(c *etcdraft.Consenter) bool { return c.Host == host && int(c.Port) == port })
}

// AddOrderer adds a consenter, and its address to those of its organisation. Raft takes one at a time.
func AddOrderer(c Consenter) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		host, port, err := splitAddress(c.Address)
		if err != nil {
			return nil, err
		}
		field, err := consenter.ReadField(c.Certificate)
		if err != nil {
			return nil, err
		}
		err = raft(root, func(m *etcdraft.ConfigMetadata) error {
			if seat(m, host, port) >= 0 {
				return fmt.Errorf("the channel has a consenter %s already", c.Address)
			}
			m.Consenters = append(m.Consenters, &etcdraft.Consenter{Host: host, Port: uint32(port), ClientTlsCert: field, ServerTlsCert: field})
			return nil
		})
		if err != nil {
			return nil, err
		}
		did := []string{"consenter " + c.Address + " joins"}
		if c.Organization == "" {
			return did, nil
		}
		endpoint := c.Endpoint
		if endpoint == "" {
			endpoint = c.Address
		}
		if _, _, err := splitAddress(endpoint); err != nil {
			return nil, err
		}
		return append(did, fmt.Sprintf("%s is an endpoint of %s", endpoint, c.Organization)), editEndpoints(root, c.Organization, func(all []string) []string {
			if slices.Contains(all, endpoint) {
				return all
			}
			return append(all, endpoint)
		})
	}
}

// ReplaceOrderer gives a consenter another certificate.
func ReplaceOrderer(address, certificate string) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		host, port, err := splitAddress(address)
		if err != nil {
			return nil, err
		}
		field, err := consenter.ReadField(certificate)
		if err != nil {
			return nil, err
		}
		return []string{"consenter " + address + " has another certificate"}, raft(root, func(m *etcdraft.ConfigMetadata) error {
			i := seat(m, host, port)
			if i < 0 {
				return noConsenter(m, address)
			}
			m.Consenters[i].ClientTlsCert, m.Consenters[i].ServerTlsCert = field, field
			return nil
		})
	}
}

// RemoveOrderer takes a consenter out, and its address from the organisations that name it.
func RemoveOrderer(address string) Change {
	return func(root *cb.ConfigGroup) ([]string, error) {
		host, port, err := splitAddress(address)
		if err != nil {
			return nil, err
		}
		err = raft(root, func(m *etcdraft.ConfigMetadata) error {
			i := seat(m, host, port)
			if i < 0 {
				return noConsenter(m, address)
			}
			if len(m.Consenters) == 1 {
				return fmt.Errorf("%s is the last consenter: nobody would order transactions", address)
			}
			m.Consenters = slices.Delete(m.Consenters, i, i+1)
			return nil
		})
		if err != nil {
			return nil, err
		}
		did := []string{"consenter " + address + " leaves"}
		parent, err := organizations(root, true)
		if err != nil {
			return nil, err
		}
		for _, name := range sortedKeys(parent.Groups) {
			err := editEndpoints(root, name, func(all []string) []string {
				return slices.DeleteFunc(all, func(a string) bool { return a == address })
			})
			if err != nil {
				return nil, err
			}
		}
		return did, nil
	}
}

func noConsenter(m *etcdraft.ConfigMetadata, address string) error {
	var all []string
	for _, c := range m.Consenters {
		all = append(all, fmt.Sprintf("%s:%d", c.Host, c.Port))
	}
	return fmt.Errorf("the channel has no consenter %s; it has %v", address, all)
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
