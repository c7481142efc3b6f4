// SPDX-License-Identifier: Apache-2.0

package msgprocessor

import (
	"bytes"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hyperledger/fabric/orderer/common/msgprocessor/mocks"
)

func TestUnknownFieldsAreBounded(t *testing.T) {
	config := &mocks.OrdererConfig{}
	config.BatchSizeReturns(&ab.BatchSize{AbsoluteMaxBytes: 1000})
	channel := &mocks.Resources{}
	channel.OrdererConfigReturns(config, true)

	read := func(size int) *cb.Envelope {
		env := &cb.Envelope{}
		field := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), bytes.Repeat([]byte{1}, size))
		require.NoError(t, proto.Unmarshal(append([]byte{10, 1, 'p'}, field...), env))
		return env
	}
	require.NoError(t, NewSizeFilter(channel).Apply(read(900)))
	require.EqualError(t, NewSizeFilter(channel).Apply(read(1001)), "message payload is 1005 bytes and exceeds maximum allowed 1000 bytes")
}
