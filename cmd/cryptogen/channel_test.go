// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

const sampleConfig = "../../sampleconfig"

// sampleNetwork runs cryptogen on the sample configuration and loads the
// channel that configtxgen makes of the sample profile, as a node would.
func sampleNetwork(t *testing.T) (cryptoDir string, channel *channelconfig.Bundle) {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(sampleConfig, "crypto-config.yaml"))
	require.NoError(t, err)
	dir := t.TempDir()
	cryptoDir = filepath.Join(dir, "crypto-config")
	run(t, generate, string(config), "", cryptoDir)

	profiles, err := os.ReadFile(filepath.Join(sampleConfig, "configtx.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "configtx.yaml"), profiles, 0o600))
	profile := genesisconfig.Load("SampleMixedChannel", dir)
	block := encoder.New(profile).GenesisBlockForChannel("mixed")
	require.NotNil(t, block)

	// The provider that orderers and tools hold before they read a configuration.
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	envelope, err := protoutil.ExtractEnvelope(block, 0)
	require.NoError(t, err)
	channel, err = channelconfig.NewBundleFromEnvelope(envelope, provider)
	require.NoError(t, err)
	return cryptoDir, channel
}

// localSigner loads an MSP folder that cryptogen wrote, through the provider
// that a node with BCCSP.Default provider would have.
func localSigner(t *testing.T, providerName, dir, mspID string) msp.SigningIdentity {
	t.Helper()
	opts := msp.SetupBCCSPKeystoreConfig(&factory.FactoryOpts{
		Default: providerName, SW: &factory.SwOpts{Security: 256, Hash: bccsp.SHA2},
	}, filepath.Join(dir, "keystore"))
	provider, err := factory.GetBCCSPFromOpts(opts)
	require.NoError(t, err)
	config, err := msp.GetLocalMspConfig(dir, opts, mspID)
	require.NoError(t, err)
	local, err := msp.New(&msp.BCCSPNewOpts{NewBaseOpts: msp.NewBaseOpts{Version: msp.MSPv1_4_3}}, provider)
	require.NoError(t, err)
	require.NoError(t, local.Setup(config))
	signer, err := local.GetDefaultSigningIdentity()
	require.NoError(t, err)
	return signer
}

// Members of SM2 and ECDSA organizations satisfy the policies of one channel,
// and their signatures count for nobody else.
func TestSampleChannelOfBothFamilies(t *testing.T) {
	cryptoDir, channel := sampleNetwork(t)
	admins, ok := channel.PolicyManager().GetPolicy(policies.ChannelApplicationAdmins)
	require.True(t, ok)
	endorsement, ok := channel.PolicyManager().GetPolicy("/Channel/Application/Endorsement")
	require.True(t, ok)

	for _, providerName := range []string{"SW", "GM"} {
		t.Run(providerName, func(t *testing.T) {
			member := func(folder, org, mspID string) *protoutil.SignedData {
				signer := localSigner(t, providerName, filepath.Join(cryptoDir, "peerOrganizations", org, folder, "msp"), mspID)
				message := []byte("a config update")
				signature, err := signer.Sign(message)
				require.NoError(t, err)
				identity, err := signer.Serialize()
				require.NoError(t, err)
				return &protoutil.SignedData{Data: message, Identity: identity, Signature: signature}
			}
			admin1 := member("users/Admin@org1.example.com", "org1.example.com", "Org1MSP")
			admin2 := member("users/Admin@org2.example.com", "org2.example.com", "Org2MSP")
			peer1 := member("peers/peer0.org1.example.com", "org1.example.com", "Org1MSP")
			peer2 := member("peers/peer0.org2.example.com", "org2.example.com", "Org2MSP")
			user1 := member("users/User1@org1.example.com", "org1.example.com", "Org1MSP")

			require.NoError(t, admins.EvaluateSignedData([]*protoutil.SignedData{admin1, admin2}))
			require.Error(t, admins.EvaluateSignedData([]*protoutil.SignedData{admin1, admin1}))
			require.Error(t, admins.EvaluateSignedData([]*protoutil.SignedData{user1, admin2}), "a user is no admin")
			require.NoError(t, endorsement.EvaluateSignedData([]*protoutil.SignedData{peer1, peer2}))
			require.Error(t, endorsement.EvaluateSignedData([]*protoutil.SignedData{admin1, peer2}), "an admin is no peer")

			swapped := *peer1
			swapped.Signature = peer2.Signature
			require.Error(t, endorsement.EvaluateSignedData([]*protoutil.SignedData{&swapped, peer2}))
			other := *peer1
			other.Data = []byte("another config update")
			require.Error(t, endorsement.EvaluateSignedData([]*protoutil.SignedData{&other, peer2}))
		})
	}
}
