// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
)

// consenter is a member of the ordering cluster, of Raft or BFT.
type consenter struct {
	place          string
	client, server []byte
}

// block takes in a config block: its consenters, checked against the TLS roots
// of the ordering organisations. ok is false if data is no config block.
func (r *Report) block(where string, data []byte) (items []*Item, ok bool) {
	block := new(common.Block)
	if proto.Unmarshal(data, block) != nil || block.GetHeader() == nil || len(block.GetData().GetData()) == 0 {
		return nil, false
	}
	channel, group, err := configOf(block.Data.Data[0])
	if err != nil {
		r.found(where, cause.Find(cause.Unparsable, "block %d: %v", block.Header.Number, err))
		return nil, true
	}
	ordererGroup := group.GetGroups()["Orderer"]
	item := &Item{Where: where, Kind: "config block",
		Note: fmt.Sprintf("block %d of channel %s", block.Header.Number, wire.Printable(channel))}
	items = []*Item{item}
	var roots []*Item
	for _, name := range sortedKeys(ordererGroup.GetGroups()) {
		roots = append(roots, r.tlsRoots(where+":"+wire.Printable(name), ordererGroup.Groups[name])...)
	}
	consenters, kind, err := consentersOf(ordererGroup)
	if err != nil {
		r.found(where, cause.Find(cause.Unparsable, "consenters: %v", err))
	}
	item.Note += fmt.Sprintf(", consensus %s, %d consenters", wire.Printable(kind), len(consenters))
	for _, c := range consenters {
		items = append(items, r.consenter(where, c, roots)...)
	}
	return items, true
}

// configOf opens the envelope of a config block.
func configOf(data []byte) (channel string, group *common.ConfigGroup, err error) {
	var (
		envelope common.Envelope
		payload  common.Payload
		header   common.ChannelHeader
		config   common.ConfigEnvelope
	)
	if err := errors.Join(proto.Unmarshal(data, &envelope), proto.Unmarshal(envelope.GetPayload(), &payload),
		proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header)); err != nil {
		return "", nil, errors.New("its first transaction cannot be decoded")
	}
	if header.Type != int32(common.HeaderType_CONFIG) {
		return "", nil, errors.New("it is no config block; peer channel fetch config gives one")
	}
	if proto.Unmarshal(payload.Data, &config) != nil || config.GetConfig().GetChannelGroup() == nil {
		return "", nil, errors.New("its configuration cannot be decoded")
	}
	return header.ChannelId, config.Config.ChannelGroup, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// tlsRoots gives the TLS authorities of an organisation's MSP.
func (r *Report) tlsRoots(where string, org *common.ConfigGroup) []*Item {
	var config msp.MSPConfig
	var fabric msp.FabricMSPConfig
	value := org.GetValues()["MSP"].GetValue()
	if proto.Unmarshal(value, &config) != nil || config.Type != 0 || proto.Unmarshal(config.Config, &fabric) != nil {
		r.found(where, cause.Find(cause.Unparsable, "the MSP cannot be decoded"))
		return nil
	}
	var items []*Item
	for i, text := range append(slices.Clone(fabric.TlsRootCerts), fabric.TlsIntermediateCerts...) {
		items = append(items, r.pem(fmt.Sprintf("%s:tls root %d", where, i+1), text)...)
	}
	return items
}

// consentersOf reads the consenters of either consensus type.
func consentersOf(group *common.ConfigGroup) (list []consenter, kind string, err error) {
	var consensus orderer.ConsensusType
	if err := proto.Unmarshal(group.GetValues()["ConsensusType"].GetValue(), &consensus); err != nil {
		return nil, "unknown", errors.New("ConsensusType cannot be decoded")
	}
	if consensus.Type == "BFT" {
		var mapping common.Orderers
		if err := proto.Unmarshal(group.GetValues()["Orderers"].GetValue(), &mapping); err != nil {
			return nil, consensus.Type, errors.New("the group Orderers cannot be decoded")
		}
		for _, c := range mapping.ConsenterMapping {
			list = append(list, consenter{fmt.Sprintf("%s:%d", wire.Printable(c.Host), c.Port), c.ClientTlsCert, c.ServerTlsCert})
		}
		return list, consensus.Type, nil
	}
	var metadata etcdraft.ConfigMetadata
	if err := proto.Unmarshal(consensus.Metadata, &metadata); err != nil {
		return nil, consensus.Type, errors.New("the metadata cannot be decoded")
	}
	for _, c := range metadata.Consenters {
		list = append(list, consenter{fmt.Sprintf("%s:%d", wire.Printable(c.Host), c.Port), c.ClientTlsCert, c.ServerTlsCert})
	}
	return list, consensus.Type, nil
}

// consenter takes in the certificates of one.
func (r *Report) consenter(where string, c consenter, authorities []*Item) []*Item {
	roots, intermediates := split(authorities)
	var items []*Item
	for _, role := range []struct {
		name string
		text []byte
	}{{"server", c.server}, {"client", c.client}} {
		place := fmt.Sprintf("%s:consenter %s %s", where, c.place, role.name)
		if len(role.text) == 0 {
			r.found(place, cause.Find(cause.Unparsable, "there is no certificate"))
			continue
		}
		certs := r.pem(place, role.text)
		var leaves []*Item
		for _, i := range certs {
			if i.cert == nil || i.cert.IsCA {
				continue
			}
			leaves = append(leaves, i)
			if len(roots) > 0 {
				r.found(i.Where, material.CheckChain(i.cert, intermediates, roots, r.now)...)
			}
		}
		r.matchPairs(leaves)
		items = append(items, certs...)
	}
	return items
}
