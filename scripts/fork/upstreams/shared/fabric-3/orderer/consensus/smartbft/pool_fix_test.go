// SPDX-License-Identifier: Apache-2.0

package smartbft_test

import (
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

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
		}
	}
	for _, node := range nodes {
		require.ErrorContains(t, node.SendTx(createEndorserTxEnvelope("elsewhere", "other")), "expected channel "+channel)
	}

	require.NoError(t, network.SendTxToAllAvailableNodes(createEndorserTxEnvelope("good", channel)))
	for _, node := range nodes {
		require.Eventually(t, func() bool { return node.State.GetLedgerHeight() == 2 }, 20*time.Second, 50*time.Millisecond)
	}
	require.Equal(t, leader, network.GetAgreedLeader())
}
