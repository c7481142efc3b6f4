// SPDX-License-Identifier: Apache-2.0

package smartbft_test

import (
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	ab "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/orderer/common/broadcast"
	"github.com/hyperledger/fabric/orderer/common/msgprocessor"
	"github.com/hyperledger/fabric/orderer/common/multichannel"
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
