// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// channelGroup is the configuration of a channel without organisations.
func channelGroup(algorithm string, names ...string) *cb.ConfigGroup {
	group := protoutil.NewConfigGroup()
	wanted := map[string]bool{capabilities.ChannelV2_0: true}
	for _, name := range names {
		wanted[name] = true
	}
	for _, value := range []*StandardConfigValue{
		HashingAlgorithmOf(algorithm), BlockDataHashingStructureValue(), CapabilitiesValue(wanted),
	} {
		group.Values[value.Key()] = &cb.ConfigValue{Value: protoutil.MarshalOrPanic(value.Value())}
	}
	return group
}

func TestHashingAlgorithmNeedsItsCapability(t *testing.T) {
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	for name, test := range map[string]struct {
		group *cb.ConfigGroup
		want  string
	}{
		"stock":             {channelGroup(""), ""},
		"SM3 with GM_V2":    {channelGroup("SM3", capabilities.ChannelGMV2), ""},
		"SHA256 with GM_V2": {channelGroup("SHA256", capabilities.ChannelGMV2), ""},
		"SM3 alone":         {channelGroup("SM3"), "needs the channel's capability GM_V2"},
		"SM3 with GM_V1":    {channelGroup("SM3", capabilities.ChannelGMV1), "needs the channel's capability GM_V2"},
		"a misspelt name":   {channelGroup("sm3", capabilities.ChannelGMV2), "sm3"},
		"of a system channel": {func() *cb.ConfigGroup {
			g := channelGroup("SM3", capabilities.ChannelGMV2)
			g.Groups[ConsortiumsGroupKey] = protoutil.NewConfigGroup()
			return g
		}(), "a system channel cannot have HashingAlgorithm SM3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewChannelConfig(test.group, csp)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestHashingAlgorithmIsFixed(t *testing.T) {
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	bundle := func(algorithm string) *Bundle {
		config, err := NewChannelConfig(channelGroup(algorithm, capabilities.ChannelGMV2), csp)
		require.NoError(t, err)
		return &Bundle{channelConfig: config}
	}
	require.NoError(t, bundle("SM3").ValidateNew(bundle("SM3")))
	require.NoError(t, bundle("SHA256").ValidateNew(bundle("SHA3_256")), "upstream's business")
	for _, change := range [][2]string{{"SM3", "SHA256"}, {"SHA256", "SM3"}, {"SM3", "SHA3_256"}} {
		require.ErrorContains(t, bundle(change[0]).ValidateNew(bundle(change[1])),
			"attempted to change HashingAlgorithm from "+change[0]+" to "+change[1])
	}
}
