// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	mspprotos "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/protoutil"
)

// TestVerdictDependsOnNoKey: nodes with and without the key of an identity that an MSP of a channel has to sign with take the MSP alike, and
// for ever.
func TestVerdictDependsOnNoKey(t *testing.T) {
	store, err := sw.NewFileBasedKeyStore(nil, t.TempDir(), false)
	require.NoError(t, err)
	withKey, err := sw.NewDefaultSecurityLevelWithKeystore(store)
	require.NoError(t, err)
	without, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	ca := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca")
	owned := ca.Issue(t, pkix.Name{CommonName: "node"})
	der, err := x509.MarshalPKCS8PrivateKey(owned.Key)
	require.NoError(t, err)
	_, err = withKey.KeyImport(der, &bccsp.ECDSAPrivateKeyImportOpts{})
	require.NoError(t, err)
	end := time.Now().Add(time.Second)
	expired := ca.NewPairUntil(t, end, "localhost")
	time.Sleep(time.Until(end))
	config := func(identity *mspprotos.SigningIdentityInfo) *mspprotos.MSPConfig {
		return &mspprotos.MSPConfig{Config: protoutil.MarshalOrPanic(&mspprotos.FabricMSPConfig{
			Name: "Org", RootCerts: [][]byte{ca.CertPEM}, SigningIdentity: identity, FabricNodeOus: &mspprotos.FabricNodeOUs{
				Enable: true, AdminOuIdentifier: &mspprotos.FabricOUIdentifier{OrganizationalUnitIdentifier: "admin"},
			},
		})}
	}
	for name, identity := range map[string]*mspprotos.SigningIdentityInfo{
		"of one node": {PublicSigner: owned.CertPEM},
		"expired":     {PublicSigner: expired.SignCert, PrivateSigner: &mspprotos.KeyInfo{KeyMaterial: expired.SignKey}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, node := range []bccsp.BCCSP{withKey, without} {
				handler := NewMSPConfigHandler(msp.MSPv1_4_3, node)
				proposed, err := handler.ProposeMSP(config(identity))
				require.NoError(t, err)
				_, err = proposed.GetDefaultSigningIdentity()
				require.Error(t, err, "the MSP only verifies")
				_, err = handler.ProposeMSP(config(identity))
				require.NoError(t, err, "the same organisation in another group")
				_, err = handler.ProposeMSP(config(nil))
				require.Error(t, err, "as in stock Fabric, both groups have the same bytes")
				manager, err := handler.CreateMSPManager()
				require.NoError(t, err)
				msps, err := manager.GetMSPs()
				require.NoError(t, err)
				require.Contains(t, msps, "Org")

				handler = NewMSPConfigHandler(msp.MSPv1_4_3, node)
				_, err = handler.ProposeMSP(config(nil))
				require.NoError(t, err)
				_, err = handler.ProposeMSP(config(identity))
				require.ErrorContains(t, err, "two different MSPs Org")
			}
		})
	}
}

// TestIdemixSignerIsLeftOut: like an identity of the other kind of MSP.
func TestIdemixSignerIsLeftOut(t *testing.T) {
	config := &mspprotos.IdemixMSPConfig{Name: "Anonymous", Ipk: []byte("key"), Signer: &mspprotos.IdemixMSPSignerConfig{Cred: []byte("mine")}}
	encode := func() *mspprotos.MSPConfig {
		return &mspprotos.MSPConfig{Type: int32(msp.IDEMIX), Config: protoutil.MarshalOrPanic(config)}
	}
	verifying, signs := msp.Verifying(encode())
	require.True(t, signs)
	config.Signer = nil
	require.True(t, proto.Equal(encode(), verifying))
	_, signs = msp.Verifying(encode())
	require.False(t, signs)
	_, signs = msp.Verifying(&mspprotos.MSPConfig{Type: 7, Config: encode().Config})
	require.False(t, signs)
}
