// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// change sets one value of the channel configuration.
type change struct {
	path  []string // names of groups, from below the channel
	key   string
	value []byte
}

// marshal is deterministic, so that the same input gives the same file.
func marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// envelope makes the unsigned transaction that changes values and nothing else:
// what "peer channel signconfigtx" and "peer channel update" read. Groups on the
// way are in both sets at their present version, which says that they
// are not changed; a changed value is in the write set one version higher.
// Orderers refuse it once the value has another version than in the block.
func (ch *channel) envelope(name string, changes []change) ([]byte, error) {
	update := &common.ConfigUpdate{
		ChannelId: name,
		ReadSet:   &common.ConfigGroup{Version: ch.group.Version},
		WriteSet:  &common.ConfigGroup{Version: ch.group.Version},
	}
	for _, c := range changes {
		group, read, write := ch.group, update.ReadSet, update.WriteSet
		for _, step := range c.path {
			group = group.GetGroups()[step]
			read, write = subgroup(read, step, group.GetVersion()), subgroup(write, step, group.GetVersion())
		}
		old := group.GetValues()[c.key]
		if old == nil {
			return nil, fmt.Errorf("%s has no value %s", groupPath(c.path), c.key)
		}
		if write.Values == nil {
			write.Values = map[string]*common.ConfigValue{}
		}
		write.Values[c.key] = &common.ConfigValue{Version: old.Version + 1, ModPolicy: old.ModPolicy, Value: c.value}
	}
	inner, err := marshal(update)
	if err != nil {
		return nil, err
	}
	data, err := marshal(&common.ConfigUpdateEnvelope{ConfigUpdate: inner})
	if err != nil {
		return nil, err
	}
	header, err := marshal(&common.ChannelHeader{Type: int32(common.HeaderType_CONFIG_UPDATE), ChannelId: name})
	if err != nil {
		return nil, err
	}
	payload, err := marshal(&common.Payload{Header: &common.Header{ChannelHeader: header}, Data: data})
	if err != nil {
		return nil, err
	}
	return marshal(&common.Envelope{Payload: payload})
}

// subgroup is the group of that name in another, made if it is not there yet.
func subgroup(group *common.ConfigGroup, name string, version uint64) *common.ConfigGroup {
	if group.Groups == nil {
		group.Groups = map[string]*common.ConfigGroup{}
	}
	if group.Groups[name] == nil {
		group.Groups[name] = &common.ConfigGroup{Version: version}
	}
	return group.Groups[name]
}
