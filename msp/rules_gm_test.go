// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/bccsp/utils"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/gmx509test"
	"github.com/stretchr/testify/require"
)

// Versions by who asks for an MSP.
var (
	ofNode         MSPVersion = MSPv1_4_3
	ofOldChannel              = ofNode.OfChannel()
	withCapability            = ofNode.WithCapability().OfChannel()
)

// setupAs makes an MSP through New, as nodes and channels do.
func setupAs(t *testing.T, version MSPVersion, conf *m.FabricMSPConfig) (MSP, error) {
	t.Helper()
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	made, err := New(&BCCSPNewOpts{NewBaseOpts{Version: version}}, provider)
	require.NoError(t, err)
	require.Equal(t, ofNode, made.GetVersion(), "upstream's version is not touched")
	conf.Name, conf.FabricNodeOus = "TestMSP", nodeOUs(credential{})
	raw, err := proto.Marshal(conf)
	require.NoError(t, err)
	return made, made.Setup(&m.MSPConfig{Config: raw, Type: int32(FABRIC)})
}

// An identity has one form where the rules demand it: in a channel with the capability for both families, in the MSP of a node
// itself for SM2. In a channel without it verdicts are those of version 0.1.0 and of stock Fabric.
func TestIdentitiesHaveOneForm(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		peer := root.issue(t, f, template(t, "peer", "peer"))
		for !f.sm2 && !isLowS(t, root, peer) {
			peer = root.issue(t, f, template(t, "peer", "peer"))
		}
		exact := gmx509test.Identity("TestMSP", peer.pem())
		for name, c := range map[string]struct {
			version MSPVersion
			strict  bool
		}{
			"node": {ofNode, f.sm2}, "channel before": {ofOldChannel, false}, "channel with capability": {withCapability, true},
		} {
			t.Run(name, func(t *testing.T) {
				made, err := setupAs(t, c.version, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}})
				require.NoError(t, err)
				manager := NewMSPManager()
				require.NoError(t, manager.Setup([]MSP{made}))
				own, err := made.DeserializeIdentity(exact)
				require.NoError(t, err)
				require.NoError(t, own.Validate())
				written, err := own.Serialize()
				require.NoError(t, err)
				require.Equal(t, exact, written, "the exact form is the one that nodes write")

				others := map[string]bool{}
				for form, serialized := range gmx509test.Identities("TestMSP", peer.cert.Raw) {
					for who, deserialize := range map[string]func([]byte) (Identity, error){"MSP": made.DeserializeIdentity, "manager": manager.DeserializeIdentity} {
						id, err := deserialize(serialized)
						if c.strict {
							require.Error(t, err, "%s, %s", form, who)
							continue
						}
						if err != nil || id.Validate() != nil {
							continue // some forms nobody takes
						}
						others[id.GetIdentifier().Id] = true
					}
				}
				if !c.strict {
					require.Greater(t, len(others), 3, "one key, many signers: the hole that the capability closes")
				}
			})
		}
	})
}

// isLowS reports whether upstream takes the certificate as it is; it rewrites others.
func isLowS(t *testing.T, ca, c credential) bool {
	t.Helper()
	low, err := utils.SignatureToLowS(ca.cert.PublicKey.(*ecdsa.PublicKey), c.cert.Signature)
	require.NoError(t, err)
	return bytes.Equal(low, c.cert.Signature)
}

// Either of s and n-s of an ECDSA certificate is taken, and both are one identity, as upstream brings it into one.
func TestBothHalvesOfAnECDSASignatureAreOneIdentity(t *testing.T) {
	root := newRoot(t, familyECDSA, "root")
	peer := root.issue(t, familyECDSA, template(t, "peer", "peer"))
	made, err := setupAs(t, withCapability, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}})
	require.NoError(t, err)
	var pair struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(peer.cert.Signature, &pair)
	require.NoError(t, err)
	pair.S.Sub(root.cert.PublicKey.(*ecdsa.PublicKey).Params().N, pair.S)
	other, err := asn1.Marshal(pair)
	require.NoError(t, err)
	changed, err := certFromX509Cert(peer.cert)
	require.NoError(t, err)
	changed.Raw, changed.SignatureValue = nil, asn1.BitString{Bytes: other, BitLength: 8 * len(other)}
	der, err := asn1.Marshal(changed)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)

	first, err := made.DeserializeIdentity(gmx509test.Identity("TestMSP", peer.pem()))
	require.NoError(t, err)
	second, err := made.DeserializeIdentity(gmx509test.Identity("TestMSP", credential{cert: cert}.pem()))
	require.NoError(t, err)
	require.NoError(t, second.Validate())
	require.Equal(t, first.GetIdentifier(), second.GetIdentifier())
}

// Gossip keeps each form of an identity as a separate peer, so it accepts only one form, in both families and whatever the channel.
func TestGossipTakesOneForm(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		peer := root.issue(t, f, template(t, "peer", "peer"))
		made, err := setupAs(t, ofOldChannel, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}})
		require.NoError(t, err)
		require.NoError(t, made.IsWellFormed(&m.SerializedIdentity{Mspid: "TestMSP", IdBytes: peer.pem()}))
		for name, form := range gmx509test.PEM(peer.cert.Raw) {
			require.Error(t, made.IsWellFormed(&m.SerializedIdentity{Mspid: "TestMSP", IdBytes: form}), name)
		}
		for name, form := range gmx509test.DER(peer.cert.Raw) {
			text := credential{cert: &x509.Certificate{Raw: form}}.pem()
			require.Error(t, made.IsWellFormed(&m.SerializedIdentity{Mspid: "TestMSP", IdBytes: text}), name)
		}
		bare := pem.EncodeToMemory(&pem.Block{Bytes: peer.cert.Raw})
		require.NoError(t, made.IsWellFormed(&m.SerializedIdentity{Mspid: "TestMSP", IdBytes: bare}), "as upstream")
		require.Error(t, made.IsWellFormed(&m.SerializedIdentity{Mspid: "TestMSP", IdBytes: append([]byte("x\n"), bare...)}))
	})
}

// A policy may name a certificate in a form that its author found in a file.
func TestPrincipalsOfAnyForm(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		peer, other := root.issue(t, f, template(t, "peer", "peer")), root.issue(t, f, template(t, "other", "peer"))
		made, err := setupAs(t, withCapability, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}})
		require.NoError(t, err)
		id, err := made.DeserializeIdentity(gmx509test.Identity("TestMSP", peer.pem()))
		require.NoError(t, err)
		principal := func(c credential) *m.MSPPrincipal {
			text := append([]byte("subject=peer\r\n"), c.pem()...)
			return &m.MSPPrincipal{PrincipalClassification: m.MSPPrincipal_IDENTITY, Principal: gmx509test.Identity("TestMSP", text)}
		}
		require.NoError(t, id.SatisfiesPrincipal(principal(peer)))
		require.Error(t, id.SatisfiesPrincipal(principal(other)))
	})
}

// What stock nodes accept or refuse of an MSP without SM2 is accepted or refused in a channel that they may share.
func TestMSPsWithoutSM2AreJudgedAsStockJudgesThem(t *testing.T) {
	root, stranger := newRoot(t, familyECDSA, "root"), newRoot(t, familySM2, "stranger")
	sm2Root := newRoot(t, familySM2, "root")
	strangersList := stranger.crl(t, stranger.key, stranger)
	listInItsName := root.crl(t, stranger.key, root)
	family := func(signatures, identifiers string) *m.FabricCryptoConfig {
		return &m.FabricCryptoConfig{SignatureHashFamily: signatures, IdentityIdentifierHashFunction: identifiers}
	}
	for name, c := range map[string]struct {
		conf                  *m.FabricMSPConfig
		node, before, capable bool
	}{
		"SM2 list of nobody":           {&m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, RevocationList: [][]byte{strangersList}}, false, true, false},
		"SM2 list in the root's name":  {&m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, RevocationList: [][]byte{listInItsName}}, false, true, false},
		"family SM3":                   {&m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, CryptoConfig: family(bccsp.SM3, bccsp.SHA256)}, false, true, false},
		"identifiers SM3":              {&m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, CryptoConfig: family(bccsp.SHA2, bccsp.SM3)}, true, false, true},
		"both SM3":                     {&m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, CryptoConfig: family(bccsp.SM3, bccsp.SM3)}, false, false, false},
		"SM2 root, list of nobody":     {&m.FabricMSPConfig{RootCerts: [][]byte{root.pem(), sm2Root.pem()}, RevocationList: [][]byte{strangersList}}, false, false, false},
		"SM2 TLS root, list of nobody": {&m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, TlsRootCerts: [][]byte{sm2Root.pem()}, RevocationList: [][]byte{strangersList}}, false, false, false},
		"SM2 root too, family SM3":     {&m.FabricMSPConfig{RootCerts: [][]byte{root.pem(), sm2Root.pem()}, CryptoConfig: family(bccsp.SM3, bccsp.SM3)}, false, false, false},
		"SM2 root alone, both SM3":     {&m.FabricMSPConfig{RootCerts: [][]byte{sm2Root.pem()}, CryptoConfig: family(bccsp.SM3, bccsp.SM3)}, true, true, true},
	} {
		for version, want := range map[MSPVersion]bool{ofNode: c.node, ofOldChannel: c.before, withCapability: c.capable} {
			_, err := setupAs(t, version, c.conf)
			require.Equal(t, want, err == nil, "%s, version %d: %v", name, version, err)
		}
	}

	for _, version := range []MSPVersion{ofNode, ofOldChannel, withCapability} {
		_, err := setupAs(t, version, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, TlsRootCerts: [][]byte{[]byte("no certificate")}})
		require.ErrorContains(t, err, "could not decode pem")
	}

	// An MSP of family SM3 that is taken as stock nodes take it serves nobody, as with them.
	conf := &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, CryptoConfig: family(bccsp.SM3, bccsp.SHA256)}
	made, err := setupAs(t, ofOldChannel, conf)
	require.NoError(t, err)
	id, err := made.DeserializeIdentity(gmx509test.Identity("TestMSP", root.issue(t, familyECDSA, template(t, "peer")).pem()))
	require.NoError(t, err)
	require.ErrorContains(t, id.Verify([]byte("message"), []byte("signature")), "hash family not recognized")
}

// What a node is made of may be dressed in PEM; bytes within the DER would be shown to others, who refuse them.
func TestOwnIdentityIsWhatOthersAccept(t *testing.T) {
	root := newRoot(t, familySM2, "root")
	peer := root.issue(t, familySM2, template(t, "peer", "peer"))
	info := signingInfo(t, peer)
	info.PublicSigner = gmx509test.PEM(peer.cert.Raw)["CRLF"]
	made, err := setupAs(t, ofNode, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, SigningIdentity: info})
	require.NoError(t, err)
	own, err := made.GetDefaultSigningIdentity()
	require.NoError(t, err)
	shown, err := own.Serialize()
	require.NoError(t, err)
	require.Equal(t, gmx509test.Identity("TestMSP", peer.pem()), shown)

	info.PublicSigner = credential{cert: &x509.Certificate{Raw: gmx509test.DER(peer.cert.Raw)["NULL behind"]}}.pem()
	_, err = setupAs(t, ofNode, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, SigningIdentity: info})
	require.ErrorContains(t, err, "other nodes would refuse it")
}
