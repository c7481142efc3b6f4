// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"regexp"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// channelName is what the name of a channel may be.
var channelName = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)

// isUpdate reports whether data is a change of a channel's configuration, as a transaction or as it is within one. What it does shows only beside
// the configuration that it changes, so it must not pass for a file in which nothing is wrong.
func isUpdate(data []byte) bool {
	var (
		envelope common.Envelope
		payload  common.Payload
		header   common.ChannelHeader
	)
	if proto.Unmarshal(data, &envelope) == nil && proto.Unmarshal(envelope.Payload, &payload) == nil &&
		proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header) == nil && header.Type == int32(common.HeaderType_CONFIG_UPDATE) {
		return true
	}
	var signed common.ConfigUpdateEnvelope
	return isBareUpdate(data) || proto.Unmarshal(data, &signed) == nil && len(signed.ProtoReflect().GetUnknown()) == 0 && isBareUpdate(signed.ConfigUpdate)
}

func isBareUpdate(data []byte) bool {
	var update common.ConfigUpdate
	return proto.Unmarshal(data, &update) == nil && len(update.ProtoReflect().GetUnknown()) == 0 && update.WriteSet != nil &&
		channelName.MatchString(update.ChannelId)
}
