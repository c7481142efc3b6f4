// SPDX-License-Identifier: Apache-2.0

package smartbft_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	ab "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/orderer/common/broadcast"
	"github.com/hyperledger/fabric/orderer/common/msgprocessor"
	"github.com/hyperledger/fabric/orderer/common/multichannel"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft"
	"github.com/hyperledger/fabric/protoutil"
)

// ofType is a client's envelope with another type.
func ofType(kind cb.HeaderType, channel string) *cb.Envelope {
	env := createEndorserTxEnvelope("of another type", channel)
	payload := protoutil.UnmarshalPayloadOrPanic(env.Payload)
	header, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil {
		panic(err)
	}
	header.Type = int32(kind)
	payload.Header.ChannelHeader = protoutil.MarshalOrPanic(header)
	env.Payload = protoutil.MarshalOrPanic(payload)
	return env
}

// TestRefusedTypes: what no block may have does not get into a proposal, by which a leader would be deposed.
func TestRefusedTypes(t *testing.T) {
	const channel = "testchannel"
	network := NewNetworkSetupInfo(t, channel, t.TempDir())
	nodes := network.CreateNodes(4)
	network.StartAllNodes()
	for _, node := range nodes {
		node.State.WaitLedgerHeightToBe(1)
	}
	leader := network.GetAgreedLeader()

	for _, kind := range []cb.HeaderType{cb.HeaderType_MESSAGE, cb.HeaderType_DELIVER_SEEK_INFO, cb.HeaderType_CONFIG_UPDATE} {
		for _, node := range nodes {
			require.ErrorContains(t, node.SendTx(ofType(kind, channel)), "transaction of type "+kind.String()+" is not allowed")
			answer := broadcastTo(node, ofType(kind, channel))
			require.Equal(t, cb.Status_BAD_REQUEST, answer.Status, "the client is not to try again")
			require.Contains(t, answer.Info, "transaction of type "+kind.String()+" is not allowed")
		}
	}
	config := broadcastTo(nodes[1], ofType(cb.HeaderType_CONFIG, channel))
	require.Equal(t, cb.Status_BAD_REQUEST, config.Status, config.Info)
	for _, node := range nodes {
		require.ErrorContains(t, node.SendTx(createEndorserTxEnvelope("elsewhere", "other")), "expected channel "+channel)
	}

	require.NoError(t, network.SendTxToAllAvailableNodes(createEndorserTxEnvelope("good", channel)))
	for _, node := range nodes {
		require.Eventually(t, func() bool { return node.State.GetLedgerHeight() == 2 }, 20*time.Second, 50*time.Millisecond)
	}
	require.Equal(t, leader, network.GetAgreedLeader())
	require.Equal(t, cb.Status_SUCCESS, broadcastTo(nodes[1], createEndorserTxEnvelope("by a client", channel)).Status)
}

// broadcastTo sends an envelope as a client does, to the orderer's service. The channel's filters accept it.
func broadcastTo(node *Node, env *cb.Envelope) *ab.BroadcastResponse {
	handler := &broadcast.Handler{
		SupportRegistrar: registrarOf{&multichannel.ChainSupport{Processor: accepting{}, Chain: node.Chain}},
		Metrics:          broadcast.NewMetrics(&disabled.Provider{}),
	}
	return handler.ProcessMessage(env, "a client")
}

type registrarOf struct{ support broadcast.ChannelSupport }

func (r registrarOf) BroadcastChannelSupport(env *cb.Envelope) (*cb.ChannelHeader, bool, broadcast.ChannelSupport, error) {
	header, err := protoutil.ChannelHeader(env)
	return header, isConfigTx(env), r.support, err
}

// accepting stands for the filters of a channel.
type accepting struct{ msgprocessor.Processor }

func (accepting) ProcessNormalMsg(*cb.Envelope) (uint64, error) { return 1, nil }

func (accepting) ProcessConfigUpdateMsg(env *cb.Envelope) (*cb.Envelope, uint64, error) {
	return env, 1, nil
}

// TestPoolIsBounded: clients cannot have an orderer keep more bytes of requests than its bound, whatever their number, nor can another
// consenter that forwards them. What was removed makes room.
func TestPoolIsBounded(t *testing.T) {
	const channel, bound, size = "testchannel", 200_000, 20_000
	smartbft.BoundPools(t, bound)
	node := NewNetworkSetupInfo(t, channel, t.TempDir()).CreateNodes(4)[1] // the leader; without others it orders nothing
	node.Start()
	request := func() *cb.Envelope {
		return createEndorserTxEnvelope(rand.Text()+strings.Repeat("x", size), channel)
	}
	fill := func() (err error) {
		for range 2 * bound / size {
			if err = node.SendTx(request()); err != nil {
				break
			}
		}
		return err
	}
	require.ErrorContains(t, fill(), "no room")
	full := node.Chain.CountPool()
	require.InDelta(t, bound, full, 1.2*size)
	require.LessOrEqual(t, full, bound)
	answer := broadcastTo(node, request())
	require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, answer.Status, answer.Info)

	for range 3 * bound / size {
		node.Chain.HandleRequest(2, protoutil.MarshalOrPanic(request()))
	}
	require.Greater(t, node.Chain.CountPool(), full)
	require.LessOrEqual(t, node.Chain.CountPool(), 2*bound)

	node.Chain.EmptyPool()
	require.Eventually(t, func() bool { return node.SendTx(request()) == nil }, 10*time.Second, 20*time.Millisecond)
	require.ErrorContains(t, fill(), "no room")
	require.LessOrEqual(t, node.Chain.CountPool(), bound)
}
