// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"slices"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/smartbft"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	msgprocessormocks "github.com/hyperledger/fabric/orderer/common/msgprocessor/mocks"
	"github.com/hyperledger/fabric/orderer/common/multichannel/mocks"
	"github.com/hyperledger/fabric/protoutil"
)

// proposing is an orderer's support of a channel whose next update makes the configuration.
func proposing(t *testing.T, config *cb.ConfigEnvelope) *ChainSupport {
	t.Helper()
	validator, resources := &mocks.ConfigTXValidator{}, &mocks.Resources{}
	validator.ChannelIDReturns("mychannel")
	validator.ProposeConfigUpdateReturns(config, nil)
	resources.ConfigtxValidatorReturns(validator)
	resources.OrdererConfigReturns(&mocks.OrdererConfig{}, true)
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	return &ChainSupport{
		ledgerResources:   &ledgerResources{configResources: &configResources{mutableResources: &mutableResourcesMock{Resources: resources}, bccsp: csp}},
		MetadataValidator: &msgprocessormocks.MetadataValidator{},
		BCCSP:             csp,
	}
}

// No orderer proposes, and none of SmartBFT agrees to, an update after which the channel's peers refuse the blocks of a consenter: not one
// that names the consenter, not one that turns the capability on, and not one by which the channel leaves Raft.
func TestUpdateWithConsentersThatPeersRefuse(t *testing.T) {
	exact := gmtlstest.NewCA(t).NewPair(t, "localhost").SignCert
	dressed := slices.Concat([]byte("orderer\n"), exact)
	pair := gmtlstest.NewCA(t).NewPair(t, "localhost").SignCert
	propose := func(consensus string, identity []byte, names ...string) error {
		config, set := testConfigEnvelope(t), map[string]bool{}
		for _, name := range names {
			set[name] = true
		}
		root := config.Config.ChannelGroup
		put := func(group *cb.ConfigGroup, value *channelconfig.StandardConfigValue) {
			group.Values[value.Key()] = &cb.ConfigValue{Value: protoutil.MarshalOrPanic(value.Value())}
		}
		put(root, channelconfig.CapabilitiesValue(set))
		put(root.Groups[channelconfig.OrdererGroupKey], channelconfig.ConsensusTypeValue(consensus, protoutil.MarshalOrPanic(smartBFTOptions())))
		put(root.Groups[channelconfig.OrdererGroupKey], channelconfig.OrderersValue([]*cb.Consenter{
			{Id: 7, Host: "orderer", Port: 7050, MspId: "SampleOrg", Identity: identity, ClientTlsCert: pair, ServerTlsCert: pair},
		}))
		_, err := proposing(t, config).ProposeConfigUpdate(&cb.Envelope{})
		return err
	}
	require.NoError(t, propose("BFT", dressed, capabilities.ChannelV2_0))
	require.NoError(t, propose("BFT", exact, capabilities.ChannelV2_0, capabilities.ChannelGMV1))
	require.NoError(t, propose("etcdraft", dressed, capabilities.ChannelV2_0, capabilities.ChannelGMV1))
	require.ErrorContains(t, propose("BFT", dressed, capabilities.ChannelV2_0, capabilities.ChannelGMV1),
		"config update is not compatible: consenter 7 (orderer:7050): its identity has another form")
	require.ErrorContains(t, propose("BFT", exact, capabilities.ChannelV2_0, "V9"), "unsupported channel capabilities", "upstream's check remains")
}

func smartBFTOptions() *smartbft.Options {
	return &smartbft.Options{
		RequestBatchMaxInterval: "500ms", RequestForwardTimeout: "2s", RequestComplainTimeout: "10s", RequestAutoRemoveTimeout: "3m",
		ViewChangeResendInterval: "2s", ViewChangeTimeout: "20s", LeaderHeartbeatTimeout: "10s", LeaderHeartbeatCount: 10,
		CollectTimeout: "1s", IncomingMessageBufferSize: 200, RequestPoolSize: 100000, SyncOnStart: true,
	}
}

// No orderer proposes an update of SmartBFT after which each consenter would end. With the same configuration, a channel goes on.
func TestUpdateThatEndsConsenters(t *testing.T) {
	pair := gmtlstest.NewCA(t).NewPair(t, "localhost").SignCert
	propose := func(edit func(*smartbft.Options, *cb.Consenter)) error {
		config, options := testConfigEnvelope(t), smartBFTOptions()
		all := []*cb.Consenter{}
		for id := uint32(1); id <= 4; id++ {
			all = append(all, &cb.Consenter{Id: id, Host: "orderer", Port: 7050, MspId: "SampleOrg", Identity: pair, ClientTlsCert: pair, ServerTlsCert: pair})
		}
		edit(options, all[3])
		group := config.Config.ChannelGroup.Groups[channelconfig.OrdererGroupKey]
		for _, value := range []*channelconfig.StandardConfigValue{
			channelconfig.ConsensusTypeValue("BFT", protoutil.MarshalOrPanic(options)), channelconfig.OrderersValue(all),
		} {
			group.Values[value.Key()] = &cb.ConfigValue{Value: protoutil.MarshalOrPanic(value.Value())}
		}
		_, err := proposing(t, config).ProposeConfigUpdate(&cb.Envelope{})
		return err
	}
	require.NoError(t, propose(func(*smartbft.Options, *cb.Consenter) {}))
	for want, edit := range map[string]func(*smartbft.Options, *cb.Consenter){
		"RequestMaxBytes is bigger than RequestBatchMaxBytes": func(o *smartbft.Options, _ *cb.Consenter) { o.RequestMaxBytes = 1 << 40 },
		"RequestPoolSize should be greater than zero":         func(o *smartbft.Options, _ *cb.Consenter) { o.RequestPoolSize = 0 },
		"its id must not be 0":                                func(_ *smartbft.Options, c *cb.Consenter) { c.Id = 1 },
		`the channel has no MSP "Other"`:                      func(_ *smartbft.Options, c *cb.Consenter) { c.MspId = "Other" },
	} {
		require.ErrorContains(t, propose(edit), want)
	}
}

// What was ordered before is not judged again: an orderer starts with it, and goes on from its block.
func TestOrderedConsentersAreNotJudgedAgain(t *testing.T) {
	resources, channel, supported, orderers := &mocks.Resources{}, &mocks.ChannelConfig{}, &mocks.ChannelCapabilities{}, &mocks.OrdererConfig{}
	orderers.CapabilitiesReturns(&mocks.OrdererCapabilities{})
	orderers.ConsensusTypeReturns("BFT")
	orderers.ConsentersReturns([]*cb.Consenter{{Identity: []byte("dressed")}})
	supported.MSPVersionReturns(capabilities.NewChannelProvider(map[string]*cb.Capability{capabilities.ChannelGMV1: {}}).MSPVersion())
	channel.CapabilitiesReturns(supported)
	resources.ChannelConfigReturns(channel)
	resources.OrdererConfigReturns(orderers, true)
	resources.PolicyManagerReturns(&mocks.PolicyManager{})
	require.NoError(t, checkResources(resources))
	cs := &ChainSupport{ledgerResources: &ledgerResources{configResources: &configResources{mutableResources: &mutableResourcesMock{Resources: resources}}}}
	require.Error(t, cs.checkUpdate(resources))
}
