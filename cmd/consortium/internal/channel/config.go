// SPDX-License-Identifier: Apache-2.0

// Package channel makes updates of a channel's configuration from its latest config block. A [Change] such as [AddOrganization] edits the
// configuration. The package says who must sign an update, and refuses one after which nodes could not load the configuration. It signs and
// sends nothing: it writes what "peer channel signconfigtx" and "peer channel update" read.
package channel

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/internal/configtxlator/update"
	"github.com/hyperledger/fabric/protoutil"
)

// Config is the configuration of a channel as a config block holds it.
type Config struct {
	Channel string
	Block   uint64 // number of the block

	config *cb.Config
}

// maxBlock is the largest message that nodes send to each other, in bytes.
const maxBlock = 100 << 20

// Read reads a config block from a file, as "peer channel fetch config" or configtxgen writes it.
func Read(file string) (*Config, error) {
	data, err := material.ReadBounded(file, maxBlock)
	if err != nil {
		return nil, err
	}
	c, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func parse(data []byte) (*Config, error) {
	block := &cb.Block{}
	if proto.Unmarshal(data, block) != nil || block.Header == nil || len(block.GetData().GetData()) == 0 {
		return nil, errors.New("it is not a block; peer channel fetch config gives one")
	}
	var (
		envelope cb.Envelope
		payload  cb.Payload
		header   cb.ChannelHeader
		config   cb.ConfigEnvelope
	)
	if proto.Unmarshal(block.Data.Data[0], &envelope) != nil || proto.Unmarshal(envelope.Payload, &payload) != nil ||
		proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header) != nil {
		return nil, errors.New("its first transaction cannot be decoded")
	}
	if header.Type != int32(cb.HeaderType_CONFIG) {
		return nil, errors.New("it is not a config block; peer channel fetch config gives one")
	}
	if proto.Unmarshal(payload.Data, &config) != nil || config.GetConfig().GetChannelGroup() == nil {
		return nil, errors.New("its configuration cannot be decoded")
	}
	return &Config{Channel: header.ChannelId, Block: block.Header.Number, config: config.Config}, nil
}

// Change is one change of a configuration, made in place on the group of the whole channel. It returns what it did, in words.
type Change func(root *cb.ConfigGroup) (did []string, err error)

// Update is a change to sign.
type Update struct {
	Channel  string     `json:"channel"`
	Block    uint64     `json:"block"` // whose configuration it changes; of no use once there is a later one
	Did      []string   `json:"changes"`
	Sign     []Approval `json:"sign"`
	Envelope []byte     `json:"-"`
	// Of an update that is shown: who signed it, and the policies that want more signatures.
	Signatures []string `json:"signatures,omitempty"`
	Missing    []string `json:"missing,omitempty"`
}

// ErrUnchanged says that the channel's configuration is already as asked.
var ErrUnchanged = errors.New("the configuration is so already: nothing to sign")

// Update makes one update of the changes, in their order. The result has been loaded as a node loads it: MSPs and policies are judged by the
// code of the orderer and the peer. New revocation lists are judged by [mspfolder.Effect], and consenters by the rules of the orderer.
func (c *Config) Update(changes ...Change) (*Update, error) {
	after := proto.Clone(c.config).(*cb.Config)
	u := &Update{Channel: c.Channel, Block: c.Block}
	for _, change := range changes {
		did, err := change(after.ChannelGroup)
		if err != nil {
			return nil, err
		}
		u.Did = append(u.Did, did...)
	}
	if proto.Equal(c.config, after) {
		return nil, ErrUnchanged
	}
	difference, err := update.Compute(c.config, after)
	if err != nil {
		return nil, fmt.Errorf("compute the difference: %w", err)
	}
	difference.ChannelId = c.Channel
	if err := c.judge(after); err != nil {
		return nil, err
	}
	if u.Sign, err = approvals(c.config.ChannelGroup, difference.WriteSet); err != nil {
		return nil, err
	}
	u.Envelope, err = envelope(difference)
	return u, err
}

// judge loads the configuration before and after as nodes do and refuses a step that they would refuse, or that would lock an
// organisation out.
func (c *Config) judge(after *cb.Config) error {
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	if err != nil {
		return err
	}
	before, err := channelconfig.NewBundle(c.Channel, c.config, csp)
	if err != nil {
		return fmt.Errorf("the configuration in the block cannot be loaded: %w", err)
	}
	next, err := channelconfig.NewBundle(c.Channel, after, csp)
	if err != nil {
		return fmt.Errorf("nodes could not load the configuration afterwards: %w", err)
	}
	if err := errors.Join(before.ValidateNew(next), supported(next), judgeSmartBFT(before, next)); err != nil {
		return fmt.Errorf("nodes would refuse the configuration: %w", err)
	}
	return errors.Join(judgeLists(c.config.ChannelGroup, after.ChannelGroup), judgeConsenters(c.config.ChannelGroup, after.ChannelGroup, before, next))
}

// supported fails for capabilities that nodes of this version lack, which stop at the block that names one.
func supported(bundle *channelconfig.Bundle) error {
	err := bundle.ChannelConfig().Capabilities().Supported()
	if orderer, ok := bundle.OrdererConfig(); ok {
		err = errors.Join(err, orderer.Capabilities().Supported())
	}
	if application, ok := bundle.ApplicationConfig(); ok {
		err = errors.Join(err, application.Capabilities().Supported())
	}
	return err
}

// envelope is the transaction that holds an update, without a signature.
func envelope(difference *cb.ConfigUpdate) ([]byte, error) {
	inner, err := proto.Marshal(difference)
	if err != nil {
		return nil, err
	}
	data, err := proto.Marshal(&cb.ConfigUpdateEnvelope{ConfigUpdate: inner})
	if err != nil {
		return nil, err
	}
	header, err := proto.Marshal(&cb.ChannelHeader{Type: int32(cb.HeaderType_CONFIG_UPDATE), ChannelId: difference.ChannelId})
	if err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(&cb.Payload{Header: &cb.Header{ChannelHeader: header}, Data: data})
	if err != nil {
		return nil, err
	}
	return protoutil.Marshal(&cb.Envelope{Payload: payload})
}
