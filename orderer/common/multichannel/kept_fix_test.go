// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/core/config/configtest"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/orderer/common/cluster"
	"github.com/hyperledger/fabric/orderer/common/multichannel/mocks"
	"github.com/hyperledger/fabric/protoutil"
)

// importing counts the keys that are imported. Each bundle imports those of its organisations.
type importing struct {
	bccsp.BCCSP
	keys int
}

func (i *importing) KeyImport(raw any, opts bccsp.KeyImportOpts) (bccsp.Key, error) {
	i.keys++
	return i.BCCSP.KeyImport(raw, opts)
}

// batch are blocks of another orderer that nobody has to sign: two configurations, and three blocks behind each.
func batch(config *cb.Config) []*cb.Block {
	var blocks []*cb.Block
	for number := range uint64(8) {
		kind := cb.HeaderType_ENDORSER_TRANSACTION
		if number%4 == 0 {
			kind = cb.HeaderType_CONFIG
		}
		header := &cb.Header{ChannelHeader: protoutil.MarshalOrPanic(&cb.ChannelHeader{Type: int32(kind)})}
		payload := &cb.Payload{Header: header, Data: protoutil.MarshalOrPanic(&cb.ConfigEnvelope{Config: config})}
		var previous []byte
		if number > 0 {
			previous = protoutil.BlockHeaderHash(blocks[number-1].Header)
		}
		block := protoutil.NewBlock(7+number, previous)
		block.Data.Data = [][]byte{protoutil.MarshalOrPanic(&cb.Envelope{Payload: protoutil.MarshalOrPanic(payload), Signature: []byte{1}})}
		block.Header.DataHash = protoutil.ChannelDataHash(block.Header, block.Data)
		block.Metadata.Metadata[cb.BlockMetadataIndex_SIGNATURES] = protoutil.MarshalOrPanic(&cb.Metadata{
			Value: protoutil.MarshalOrPanic(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{Index: 7 + number/4*4}}),
		})
		blocks = append(blocks, block)
	}
	return blocks
}

// TestOneBundleForEachConfiguration: the blocks behind a configuration in a batch do not cost a bundle each.
func TestOneBundleForEachConfiguration(t *testing.T) {
	group, err := encoder.NewChannelGroup(genesisconfig.Load(genesisconfig.SampleDevModeSoloProfile, configtest.GetDevConfigDir()))
	require.NoError(t, err)
	everything := &cb.Policy{Type: int32(cb.Policy_SIGNATURE), Value: protoutil.MarshalOrPanic(policydsl.AcceptAllPolicy)}
	group.Groups[channelconfig.OrdererGroupKey].Policies["BlockValidation"].Policy = everything
	config := &cb.Config{ChannelGroup: group}
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	csp := &importing{BCCSP: provider}
	_, err = channelconfig.NewBundle("trade", config, csp)
	require.NoError(t, err)
	one := csp.keys
	require.NotZero(t, one)

	manager := &mocks.PolicyManager{}
	manager.GetPolicyReturns(&mocks.Policy{}, true)
	validator := &mocks.ConfigTXValidator{}
	validator.ChannelIDReturns("trade")
	resources := &mocks.Resources{}
	resources.ConfigtxValidatorReturns(validator)
	resources.PolicyManagerReturns(manager)
	for name, verifier := range map[string]cluster.BlockVerifier{
		"follower": &cluster.BlockValidationPolicyVerifier{Logger: flogging.MustGetLogger("test"), Channel: "trade", PolicyMgr: manager, BCCSP: csp},
		"consenter": &ChainSupport{ledgerResources: &ledgerResources{configResources: &configResources{
			mutableResources: &mutableResourcesMock{Resources: resources}, bccsp: csp,
		}}},
	} {
		csp.keys = 0
		require.NoError(t, cluster.VerifyBlocks(batch(config), verifier), name)
		require.Equal(t, 2*one, csp.keys, "%s: as for two bundles", name)
	}
}
