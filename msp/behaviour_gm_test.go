// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/sw"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/stretchr/testify/require"
	tjsm2 "github.com/tjfoc/gmsm/sm2"
)

// eachFamily runs a behaviour of MSPs over material of each algorithm.
func eachFamily(t *testing.T, behaviour func(t *testing.T, f family)) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) { behaviour(t, f) })
	}
}

func TestIdentitySignsAndVerifies(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		for name, version := range map[string]MSPVersion{"1.0": MSPv1_0, "1.1": MSPv1_1, "1.3": MSPv1_3, "1.4.3": MSPv1_4_3} {
			t.Run(name, func(t *testing.T) {
				root := newRoot(t, f, "root")
				peer, admin := root.issue(t, f, template(t, "peer")), root.issue(t, f, template(t, "admin"))
				made, err := setupVersion(t, version, &m.FabricMSPConfig{
					RootCerts: [][]byte{root.pem()}, Admins: [][]byte{admin.pem()}, SigningIdentity: signingInfo(t, peer),
				})
				require.NoError(t, err)
				testSignAndVerify(t, made, f)
			})
		}
	})
}

func testSignAndVerify(t *testing.T, made *bccspmsp, f family) {
	sid, err := made.GetDefaultSigningIdentity()
	require.NoError(t, err)
	serialized, err := sid.Serialize()
	require.NoError(t, err)
	id, err := made.DeserializeIdentity(serialized)
	require.NoError(t, err)
	require.NoError(t, id.Validate())
	require.NoError(t, id.SatisfiesPrincipal(rolePrincipal(t, made.name, m.MSPRole_MEMBER)))

	for _, message := range [][]byte{[]byte("a proposal"), {}, make([]byte, 1<<16)} {
		signature, err := sid.Sign(message)
		require.NoError(t, err)
		require.NoError(t, id.Verify(message, signature))
		require.NoError(t, sid.GetPublicVersion().Verify(message, signature))
		require.Error(t, id.Verify(append([]byte("x"), message...), signature))

		changed := append([]byte{}, signature...)
		changed[len(changed)-1] ^= 1
		require.Error(t, id.Verify(message, changed))
		require.Error(t, id.Verify(message, nil))
		if f.sm2 {
			require.Error(t, id.Verify(message, append(append([]byte{}, signature...), 0)), "trailing byte")
			verifyWithTjfoc(t, sid.(*signingidentity).cert, message, signature)
		}
	}
}

// verifyWithTjfoc checks an SM2 signature with a library that shares no code with the engine.
func verifyWithTjfoc(t *testing.T, cert *x509.Certificate, message, signature []byte) {
	t.Helper()
	raw, err := x509.MarshalPKIXPublicKey(cert.PublicKey)
	require.NoError(t, err)
	point := raw[len(raw)-64:]
	public := &tjsm2.PublicKey{
		Curve: tjsm2.P256Sm2(), X: new(big.Int).SetBytes(point[:32]), Y: new(big.Int).SetBytes(point[32:]),
	}
	require.True(t, public.Verify(message, signature))
}

func TestRolesByUnit(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		made := mustSetup(t, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root)})
		roles := map[string]m.MSPRole_MSPRoleType{
			"client": m.MSPRole_CLIENT, "peer": m.MSPRole_PEER, "admin": m.MSPRole_ADMIN, "orderer": m.MSPRole_ORDERER,
		}
		for unit := range roles {
			id, err := received(t, made, root.issue(t, f, template(t, "someone", unit)))
			require.NoError(t, err)
			require.NoError(t, id.Validate())
			for other, role := range roles {
				err := id.SatisfiesPrincipal(rolePrincipal(t, made.name, role))
				require.Equal(t, unit == other, err == nil, "unit %s as %s: %v", unit, other, err)
			}
		}
		require.ErrorContains(t, validate(t, made, root.issue(t, f, template(t, "nobody"))), "does not have an OU")
		require.ErrorContains(t, validate(t, made, root.issue(t, f, template(t, "wrong", "auditor"))), "does not have an OU")
		require.ErrorContains(t, validate(t, made, root.issue(t, f, template(t, "both", "client", "peer"))), "not a combination")
	})
}

func TestUnitOfAnotherCA(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		named, other := newRoot(t, f, "named"), newRoot(t, f, "other")
		made := mustSetup(t, &m.FabricMSPConfig{
			RootCerts: [][]byte{named.pem(), other.pem()}, FabricNodeOus: nodeOUs(named),
		})
		require.NoError(t, validate(t, made, named.issue(t, f, template(t, "peer", "peer"))))
		require.ErrorContains(t, validate(t, made, other.issue(t, f, template(t, "peer", "peer"))), "certifiersIdentifier does not match")
	})
}

func TestIntermediateChains(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		middle := root.issue(t, f, asCA(template(t, "middle")))
		lower := middle.issue(t, f, asCA(template(t, "lower")))
		stranger := newRoot(t, f, "root").issue(t, f, asCA(template(t, "lower")))
		made := mustSetup(t, &m.FabricMSPConfig{
			RootCerts: [][]byte{root.pem()}, IntermediateCerts: [][]byte{middle.pem(), lower.pem()}, FabricNodeOus: nodeOUs(credential{}),
		})
		require.NoError(t, validate(t, made, lower.issue(t, f, template(t, "peer", "peer"))))
		for name, issuer := range map[string]credential{"root": root, "inner": middle} {
			require.ErrorContains(t, validate(t, made, issuer.issue(t, f, template(t, "peer", "peer"))),
				"should be a leaf of the certification tree", name)
		}
		require.Error(t, validate(t, made, stranger.issue(t, f, template(t, "peer", "peer"))))
		require.Error(t, validate(t, made, lower), "a CA is not an identity")
	})
}

func TestRevokedCertificatesAreRefused(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		middle := root.issue(t, f, asCA(template(t, "middle")))
		good, bad := middle.issue(t, f, template(t, "good", "peer")), middle.issue(t, f, template(t, "bad", "peer"))
		conf := func() *m.FabricMSPConfig {
			return &m.FabricMSPConfig{
				RootCerts: [][]byte{root.pem()}, IntermediateCerts: [][]byte{middle.pem()}, FabricNodeOus: nodeOUs(credential{}),
			}
		}

		t.Run("identity", func(t *testing.T) {
			withList := conf()
			withList.RevocationList = [][]byte{middle.crl(t, middle.key, bad)}
			made := mustSetup(t, withList)
			require.NoError(t, validate(t, made, good))
			require.ErrorContains(t, validate(t, made, bad), "The certificate has been revoked")
		})
		t.Run("intermediate CA", func(t *testing.T) {
			withList := conf()
			withList.RevocationList = [][]byte{root.crl(t, root.key, middle)}
			_, err := setup(t, withList)
			require.ErrorContains(t, err, "The certificate has been revoked")
		})
		t.Run("explicit admin", func(t *testing.T) {
			withList := conf()
			withList.FabricNodeOus = nil
			withList.Admins = [][]byte{bad.pem()}
			withList.RevocationList = [][]byte{middle.crl(t, middle.key, bad)}
			_, err := setup(t, withList)
			require.ErrorContains(t, err, "The certificate has been revoked")
		})
	})
}

// The standard library cannot check an SM2 list; upstream then skips the list.
func TestSM2RevocationListThatDoesNotVerifyIsRefused(t *testing.T) {
	root, tlsRoot := newRoot(t, familySM2, "root"), newRoot(t, familySM2, "tls root")
	bad := root.issue(t, familySM2, template(t, "bad", "peer"))
	with := func(list []byte) *m.FabricMSPConfig {
		return &m.FabricMSPConfig{
			RootCerts: [][]byte{root.pem()}, TlsRootCerts: [][]byte{tlsRoot.pem()},
			FabricNodeOus: nodeOUs(credential{}), RevocationList: [][]byte{list},
		}
	}

	for name, tc := range map[string]struct {
		list []byte
		want string
	}{
		"foreign key":                 {root.crl(t, familySM2.key(t), bad), "the signature does not verify under CA CN=root"},
		"foreign key, ECDSA":          {root.crl(t, familyECDSA.key(t), bad), "the signature does not verify under CA CN=root"},
		"foreign issuer":              {newRoot(t, familySM2, "root").crl(t, root.key, bad), "no CA of this MSP has the key identifier"},
		"signed by the CA of another": {tlsRoot.crl(t, root.key, bad), "the signature does not verify under CA CN=tls root"},
		"changed":                     {changedCRL(t, root.crl(t, root.key, bad)), "the signature does not verify under CA CN=root"},
	} {
		_, err := setup(t, with(tc.list))
		require.ErrorContains(t, err, tc.want, name)
		require.ErrorContains(t, err, "revocation list 0 of MSP TestMSP", name)
	}

	t.Run("of a TLS CA", func(t *testing.T) {
		mustSetup(t, with(tlsRoot.crl(t, tlsRoot.key)))
	})
	t.Run("two CAs with one key identifier", func(t *testing.T) {
		key, twin := familySM2.key(t), asCA(template(t, "twin"))
		twin.SubjectKeyId = root.cert.SubjectKeyId
		conf := with(root.crl(t, root.key, bad))
		conf.RootCerts = append(conf.RootCerts, certify(t, twin, twin, key, key).pem())
		_, err := setup(t, conf)
		require.ErrorContains(t, err, "the signature does not verify under CA CN=twin")
	})
}

// A list that cannot be read revokes nobody: no MSP does without it, whatever the rules of its channel are.
func TestUnreadableRevocationListIsRefused(t *testing.T) {
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	for _, root := range []credential{newRoot(t, familySM2, "root"), newRoot(t, familyECDSA, "root")} {
		for _, version := range []MSPVersion{MSPv1_4_3, MSPVersion(MSPv1_4_3).OfChannel(), MSPVersion(MSPv1_4_3).WithCapability()} {
			made, err := New(&BCCSPNewOpts{NewBaseOpts{Version: version}}, provider)
			require.NoError(t, err)
			raw, err := proto.Marshal(&m.FabricMSPConfig{
				Name: "TestMSP", RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root), RevocationList: [][]byte{[]byte("garbage")},
			})
			require.NoError(t, err)
			require.ErrorContains(t, made.Setup(&m.MSPConfig{Config: raw, Type: int32(FABRIC)}), "could not parse RevocationList", version)
		}
	}
}

// changedCRL changes a byte of the serial number in a revocation list with one entry.
func changedCRL(t *testing.T, list []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(list)
	parsed, err := x509.ParseRevocationList(block.Bytes)
	require.NoError(t, err)
	serial := parsed.RevokedCertificateEntries[0].SerialNumber.Bytes()
	at := bytes.Index(block.Bytes, serial)
	require.Positive(t, at)
	block.Bytes[at+len(serial)-1] ^= 1
	return pem.EncodeToMemory(block)
}

func TestExpiredSigningIdentityIsRefused(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		old := template(t, "old", "peer")
		old.NotBefore, old.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		expired := root.issue(t, f, old)
		_, err := setup(t, &m.FabricMSPConfig{
			RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root), SigningIdentity: signingInfo(t, expired),
		})
		require.ErrorContains(t, err, "signing identity expired")

		made := mustSetup(t, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root)})
		id, err := received(t, made, expired)
		require.NoError(t, err)
		require.WithinDuration(t, old.NotAfter, id.ExpiresAt(), time.Second)
	})
}

func TestForeignIdentityIsRefused(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		made := mustSetup(t, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root)})
		require.Error(t, validate(t, made, newRoot(t, f, "root").issue(t, f, template(t, "peer", "peer"))))
	})
}

// An organisation on its way from ECDSA to SM2 has roots of both.
func TestRootsOfBothFamilies(t *testing.T) {
	for _, hashFamily := range []string{"", bccsp.SHA2, bccsp.SHA3} {
		conf := &m.FabricMSPConfig{
			FabricNodeOus: nodeOUs(credential{}),
			CryptoConfig:  &m.FabricCryptoConfig{SignatureHashFamily: hashFamily},
		}
		byName := map[string]credential{}
		for _, f := range families {
			byName[f.name] = newRoot(t, f, "root "+f.name)
			tlsRoot := newRoot(t, f, "tls root "+f.name)
			conf.RootCerts = append(conf.RootCerts, byName[f.name].pem())
			conf.TlsRootCerts = append(conf.TlsRootCerts, tlsRoot.pem())
			conf.TlsIntermediateCerts = append(conf.TlsIntermediateCerts, tlsRoot.issue(t, f, asCA(template(t, "tls middle"))).pem())
		}
		for _, f := range families {
			t.Run(hashFamily+" signer "+f.name, func(t *testing.T) {
				conf := proto.Clone(conf).(*m.FabricMSPConfig)
				conf.SigningIdentity = signingInfo(t, byName[f.name].issue(t, f, template(t, "peer", "peer")))
				made := mustSetup(t, conf)
				require.Len(t, made.GetTLSRootCerts(), 2)
				require.Len(t, made.GetTLSIntermediateCerts(), 2)
				testSignAndVerify(t, made, f)
			})
		}
	}
}

func TestChainsOfMixedFamiliesAreRefused(t *testing.T) {
	for _, ca := range families {
		for _, leaf := range families {
			if ca.name == leaf.name {
				continue
			}
			t.Run(leaf.name+" below "+ca.name, func(t *testing.T) {
				root := newRoot(t, ca, "root")
				conf := &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root)}
				made := mustSetup(t, conf)
				require.ErrorContains(t, validate(t, made, root.issue(t, leaf, template(t, "peer", "peer"))), "mixes SM2 and other keys")

				conf.IntermediateCerts = [][]byte{root.issue(t, leaf, asCA(template(t, "middle"))).pem()}
				_, err := setup(t, conf)
				require.ErrorContains(t, err, "mixes SM2 and other keys")
			})
		}
	}
}

func TestHashFamilySM3(t *testing.T) {
	conf := func(root credential) *m.FabricMSPConfig {
		return &m.FabricMSPConfig{
			RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root),
			CryptoConfig: &m.FabricCryptoConfig{SignatureHashFamily: bccsp.SM3, IdentityIdentifierHashFunction: bccsp.SM3},
		}
	}
	t.Run("with SM2", func(t *testing.T) {
		root := newRoot(t, familySM2, "root")
		peer := root.issue(t, familySM2, template(t, "peer", "peer"))
		withSigner := conf(root)
		withSigner.SigningIdentity = signingInfo(t, peer)
		made := mustSetup(t, withSigner)
		testSignAndVerify(t, made, familySM2)

		digest, err := made.bccsp.Hash(peer.cert.Raw, &bccsp.SM3Opts{})
		require.NoError(t, err)
		id, err := received(t, made, peer)
		require.NoError(t, err)
		require.Equal(t, hex.EncodeToString(digest), id.GetIdentifier().Id)
	})
	t.Run("with ECDSA", func(t *testing.T) {
		_, err := setup(t, conf(newRoot(t, familyECDSA, "old root")))
		require.ErrorContains(t, err, "MSP TestMSP names signature hash family SM3, but the key of its CA CN=old root is not SM2")
	})
}

func TestPrivateKeyMustBelongToCertificate(t *testing.T) {
	root := newRoot(t, familySM2, "root")
	peer, other := root.issue(t, familySM2, template(t, "peer", "peer")), root.issue(t, familySM2, template(t, "other", "peer"))
	info := signingInfo(t, peer)
	info.PrivateSigner.KeyMaterial = other.keyPEM(t)
	_, err := setup(t, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root), SigningIdentity: info})
	require.ErrorContains(t, err, "signing identity of MSP TestMSP (subject CN=peer")
	require.ErrorContains(t, err, "does not belong to the certificate")
}

// setupWithKeyStore sets up an MSP whose signing identity is peer, with its key in the folder.
func setupWithKeyStore(t *testing.T, root, peer credential, folder string) error {
	t.Helper()
	keyStore, err := sw.NewFileBasedKeyStore(nil, folder, true)
	require.NoError(t, err)
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(keyStore)
	require.NoError(t, err)
	made, err := newBccspMsp(MSPv1_4_3, provider)
	require.NoError(t, err)
	raw, err := proto.Marshal(&m.FabricMSPConfig{
		Name: "TestMSP", RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root),
		SigningIdentity: &m.SigningIdentityInfo{PublicSigner: peer.pem()},
	})
	require.NoError(t, err)
	return made.Setup(&m.MSPConfig{Config: raw, Type: int32(FABRIC)})
}

func TestMissingKeyIsExplained(t *testing.T) {
	root := newRoot(t, familySM2, "root")
	peer := root.issue(t, familySM2, template(t, "peer", "peer"))
	dir := t.TempDir()
	file := put(t, dir, "priv_sk", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	err := setupWithKeyStore(t, root, peer, dir)
	require.ErrorContains(t, err, "no private key for the certificate of CN=peer")
	require.ErrorContains(t, err, file)

	// An error that is not for want of the key stays.
	require.Equal(t, net.ErrClosed, explainMissingKey(&m.SigningIdentityInfo{PublicSigner: peer.pem()}, net.ErrClosed, nil))
}

// A node whose key is in an absent device says which key and which daemon, whatever the family of the key. It asks once: a daemon that is
// away is waited for.
func TestMissingDeviceIsExplained(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		peer := root.issue(t, f, template(t, "peer", "peer"))
		dir := t.TempDir()
		socket, asked := daemonWithoutDevice(t)
		public, ok := peer.cert.PublicKey.(*ecdsa.PublicKey)
		require.True(t, ok)
		uri, err := keyd.ParseURI("sdf:device=hsm;index=1;usage=sign")
		require.NoError(t, err)
		text, err := keyd.Reference{URI: uri, Socket: socket, Public: public}.Encode()
		require.NoError(t, err)
		put(t, dir, "priv_sk", text)
		err = setupWithKeyStore(t, root, peer, dir)
		for _, part := range []string{"no private key for the certificate of CN=peer", "sdf:device=hsm;index=1;usage=sign", socket, "there is no device hsm"} {
			require.ErrorContains(t, err, part)
		}
		require.EqualValues(t, 1, asked.Load())
	})
}

// daemonWithoutDevice answers as gmkeyd does without its device, and counts what it is asked.
func daemonWithoutDevice(t *testing.T) (socket string, asked *atomic.Int32) {
	t.Helper()
	socket, asked = filepath.Join(t.TempDir(), "gmkeyd.sock"), new(atomic.Int32)
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := keyd.ReadRequest(conn, func(keyd.Request) error { return keyd.ErrProtocol }); err == nil {
				asked.Add(1)
				conn.Write(keyd.AppendResponse(nil, keyd.Unavailable, []byte("there is no device hsm")))
			}
			conn.Close()
		}
	}()
	return socket, asked
}

func TestWellFormedIdentity(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		made := mustSetup(t, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root)})
		peer := root.issue(t, f, template(t, "peer", "peer"))
		id := &m.SerializedIdentity{Mspid: made.name, IdBytes: peer.pem()}
		require.NoError(t, made.IsWellFormed(id))

		var parts struct {
			Body, Algorithm asn1.RawValue
			Signature       asn1.BitString
		}
		_, err := asn1.Unmarshal(peer.cert.Raw, &parts)
		require.NoError(t, err)
		for name, signature := range nonCanonical(t, parts.Signature.Bytes) {
			parts.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
			raw, err := asn1.Marshal(parts)
			require.NoError(t, err)
			id.IdBytes = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
			require.Error(t, made.IsWellFormed(id), name)
		}
	})
}

// nonCanonical are other encodings of a DER signature with the same r and s.
func nonCanonical(t *testing.T, signature []byte) map[string][]byte {
	t.Helper()
	require.EqualValues(t, 0x30, signature[0])
	long := append([]byte{0x30, 0x81, signature[1]}, signature[2:]...)
	trailing := append(append([]byte{0x30, signature[1] + 2}, signature[2:]...), 0x05, 0x00)
	return map[string][]byte{"long length": long, "element after s": trailing}
}
