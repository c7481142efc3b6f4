// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	consenters "github.com/hyperledger/fabric/common/consenter"
	"github.com/hyperledger/fabric/common/loglimit"
)

// consenter is a member of the ordering cluster, of Raft or BFT.
type consenter struct {
	place          string
	client, server []byte
	// Of BFT alone: the certificate that it signs blocks by, and its MSP.
	identity []byte
	msp      string
}

// organisation is an ordering organisation with its authorities.
type organisation struct {
	msp     string // identifier
	ca, tls []*Item
}

// block takes in a block: its hashes, which are recomputed, and of a config block who may do what, and the consenters, checked against
// the TLS roots of the ordering organisations. ok is false if data is not a block.
func (r *Report) block(where string, data []byte) (items []*Item, ok bool) {
	block := new(common.Block)
	if proto.Unmarshal(data, block) != nil || block.GetHeader() == nil || len(block.GetData().GetData()) == 0 {
		return nil, false
	}
	channel, group, err := ConfigOf(block.Data.Data[0])
	if err != nil && !errors.Is(err, errNoConfig) {
		r.found(where, cause.Find(cause.Unparsable, "block %d: %v", block.Header.Number, err))
		return nil, true
	}
	hashes, failed := r.hashes(where, block, group)
	if failed != nil {
		r.found(where, cause.Find(cause.Unparsable, "%v", failed))
		return nil, true
	}
	if err != nil {
		return []*Item{{Where: where, Kind: kindOtherBlock,
			Note: fmt.Sprintf("block %d of channel %s, %d transactions, %s", block.Header.Number, loglimit.Printable(channel), len(block.Data.Data), hashes)}}, true
	}
	ordererGroup := group.GetGroups()[groupOrderer]
	item := &Item{Where: where, Kind: kindBlock,
		Note: fmt.Sprintf("block %d of channel %s", block.Header.Number, loglimit.Printable(channel))}
	items = []*Item{item}
	consenters, kind, err := consentersOf(ordererGroup)
	if err != nil {
		r.found(where, cause.Find(cause.Unparsable, "consenters: %v", err))
	}
	item.Note += fmt.Sprintf(", consensus %s, %d consenters, %s", loglimit.Printable(kind), len(consenters), hashes)
	found, orgs := r.governance(where, group, kind)
	items = append(items, found...)
	form := r.oneForm(where, group)
	for _, c := range consenters {
		items = append(items, r.consenter(where, c, orgs)...)
		r.identityForm(where, c, form)
	}
	return items, true
}

// oneForm reports whether the channel has a capability by which an identity has one form.
func (r *Report) oneForm(where string, group *common.ConfigGroup) bool {
	var capabilities common.Capabilities
	if err := proto.Unmarshal(group.GetValues()["Capabilities"].GetValue(), &capabilities); err != nil {
		r.found(where, cause.Find(cause.Unparsable, "the value Capabilities cannot be decoded"))
	}
	_, v1 := capabilities.GetCapabilities()["GM_V1"]
	_, v2 := capabilities.GetCapabilities()["GM_V2"]
	return v1 || v2
}

// identityForm finds the identity of a consenter that peers of a channel with such a capability refuse as the signer of blocks. An
// identity that cannot be read at all was found before.
func (r *Report) identityForm(where string, c consenter, refused bool) {
	err := consenters.CheckIdentity(c.identity)
	if first, _ := pem.Decode(c.identity); err == nil || first == nil {
		return
	}
	finding := cause.Warn(cause.IdentityForm, "the capability GM_V1 would have peers refuse its blocks: %s", loglimit.Printable(err.Error()))
	if refused {
		finding = cause.Find(cause.IdentityForm, "peers refuse its blocks: %s", loglimit.Printable(err.Error()))
	}
	r.found(fmt.Sprintf("%s:consenter %s identity", where, c.place), finding)
}

var errNoConfig = errors.New("it is not a config block; peer channel fetch config gives one")

// ConfigOf opens the envelope of a config block: the channel's name and the root of its configuration.
func ConfigOf(data []byte) (channel string, group *common.ConfigGroup, err error) {
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
		return header.ChannelId, nil, errNoConfig
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

const (
	consensusBFT = "BFT"
	kindBlock    = "config block"
	// kindOtherBlock is a block of transactions.
	kindOtherBlock = "block"
)

// consentersOf reads the consenters of either consensus type.
func consentersOf(group *common.ConfigGroup) (list []consenter, kind string, err error) {
	var consensus orderer.ConsensusType
	if err := proto.Unmarshal(group.GetValues()["ConsensusType"].GetValue(), &consensus); err != nil {
		return nil, "unknown", errors.New("ConsensusType cannot be decoded")
	}
	if consensus.Type == consensusBFT {
		var mapping common.Orderers
		if err := proto.Unmarshal(group.GetValues()["Orderers"].GetValue(), &mapping); err != nil {
			return nil, consensus.Type, errors.New("the value Orderers cannot be decoded")
		}
		for _, c := range mapping.ConsenterMapping {
			place := fmt.Sprintf("%d of %s at %s:%d", c.Id, loglimit.Printable(c.MspId), loglimit.Printable(c.Host), c.Port)
			list = append(list, consenter{place, c.ClientTlsCert, c.ServerTlsCert, c.Identity, c.MspId})
		}
		return list, consensus.Type, nil
	}
	var metadata etcdraft.ConfigMetadata
	if err := proto.Unmarshal(consensus.Metadata, &metadata); err != nil {
		return nil, consensus.Type, errors.New("the metadata cannot be decoded")
	}
	for _, c := range metadata.Consenters {
		place := fmt.Sprintf("%s:%d", loglimit.Printable(c.Host), c.Port)
		list = append(list, consenter{place: place, client: c.ClientTlsCert, server: c.ServerTlsCert})
	}
	return list, consensus.Type, nil
}

// consenter takes in the certificates of one and checks them against the
// authorities: for TLS those of any ordering organisation, for the identity
// those of the consenter's organisation.
func (r *Report) consenter(where string, c consenter, orgs []organisation) []*Item {
	var tls, own []*Item
	for _, org := range orgs {
		tls = append(tls, org.tls...)
		if org.msp == c.msp {
			own = append(own, org.ca...)
		}
	}
	place := fmt.Sprintf("%s:consenter %s ", where, c.place)
	items := append(r.field(place+"server", c.server, tls), r.field(place+"client", c.client, tls)...)
	if c.msp == "" {
		return items
	}
	if len(own) == 0 {
		r.found(place+"identity", cause.Find(cause.UnknownRoot, "the channel has no ordering organisation %q", loglimit.Printable(c.msp)))
	}
	return append(items, r.field(place+"identity", c.identity, own)...)
}

// member takes in one certificate of a consenter, or a pair.
func (r *Report) field(place string, text []byte, authorities []*Item) []*Item {
	if len(text) == 0 {
		r.found(place, cause.Find(cause.Unparsable, "there is no certificate"))
		return nil
	}
	roots, intermediates := split(certified(authorities))
	first, _ := pem.Decode(text)
	if err := consenters.Check(first); err != nil {
		id := cause.Unparsable
		if errors.Is(err, consenters.ErrEncryption) {
			id = cause.SignUsage
		}
		r.found(place, cause.Find(id, "%s", loglimit.Printable(err.Error())))
	}
	certs := r.pem(place, text)
	var leaves []*Item
	for _, i := range certified(certs) {
		if i.cert.IsCA {
			continue
		}
		leaves = append(leaves, i)
		if len(roots) > 0 {
			r.found(i.Where, material.CheckChain(i.cert, intermediates, roots, r.now)...)
		}
	}
	r.matchPairs(leaves)
	return certs
}
