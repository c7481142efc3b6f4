// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/bccsp/utils"
	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/gmx509test"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/stretchr/testify/require"
)

// signer is a peer of an organisation, and the organisation's MSP.
type signer struct {
	key  crypto.Signer
	cert *gmx509.Certificate
	msp  *mspproto.MSPConfig
}

func newSigner(t *testing.T, sm bool) *signer {
	t.Helper()
	newKey := func() crypto.Signer {
		if sm {
			key, err := sm2.GenerateKey(rand.Reader)
			require.NoError(t, err)
			return key
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		return key
	}
	certificate := func(template, parent *gmx509.Certificate, key, issuer crypto.Signer) *gmx509.Certificate {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := gmx509.CreateCertificate(rand.Reader, template, parent, key.Public(), issuer)
		require.NoError(t, err)
		cert, err := gmx509.ParseCertificate(der)
		require.NoError(t, err)
		return cert
	}
	caKey, key := newKey(), newKey()
	ca := &gmx509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, SubjectKeyId: []byte("ca"),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: gmx509.KeyUsageCertSign,
	}
	ca = certificate(ca, ca, caKey, caKey)
	template := &gmx509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "peer", OrganizationalUnit: []string{"peer"}}, KeyUsage: gmx509.KeyUsageDigitalSignature,
	}
	peer := certificate(template, ca, key, caKey)
	for !sm && !isLowS(t, ca, peer) {
		peer = certificate(template, ca, key, caKey)
	}
	unit := func(name string) *mspproto.FabricOUIdentifier {
		return &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: name}
	}
	conf := protoutil.MarshalOrPanic(&mspproto.FabricMSPConfig{
		Name:      "Org",
		RootCerts: [][]byte{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})},
		FabricNodeOus: &mspproto.FabricNodeOUs{
			Enable: true, ClientOuIdentifier: unit("client"), PeerOuIdentifier: unit("peer"),
			AdminOuIdentifier: unit("admin"), OrdererOuIdentifier: unit("orderer"),
		},
	})
	return &signer{key, peer, &mspproto.MSPConfig{Config: conf}}
}

// isLowS reports whether upstream takes the certificate as it is; it rewrites others, and with one form less.
func isLowS(t *testing.T, ca, cert *gmx509.Certificate) bool {
	t.Helper()
	low, err := utils.SignatureToLowS(ca.PublicKey.(*ecdsa.PublicKey), cert.Signature)
	require.NoError(t, err)
	return bytes.Equal(low, cert.Signature)
}

func (s *signer) sign(t *testing.T, message []byte) []byte {
	t.Helper()
	if key, ok := s.key.(*sm2.PrivateKey); ok {
		sig, err := key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts)
		require.NoError(t, err)
		return sig
	}
	digest := sha256.Sum256(message)
	sig, err := s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	require.NoError(t, err)
	sig, err = utils.SignatureToLowS(s.key.Public().(*ecdsa.PublicKey), sig)
	require.NoError(t, err)
	return sig
}

// channel is a configuration with one application organisation, the signer's.
func (s *signer) channel(t *testing.T, names ...string) *cb.Config {
	t.Helper()
	value := func(m proto.Message) *cb.ConfigValue { return &cb.ConfigValue{Value: protoutil.MarshalOrPanic(m)} }
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	org := protoutil.NewConfigGroup()
	org.Values[MSPKey] = value(s.msp)
	application := protoutil.NewConfigGroup()
	application.Groups["Org"] = org
	group := protoutil.NewConfigGroup()
	group.Groups[ApplicationGroupKey] = application
	for _, v := range []*StandardConfigValue{HashingAlgorithmValue(), BlockDataHashingStructureValue(), CapabilitiesValue(set), OrdererAddressesValue([]string{"127.0.0.1:7050"})} {
		group.Values[v.Key()] = value(v.Value())
	}
	return &cb.Config{ChannelGroup: group}
}

// One key meets OutOf(3, peer, peer, peer) by three forms of its certificate, with SM2 as with ECDSA, in stock Fabric as in version
// 0.1.0, and no longer once the channel has the capability.
func TestOneKeyIsOneSignerWithTheCapability(t *testing.T) {
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	envelope, err := policydsl.FromString("OutOf(3, 'Org.peer', 'Org.peer', 'Org.peer')")
	require.NoError(t, err)
	for family, sm := range map[string]bool{"sm2": true, "ecdsa": false} {
		t.Run(family, func(t *testing.T) {
			s := newSigner(t, sm)
			message := []byte("outcome")
			signed := func(identity []byte) *protoutil.SignedData {
				return &protoutil.SignedData{Data: message, Identity: identity, Signature: s.sign(t, message)}
			}
			forms := gmx509test.Identities("Org", s.cert.Raw)
			exact := signed(gmx509test.Identity("Org", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})))
			three := []*protoutil.SignedData{exact, signed(forms["DER: NULL behind"]), signed(forms["DER: octets behind"])}
			for _, c := range []struct {
				capabilities []string
				met          bool
			}{{[]string{"V2_0"}, true}, {[]string{"V2_0", capabilities.ChannelGMV1}, false}, {[]string{capabilities.ChannelGMV1, "V1_4_3"}, false}} {
				bundle, err := NewBundle("channel", s.channel(t, c.capabilities...), provider)
				require.NoError(t, err)
				require.NoError(t, bundle.ChannelConfig().Capabilities().Supported())
				policies := cauthdsl.NewPolicyProvider(bundle.MSPManager())
				policy := func(text string) error {
					envelope, err := policydsl.FromString(text)
					require.NoError(t, err)
					p, _, err := policies.NewPolicy(protoutil.MarshalOrPanic(envelope))
					require.NoError(t, err)
					return p.EvaluateSignedData(three)
				}
				p, _, err := policies.NewPolicy(protoutil.MarshalOrPanic(envelope))
				require.NoError(t, err)
				require.Equal(t, c.met, p.EvaluateSignedData(three) == nil, "%v", c.capabilities)
				require.NoError(t, policy("OutOf(1, 'Org.peer')"), "the exact form counts")
				require.Error(t, p.EvaluateSignedData([]*protoutil.SignedData{exact, exact, exact}))
			}
		})
	}
}

// A node without this version refuses the channel in upstream's words.
func TestCapabilityIsRefusedByNodesThatDoNotKnowIt(t *testing.T) {
	require.NoError(t, capabilities.NewChannelProvider(map[string]*cb.Capability{capabilities.ChannelGMV1: {}}).Supported())
	require.EqualError(t, capabilities.NewChannelProvider(map[string]*cb.Capability{"GM_V3": {}}).Supported(),
		"Channel capability GM_V3 is required but not supported")
	require.Error(t, capabilities.NewApplicationProvider(map[string]*cb.Capability{capabilities.ChannelGMV1: {}}).Supported())
	require.Error(t, capabilities.NewOrdererProvider(map[string]*cb.Capability{capabilities.ChannelGMV1: {}}).Supported())
}
