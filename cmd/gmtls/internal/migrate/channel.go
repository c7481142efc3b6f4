// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/inspect"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

// channel is what a config block says.
type channel struct {
	Name   string
	Number uint64 // of the block
	group  *common.ConfigGroup
	// members have an MSP in the channel. An organisation that orders and has peers is here once, with two places.
	members    []*member
	consensus  *orderer.ConsensusType
	metadata   *etcdraft.ConfigMetadata // nil unless the channel runs Raft
	unknown    string                   // why its consenters are not known
	consenters []*seat
}

// member is an organisation of a channel.
type member struct {
	ID     string // of its MSP
	places []place
}

// place is where an organisation's MSP is in the configuration.
type place struct {
	path   []string // names of groups, from below the channel
	outer  *msp.MSPConfig
	fabric *msp.FabricMSPConfig
}

// seat is a consenter.
type seat struct {
	address   string
	consenter *etcdraft.Consenter // of SmartBFT: what the two types have in common
	mspID     string              // of SmartBFT: of the organisation by whose TLS roots others verify it
	std, gm   bool                // its certificates of either family are in both fields
}

// loadChannel reads a config block, as "peer channel fetch config" writes it.
func loadChannel(file string) (*channel, error) {
	data, err := material.ReadFile(file)
	if err != nil {
		return nil, err
	}
	ch, err := parseChannel(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return ch, nil
}

func parseChannel(data []byte) (*channel, error) {
	block := new(common.Block)
	if proto.Unmarshal(data, block) != nil || block.GetHeader() == nil || len(block.GetData().GetData()) == 0 {
		return nil, errors.New("it is not a block; peer channel fetch config gives one")
	}
	name, group, err := inspect.ConfigOf(block.Data.Data[0])
	if err != nil {
		return nil, err
	}
	ch := &channel{Name: loglimit.Printable(name), Number: block.Header.Number, group: group}
	if err := ch.collect(group, nil); err != nil {
		return nil, err
	}
	slices.SortFunc(ch.members, func(a, b *member) int { return strings.Compare(a.ID, b.ID) })
	return ch, ch.readConsenters()
}

// maxDepth is how deep groups may lie; Fabric has three levels below the channel.
const maxDepth = 8

// collect finds the MSPs in a group and those below it.
func (ch *channel) collect(group *common.ConfigGroup, path []string) error {
	if len(path) > maxDepth {
		return errors.New("its groups lie too deep")
	}
	if value := group.GetValues()["MSP"]; value != nil {
		p := place{path: slices.Clone(path), outer: new(msp.MSPConfig), fabric: new(msp.FabricMSPConfig)}
		if err := proto.Unmarshal(value.Value, p.outer); err != nil {
			return fmt.Errorf("the MSP of %s cannot be decoded", groupPath(path))
		}
		// Type 0 is the MSP of X.509 certificates. Others, for anonymous credentials, have no part in this.
		if p.outer.Type == 0 {
			if err := proto.Unmarshal(p.outer.Config, p.fabric); err != nil || p.fabric.Name == "" {
				return fmt.Errorf("the MSP of %s cannot be decoded", groupPath(path))
			}
			ch.add(p)
		}
	}
	for _, name := range sortedKeys(group.GetGroups()) {
		if err := ch.collect(group.Groups[name], append(slices.Clone(path), name)); err != nil {
			return err
		}
	}
	return nil
}

func (ch *channel) add(p place) {
	if m := ch.member(p.fabric.Name); m != nil {
		m.places = append(m.places, p)
		return
	}
	ch.members = append(ch.members, &member{ID: p.fabric.Name, places: []place{p}})
}

// member finds an organisation by the id of its MSP; nil if it is not of the channel.
func (ch *channel) member(id string) *member {
	for _, m := range ch.members {
		if m.ID == id {
			return m
		}
	}
	return nil
}

func groupPath(path []string) string {
	return loglimit.Printable("/Channel/" + strings.Join(path, "/"))
}

// isOrdering reports whether the organisation belongs to the ordering service.
func (m *member) isOrdering() bool {
	return slices.ContainsFunc(m.places, func(p place) bool { return p.path[0] == "Orderer" })
}

// families splits certificates in PEM by the family of their keys.
func families(blobs [][]byte) (std, gm []*x509.Certificate, err error) {
	for _, blob := range blobs {
		certs, err := material.Certificates(blob)
		if err != nil {
			return nil, nil, err
		}
		for _, c := range certs {
			if x509.IsSM2(c.PublicKey) {
				gm = append(gm, c)
			} else {
				std = append(std, c)
			}
		}
	}
	return std, gm, nil
}

// held is what an organisation's MSPs in the channel have of each family.
type held struct {
	stdTLS, gmTLS           []*x509.Certificate // roots and intermediates
	stdIdentity, gmIdentity []*x509.Certificate
	// Whether every place of the MSP has a root.
	allGMTLS, allGMIdentity bool
}

func (m *member) held() (h held, err error) {
	h.allGMTLS, h.allGMIdentity = true, true
	for _, p := range m.places {
		f := p.fabric
		std, gm, err := families(slices.Concat(f.TlsRootCerts, f.TlsIntermediateCerts))
		if err != nil {
			return h, fmt.Errorf("TLS roots of %s: %w", groupPath(p.path), err)
		}
		h.stdTLS, h.gmTLS, h.allGMTLS = append(h.stdTLS, std...), append(h.gmTLS, gm...), h.allGMTLS && len(gm) > 0
		std, gm, err = families(slices.Concat(f.RootCerts, f.IntermediateCerts))
		if err != nil {
			return h, fmt.Errorf("roots of %s: %w", groupPath(p.path), err)
		}
		h.stdIdentity, h.gmIdentity = append(h.stdIdentity, std...), append(h.gmIdentity, gm...)
		h.allGMIdentity = h.allGMIdentity && len(gm) > 0
	}
	return h, nil
}

// readConsenters takes in the members of the cluster.
func (ch *channel) readConsenters() error {
	value := ch.group.GetGroups()["Orderer"].GetValues()["ConsensusType"]
	if value == nil {
		return nil // a configuration without an ordering service: nothing to do for consenters
	}
	ch.consensus = new(orderer.ConsensusType)
	if err := proto.Unmarshal(value.Value, ch.consensus); err != nil {
		return errors.New("its ConsensusType cannot be decoded")
	}
	var err error
	if ch.consenters, err = ch.seats(); err != nil {
		return errors.New("its consenters cannot be decoded")
	}
	return nil
}

func newSeat(c *etcdraft.Consenter, mspID string) *seat {
	s := &seat{address: net.JoinHostPort(loglimit.Printable(c.Host), strconv.Itoa(int(c.Port))), consenter: c, mspID: mspID, std: true, gm: true}
	for _, field := range [][]byte{c.ClientTlsCert, c.ServerTlsCert} {
		std, gm := identities(field)
		s.std, s.gm = s.std && std != nil, s.gm && gm != nil
	}
	return s
}

// seats reads the consenters from where the type of consensus has them.
func (ch *channel) seats() (all []*seat, err error) {
	switch ch.consensus.Type {
	case "etcdraft":
		ch.metadata = new(etcdraft.ConfigMetadata)
		err = proto.Unmarshal(ch.consensus.Metadata, ch.metadata)
		for _, c := range ch.metadata.Consenters {
			all = append(all, newSeat(c, ""))
		}
		return all, err
	case "BFT":
		orderers := new(common.Orderers)
		err = proto.Unmarshal(ch.group.GetGroups()["Orderer"].GetValues()["Orderers"].GetValue(), orderers)
		for _, c := range orderers.ConsenterMapping {
			all = append(all, newSeat(&etcdraft.Consenter{
				Host: c.GetHost(), Port: c.GetPort(), ClientTlsCert: c.GetClientTlsCert(), ServerTlsCert: c.GetServerTlsCert(),
			}, c.GetMspId()))
		}
		if len(all) == 0 {
			ch.unknown = "orders by SmartBFT and names no consenter"
		}
		return all, err
	case "solo", "kafka": // orderers that do not connect to each other
		return nil, nil
	}
	ch.unknown = "orders by " + loglimit.Printable(ch.consensus.Type) + ", whose consenters this tool does not know"
	return nil, nil
}

// identities gives the two PEM blocks of a consenter's field by which others
// recognise it, see docs/deployment.md: one standard certificate, one SM2
// certificate for signing. Either may be nil.
func identities(field []byte) (std, gm []byte) {
	for {
		var block *pem.Block
		if block, field = pem.Decode(field); block == nil {
			return std, gm
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil || cert.IsCA:
		case !x509.IsSM2(cert.PublicKey):
			if std == nil {
				std = pem.EncodeToMemory(block)
			}
		case gm == nil && material.CanSign(cert):
			gm = pem.EncodeToMemory(block)
		}
	}
}

// known are the inventory's node and organisation of a consenter.
func (s *seat) known(all []*facts) *facts {
	for _, f := range all {
		if f.node.Address == s.address {
			return f
		}
	}
	return nil
}
