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
			require.Error(t, admins.EvaluateSignedData([]*protoutil.SignedData{user1, admin2}), "a user is not an admin")
			require.NoError(t, endorsement.EvaluateSignedData([]*protoutil.SignedData{peer1, peer2}))
			require.Error(t, endorsement.EvaluateSignedData([]*protoutil.SignedData{admin1, peer2}), "an admin is not a peer")

			swapped := *peer1
			swapped.Signature = peer2.Signature
			require.Error(t, endorsement.EvaluateSignedData([]*protoutil.SignedData{&swapped, peer2}))
			other := *peer1
			other.Data = []byte("another config update")
			require.Error(t, endorsement.EvaluateSignedData([]*protoutil.SignedData{&other, peer2}))
		})
	}
}

// What an SM2 identity signs, openssl verifies with its certificate, and back.
func TestOpenSSLAndIdentitiesAgreeOnSignatures(t *testing.T) {
	needOpenSSL(t)
	cryptoDir, channel := sampleNetwork(t)
	mspDir := filepath.Join(cryptoDir, "peerOrganizations", "org1.example.com", "peers", "peer0.org1.example.com", "msp")
	signer := localSigner(t, "GM", mspDir, "Org1MSP")
	work := t.TempDir()
	message, signature, public := filepath.Join(work, "message"), filepath.Join(work, "signature"), filepath.Join(work, "public.pem")
	text := []byte("a proposal response")
	require.NoError(t, os.WriteFile(message, text, 0o600))
	cert := filepath.Join(mspDir, "signcerts", "peer0.org1.example.com-cert.pem")
	require.NoError(t, os.WriteFile(public, []byte(openssl(t, "x509", "-in", cert, "-noout", "-pubkey")), 0o600))
	sm2 := []string{"-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-in", message}

	ours, err := signer.Sign(text)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(signature, ours, 0o600))
	openssl(t, append([]string{"pkeyutl", "-verify", "-pubin", "-inkey", public, "-sigfile", signature}, sm2...)...)

	openssl(t, append([]string{"pkeyutl", "-sign", "-inkey", filepath.Join(mspDir, "keystore", "priv_sk"), "-out", signature}, sm2...)...)
	theirs, err := os.ReadFile(signature)
	require.NoError(t, err)
	serialized, err := signer.Serialize()
	require.NoError(t, err)
	identity, err := channel.MSPManager().DeserializeIdentity(serialized)
	require.NoError(t, err)
	require.NoError(t, identity.Verify(text, theirs))
	require.Error(t, identity.Verify(append(text, '.'), theirs))
}
