// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspprotos "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/common/util"
	"github.com/hyperledger/fabric/core/config/configtest"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/internal/configtxlator/update"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/orderer/common/blockcutter"
	"github.com/hyperledger/fabric/orderer/common/localconfig"
	"github.com/hyperledger/fabric/orderer/common/multichannel/mocks"
	"github.com/hyperledger/fabric/orderer/consensus"
	"github.com/hyperledger/fabric/protoutil"
)

const signingChannel = "trade"

// owned is a channel of one organisation at an orderer that has none of the organisation's keys.
type owned struct {
	*ChainSupport
	owner msp.SigningIdentity
	local *mspprotos.FabricMSPConfig // of the organisation, with the identity that it signs with
}

func newOwned(t *testing.T) *owned {
	t.Helper()
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	config, err := msp.GetLocalMspConfig(configtest.GetDevMspDir(), nil, "SampleOrg")
	require.NoError(t, err)
	o := &owned{local: &mspprotos.FabricMSPConfig{}}
	require.NoError(t, proto.Unmarshal(config.Config, o.local))
	key, err := os.ReadFile(filepath.Join(configtest.GetDevMspDir(), "keystore", "key.pem"))
	require.NoError(t, err)
	o.local.SigningIdentity.PrivateSigner = &mspprotos.KeyInfo{KeyMaterial: key}
	config.Config = protoutil.MarshalOrPanic(o.local)
	local, err := msp.New(&msp.BCCSPNewOpts{NewBaseOpts: msp.NewBaseOpts{Version: msp.MSPv1_0}}, csp)
	require.NoError(t, err)
	require.NoError(t, local.Setup(config))
	o.owner, err = local.GetDefaultSigningIdentity()
	require.NoError(t, err)

	profile := genesisconfig.Load(genesisconfig.SampleDevModeSoloProfile, configtest.GetDevConfigDir())
	profile.Orderer.Organizations[0].OrdererEndpoints = []string{"127.0.0.1:7050"}
	factory, ledger := newLedgerAndFactory(t.TempDir(), signingChannel, encoder.New(profile).GenesisBlockForChannel(signingChannel))
	registrar := NewRegistrar(localconfig.TopLevel{}, factory, o.owner, &disabled.Provider{}, csp, nil)
	resources, err := registrar.newLedgerResources(configTx(ledger))
	require.NoError(t, err)
	consenter := &mocks.Consenter{}
	consenter.HandleChainCalls(handleChain)
	o.ChainSupport, err = newChainSupport(registrar, resources, map[string]consensus.Consenter{profile.Orderer.OrdererType: consenter},
		o.owner, blockcutter.NewMetrics(&disabled.Provider{}), csp)
	require.NoError(t, err)
	return o
}

// change is the organisation's update of the channel to what edit makes of its configuration, and that configuration.
func (o *owned) change(t *testing.T, edit func(*cb.ConfigGroup)) (*cb.Envelope, *cb.Config) {
	t.Helper()
	was := o.ConfigProto()
	is := proto.Clone(was).(*cb.Config)
	edit(is.ChannelGroup)
	computed, err := update.Compute(was, is)
	require.NoError(t, err)
	computed.ChannelId = signingChannel
	encoded := protoutil.MarshalOrPanic(computed)
	header, err := protoutil.NewSignatureHeader(o.owner)
	require.NoError(t, err)
	signature := &cb.ConfigSignature{SignatureHeader: protoutil.MarshalOrPanic(header)}
	signature.Signature, err = o.owner.Sign(util.ConcatenateBytes(signature.SignatureHeader, encoded))
	require.NoError(t, err)
	envelope, err := protoutil.CreateSignedEnvelope(cb.HeaderType_CONFIG_UPDATE, signingChannel, o.owner,
		&cb.ConfigUpdateEnvelope{ConfigUpdate: encoded, Signatures: []*cb.ConfigSignature{signature}}, msgVersion, epoch)
	require.NoError(t, err)
	return envelope, is
}

// ordered is the envelope that an orderer makes of an update which it accepts.
func (o *owned) ordered(t *testing.T, envelope *cb.Envelope, config *cb.Config) *cb.Envelope {
	t.Helper()
	config.Sequence++
	made, err := protoutil.CreateSignedEnvelope(cb.HeaderType_CONFIG, signingChannel, o.owner, &cb.ConfigEnvelope{Config: config, LastUpdate: envelope}, msgVersion, epoch)
	require.NoError(t, err)
	return made
}

// setMSP gives all groups of the organisation its MSP with this identity to sign with.
func (o *owned) setMSP(identity *mspprotos.SigningIdentityInfo) func(*cb.ConfigGroup) {
	local := proto.Clone(o.local).(*mspprotos.FabricMSPConfig)
	local.SigningIdentity = identity
	value := protoutil.MarshalOrPanic(&mspprotos.MSPConfig{Config: protoutil.MarshalOrPanic(local)})
	var set func(*cb.ConfigGroup)
	set = func(group *cb.ConfigGroup) {
		if was := group.Values[channelconfig.MSPKey]; was != nil {
			was.Value, was.Version = value, was.Version+1
		}
		for _, below := range group.Groups {
			set(below)
		}
	}
	return set
}

func moreMessages(root *cb.ConfigGroup) {
	size := channelconfig.BatchSizeValue(77, 1<<20, 1<<19)
	root.Groups[channelconfig.OrdererGroupKey].Values[size.Key()].Value = protoutil.MarshalOrPanic(size.Value())
}

// TestSigningIdentityIsNotOrdered: an organisation cannot put an identity to sign with into its MSP. What an orderer thinks of one
// depends on its keys and clock, so one that has the key, or for which the certificate has not expired yet, would order what ends others.
func TestSigningIdentityIsNotOrdered(t *testing.T) {
	o := newOwned(t)
	withKey := o.local.SigningIdentity
	for name, identity := range map[string]*mspprotos.SigningIdentityInfo{
		"key inside": withKey, "key of another": {PublicSigner: withKey.PublicSigner}, "empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			envelope, config := o.change(t, o.setMSP(identity))
			_, _, err := o.ProcessConfigUpdateMsg(envelope) // of a client
			require.ErrorContains(t, err, "has an identity to sign with")
			require.ErrorContains(t, err, "/SampleOrg")
			_, _, err = o.ProcessConfigMsg(o.ordered(t, envelope, config)) // of another orderer
			require.ErrorContains(t, err, "has an identity to sign with")
		})
	}
	envelope, _ := o.change(t, moreMessages)
	_, _, err := o.ProcessConfigUpdateMsg(envelope)
	require.NoError(t, err)
}

// TestSigningIdentityThatWasOrdered: a block with one, of orderers that do not refuse it, ends no orderer, whatever keys it has. The
// channel can be changed, and the identity be removed.
func TestSigningIdentityThatWasOrdered(t *testing.T) {
	o := newOwned(t)
	envelope, config := o.change(t, o.setMSP(&mspprotos.SigningIdentityInfo{PublicSigner: o.local.SigningIdentity.PublicSigner}))
	block := o.CreateNextBlock([]*cb.Envelope{o.ordered(t, envelope, config)})
	require.NotPanics(t, func() { o.WriteConfigBlock(block, nil) })
	require.Equal(t, uint64(1), o.Sequence())

	for name, edit := range map[string]func(*cb.ConfigGroup){"another change": moreMessages, "removal": o.setMSP(nil)} {
		envelope, _ := o.change(t, edit)
		_, _, err := o.ProcessConfigUpdateMsg(envelope)
		require.NoError(t, err, name)
	}
}

// TestConfigurationWithoutUpdate: another orderer forwards one that was made of nothing.
func TestConfigurationWithoutUpdate(t *testing.T) {
	o := newOwned(t)
	_, _, err := o.ProcessConfigMsg(o.ordered(t, nil, proto.Clone(o.ConfigProto()).(*cb.Config)))
	require.ErrorContains(t, err, "empty")
}
