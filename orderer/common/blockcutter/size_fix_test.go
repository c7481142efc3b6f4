// SPDX-License-Identifier: Apache-2.0

package blockcutter_test

import (
	"bytes"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hyperledger/fabric/orderer/common/blockcutter"
	"github.com/hyperledger/fabric/orderer/common/blockcutter/mock"
)

// withUnknown is an envelope as a node reads it from a client that has added a field.
func withUnknown(t *testing.T, size int) *cb.Envelope {
	t.Helper()
	wire, err := proto.Marshal(&cb.Envelope{Payload: []byte("payload"), Signature: []byte("signature")})
	require.NoError(t, err)
	wire = protowire.AppendTag(wire, 3, protowire.BytesType)
	wire = protowire.AppendBytes(wire, bytes.Repeat([]byte{1}, size))
	env := &cb.Envelope{}
	require.NoError(t, proto.Unmarshal(wire, env))
	kept, err := proto.Marshal(env)
	require.NoError(t, err)
	require.Greater(t, len(kept), size, "what a block has of the envelope")
	return env
}

func TestMessageSize(t *testing.T) {
	require.EqualValues(t, 16, blockcutter.MessageSize(&cb.Envelope{Payload: []byte("payload"), Signature: []byte("signature")}))
	require.EqualValues(t, 0, blockcutter.MessageSize(&cb.Envelope{}))
	require.EqualValues(t, 0, blockcutter.MessageSize(nil))
	require.EqualValues(t, 16+1+3+60000, blockcutter.MessageSize(withUnknown(t, 60000)))
}

func TestUnknownFieldsFillBatches(t *testing.T) {
	config := &mock.OrdererConfig{}
	config.BatchSizeReturns(&ab.BatchSize{MaxMessageCount: 10, PreferredMaxBytes: 1000})
	fetcher := &mock.OrdererConfigFetcher{}
	fetcher.OrdererConfigReturns(config, true)
	duration := &mock.MetricsHistogram{}
	duration.WithReturns(duration)
	cutter := blockcutter.NewReceiverImpl("channel", fetcher, &blockcutter.Metrics{BlockFillDuration: duration})

	for range 2 {
		batches, pending := cutter.Ordered(withUnknown(t, 1500))
		require.Len(t, batches, 1, "too large for a batch with others")
		require.Len(t, batches[0], 1)
		require.False(t, pending)
	}
	batches, pending := cutter.Ordered(withUnknown(t, 600))
	require.Empty(t, batches)
	require.True(t, pending)
	batches, _ = cutter.Ordered(withUnknown(t, 600))
	require.Len(t, batches, 1, "both are too large for one batch")
}
