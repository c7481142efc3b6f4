// SPDX-License-Identifier: Apache-2.0

package channelparticipation_test

import (
	"slices"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/smartbft"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/genesis"
	"github.com/hyperledger/fabric/core/config/configtest"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/protoutil"
)

// An orderer makes no channel with a consenter whose blocks the channel's peers would refuse.
func TestJoinBlockWithConsentersThatPeersRefuse(t *testing.T) {
	exact := gmtlstest.NewCA(t).NewPair(t, "localhost").SignCert
	dressed := slices.Concat(exact, []byte("\n"))
	pair := gmtlstest.NewCA(t).NewPair(t, "localhost").SignCert
	first := func(identity []byte, names ...string) *cb.Block {
		profile := genesisconfig.Load(genesisconfig.SampleDevModeSoloProfile, configtest.GetDevConfigDir())
		profile.Consortiums = nil
		profile.Application = genesisconfig.Load(genesisconfig.SampleSingleMSPChannelProfile, configtest.GetDevConfigDir()).Application
		profile.Capabilities = map[string]bool{capabilities.ChannelV3_0: true}
		for _, name := range names {
			profile.Capabilities[name] = true
		}
		profile.Orderer.OrdererType, profile.Orderer.Addresses, profile.Orderer.SmartBFT = "BFT", nil, smartBFTOptions()
		profile.Orderer.ConsenterMapping = nil
		for _, org := range profile.Orderer.Organizations {
			org.OrdererEndpoints = []string{"orderer:7050"}
		}
		root, err := encoder.NewChannelGroup(profile)
		require.NoError(t, err)
		value := channelconfig.OrderersValue([]*cb.Consenter{
			{Id: 7, Host: "orderer", Port: 7050, MspId: "SampleOrg", Identity: identity, ClientTlsCert: pair, ServerTlsCert: pair},
		})
		root.Groups[channelconfig.OrdererGroupKey].Values[value.Key()] = &cb.ConfigValue{Value: protoutil.MarshalOrPanic(value.Value())}
		return genesis.NewFactoryImpl(root).Block("new")
	}
	for name, c := range map[string]struct {
		block *cb.Block
		why   string
	}{
		"exact":                  {first(exact, capabilities.ChannelGMV1), ""},
		"without the capability": {first(dressed), ""},
		"dressed":                {first(dressed, capabilities.ChannelGMV1), "consenter 7 (orderer:7050): its identity has another form"},
	} {
		channel, err := validateJoinBlock(c.block)
		if c.why == "" {
			require.NoError(t, err, name)
			require.Equal(t, "new", channel, name)
			continue
		}
		require.ErrorContains(t, err, c.why, name)
		require.Empty(t, channel, name)
	}

	// A channel that exists has its configuration, whichever that is: another orderer may join it.
	later := first(dressed, capabilities.ChannelGMV1)
	later.Header.Number, later.Header.PreviousHash = 1, make([]byte, 32)
	_, err := validateJoinBlock(later)
	require.NoError(t, err)

	// Without the capability too, an identity that nobody can read would end each orderer that joins.
	_, err = validateJoinBlock(first([]byte("no PEM")))
	require.ErrorContains(t, err, "consenter 7 (orderer:7050): identity: ")
}

func smartBFTOptions() *smartbft.Options {
	return &smartbft.Options{
		RequestBatchMaxInterval: "500ms", RequestForwardTimeout: "2s", RequestComplainTimeout: "10s", RequestAutoRemoveTimeout: "3m",
		ViewChangeResendInterval: "2s", ViewChangeTimeout: "20s", LeaderHeartbeatTimeout: "10s", LeaderHeartbeatCount: 10,
		CollectTimeout: "1s", IncomingMessageBufferSize: 200, RequestPoolSize: 100000, SyncOnStart: true,
	}
}
