// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/safefile/safefiletest"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// stageNow is the stage that plan gives.
func (w *world) stageNow() int {
	w.t.Helper()
	var p plan
	require.NoError(w.t, json.Unmarshal([]byte(w.allowed("plan", w.block(), "-o", "json")), &p))
	return p.Stage
}

// TestAllStages takes a network of fakes through all stages and back from 3 to 1 once.
func TestAllStages(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, stageBinaries, w.stageNow())
	w.allowed("check", "--stage=1", w.block())
	w.refused([]string{"peer1 (Org1MSP): peer.server has no TLCP pair", "peer1 (Org1MSP): peer.client has no TLCP pair"}, "check", "--stage=2", w.block())

	w.pairs(everyNode...)
	require.Equal(t, stagePairs, w.stageNow())
	w.refused([]string{"Org1MSP: its MSP in the channel has no SM2 TLS root"}, "check", "--stage=3", w.block())
	for range 2 { // up to stage 3, back, and again
		w.allowed("check", "--stage=2", w.block())
		files := w.updates(1, addGMTLS)
		require.Len(t, files, 3)
		require.Equal(t, stageRoots, w.stageNow())
		require.Contains(t, w.allowed("check", "--stage=3", w.block()), "before any orderer dials TLCP")
		w.refused([]string{"the channel does not have its SM2 certificate"}, "check", "--stage=3", "--node=orderer0", w.block())
		w.allowed("check", "--stage=3", "--node=peer1", w.block())
		w.rotateAll(consentersBoth)
		w.allowed("check", "--stage=3", "--node=orderer0", w.block())
		w.refused([]string{"orderer.cluster.client dials TLS", "peer.client dials TLS"}, "check", "--stage=4", w.block())
		w.modes("", "gm", everyNode...)
		require.Equal(t, stageDialing, w.stageNow())

		w.refused([]string{"peer.client dials a GM protocol", "orderer.cluster.client dials a GM protocol"}, "update", removeGMTLS, w.block(), "--out", w.dir)
		w.refused([]string{"orderer.cluster.client dials a GM protocol"}, "update", consentersTLS, w.block(), "--out", w.dir)
		w.modes("", "tls", everyNode...)
		w.refused([]string{"the channel has its SM2 certificate"}, "update", removeGMTLS, w.block(), "--out", w.dir)
		w.rotateAll(consentersTLS)
		require.Len(t, w.updates(2, removeGMTLS), 3)
		require.Equal(t, stagePairs, w.stageNow())
	}
	w.updates(3, addGMTLS)
	w.rotateAll(consentersBoth)
	w.modes("", "gm", everyNode...)
	w.allowed("check", "--stage=4", w.block())
	w.modes("gm", "", everyNode...)
	require.Equal(t, stageListening, w.stageNow())
	w.finish()
}

// finish does stage 5.
func (w *world) finish() {
	t := w.t
	t.Helper()
	w.allowed("check", "--stage=5", w.block())
	require.Len(t, w.updates(4, addGMIdentity), 3)
	require.Equal(t, stageListening, w.stageNow())
	w.refused([]string{"Org1MSP: nobody of it signed anything"}, "update", removeECDSAIdentity, w.block(), "--out", w.dir)
	w.put("old", w.signedBlock(7, map[string]bool{"Org1MSP": true, "Org2MSP": false, "OrdererMSP": true}))
	w.refused([]string{`Org2MSP: "CN=node,O=gmtls pki", with a key of ECDSA or RSA, signed in block 7 as creator`},
		"update", removeECDSAIdentity, w.block(), "--out", w.dir, "--recent", w.path("old"))
	w.put("new", w.signedBlock(8, map[string]bool{"Org1MSP": true, "Org2MSP": true, "OrdererMSP": true}))
	w.updates(5, removeECDSAIdentity, "--recent", w.path("new"))
	w.refused([]string{"the channel still has its TLS certificate"}, "update", removeECDSATLS, w.block(), "--out", w.dir)
	w.rotateAll(consentersGM)
	w.updates(6, removeECDSATLS)
	require.Equal(t, stageIdentities, w.stageNow())
	require.Contains(t, w.allowed("plan", w.block()), "all stages are done")
	for section, orgs := range map[string][]string{"Orderer": {"Orderer"}, "Application": {"Org1", "Org2"}} {
		for _, org := range orgs {
			f := w.mspIn(section, org)
			for _, list := range [][][]byte{f.RootCerts, f.TlsRootCerts} {
				require.Len(t, list, 1)
				cert, err := x509.ParseCertificatePEM(list[0])
				require.NoError(t, err)
				require.True(t, x509.IsSM2(cert.PublicKey))
			}
			require.Empty(t, f.FabricNodeOus.PeerOuIdentifier.Certificate)
			require.Equal(t, "peer", f.FabricNodeOus.PeerOuIdentifier.OrganizationalUnitIdentifier)
		}
	}
}

// rotateAll changes the consenters until none is left: one a file, the leader last.
func (w *world) rotateAll(kind string) {
	w.t.Helper()
	var order []string
	for number := uint64(20); ; number++ {
		before := w.fieldsIn()
		files := w.updates(number, kind)
		if len(files) == 0 {
			break
		}
		require.Len(w.t, files, 1)
		after := w.fieldsIn()
		for i, c := range after {
			if proto.Equal(c, before[i]) {
				continue
			}
			n := w.nodes[everyNode[i]]
			order = append(order, n.name)
			var want []byte
			if kind != consentersGM {
				want = append(want, pki.CertPEM(n.tlsCert)...)
			}
			if kind != consentersTLS {
				want = append(want, pki.CertPEM(n.sign)...)
			}
			require.Equal(w.t, string(want), string(c.ClientTlsCert))
			require.Equal(w.t, string(want), string(c.ServerTlsCert))
		}
	}
	require.Equal(w.t, []string{"orderer0", "orderer2", "orderer1"}, order)
}

// signedBlock makes a block in which each organisation signs with an SM2 identity or, if false, an ECDSA one: the first
// as endorser, the second as creator, that of orderers the block.
func (w *world) signedBlock(number uint64, gm map[string]bool) []byte {
	return w.blockOf(number, func(org string) *pki.CA {
		if gm[org] {
			return w.orgs[org].gmID
		}
		return w.orgs[org].id
	}, nil, nil)
}

// blockOf makes a block with one transaction, whose signers have certificates of these CAs, with further endorsements, and with the verdicts of a peer.
func (w *world) blockOf(number uint64, ca func(org string) *pki.CA, more []*peer.Endorsement, verdicts []byte) []byte {
	t := w.t
	identity := func(org string) ([]byte, crypto.Signer) {
		cert, key := issue(t, ca(org), pki.SignUsage, 30)
		return pack(t, &msp.SerializedIdentity{Mspid: org, IdBytes: pki.CertPEM(cert)}), key
	}
	endorser, key := identity("Org1MSP")
	response := []byte("a response")
	endorsements := append([]*peer.Endorsement{{Endorser: endorser, Signature: sign(t, key, slices.Concat(response, endorser))}}, more...)
	action := pack(t, &peer.ChaincodeActionPayload{Action: &peer.ChaincodeEndorsedAction{ProposalResponsePayload: response, Endorsements: endorsements}})
	creator, key := identity("Org2MSP")
	payload := pack(t, &common.Payload{
		Header: &common.Header{
			ChannelHeader:   pack(t, &common.ChannelHeader{Type: int32(common.HeaderType_ENDORSER_TRANSACTION), ChannelId: "trade"}),
			SignatureHeader: pack(t, &common.SignatureHeader{Creator: creator}),
		},
		Data: pack(t, &peer.Transaction{Actions: []*peer.TransactionAction{{Payload: action}}}),
	})
	orderer, _ := identity("OrdererMSP")
	signatures := pack(t, &common.Metadata{Signatures: []*common.MetadataSignature{{SignatureHeader: pack(t, &common.SignatureHeader{Creator: orderer})}}})
	return pack(t, &common.Block{
		Header:   &common.BlockHeader{Number: number},
		Data:     &common.BlockData{Data: [][]byte{pack(t, &common.Envelope{Payload: payload, Signature: sign(t, key, payload)})}},
		Metadata: &common.BlockMetadata{Metadata: [][]byte{signatures, nil, verdicts}},
	})
}

// sign signs as identities of an MSP do.
func sign(t testing.TB, key crypto.Signer, message []byte) []byte {
	t.Helper()
	digest, opts := sha256.Sum256(message), crypto.SignerOpts(crypto.SHA256)
	data := digest[:]
	if x509.IsSM2(key) {
		data, opts = message, sm2.DefaultSM2SignerOpts
	}
	signature, err := key.Sign(rand.Reader, data, opts)
	require.NoError(t, err)
	return signature
}

// TestEvidenceThatAnybodyCanMake: what a member's client can put into a block says nothing of other organisations, whether they are said to
// have signed or not, and keeps nobody from reading the block.
func TestEvidenceThatAnybodyCanMake(t *testing.T) {
	w := newWorld(t)
	config, err := os.ReadFile(w.path("config.block"))
	require.NoError(t, err)
	ch, err := parseChannel(config)
	require.NoError(t, err)
	for _, m := range ch.members { // stage 5: the channel has the CAs of both families
		m.places[0].fabric.RootCerts = append(m.places[0].fabric.RootCerts, pki.CertPEM(w.orgs[m.ID].gmID.Cert))
	}
	own := func(org string) *pki.CA { return w.orgs[org].gmID }
	identity := func(ca *pki.CA) ([]byte, crypto.Signer) {
		cert, key := issue(t, ca, pki.SignUsage, 30)
		return pack(t, &msp.SerializedIdentity{Mspid: "Org2MSP", IdBytes: pki.CertPEM(cert)}), key
	}
	stolen, _ := identity(w.orgs["Org2MSP"].id) // a certificate is public, its key is not
	made, key := identity(newCA(t, "made", false))
	forged := []*peer.Endorsement{
		{Endorser: []byte("garbage")}, {Endorser: pack(t, &msp.SerializedIdentity{Mspid: "Org2MSP", IdBytes: []byte("garbage")})},
		{Endorser: stolen, Signature: []byte("none")}, {Endorser: made, Signature: sign(t, key, slices.Concat([]byte("a response"), made))},
	}
	count := func(block []byte) (orgs map[string]int, passed int) {
		found, passed, err := signersIn(block, ch)
		require.NoError(t, err)
		orgs = map[string]int{}
		for _, s := range found {
			require.True(t, x509.IsSM2(s.cert.PublicKey), "%v", s)
			orgs[s.mspID]++
		}
		return orgs, passed
	}
	all := map[string]int{"Org1MSP": 1, "Org2MSP": 1, "OrdererMSP": 1}
	for _, verdicts := range [][]byte{nil, {0}} {
		orgs, passed := count(w.blockOf(7, own, forged, verdicts))
		require.Equal(t, all, orgs)
		require.Equal(t, len(forged), passed)
	}
	orgs, passed := count(w.blockOf(7, own, nil, []byte{byte(peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE)}))
	require.Equal(t, map[string]int{"OrdererMSP": 1}, orgs)
	require.Equal(t, 1, passed)
	strangers := newCA(t, "made", true)
	orgs, passed = count(w.blockOf(7, func(string) *pki.CA { return strangers }, nil, []byte{0}))
	require.Empty(t, orgs)
	require.Equal(t, 3, passed)
}

// TestUpdateTouchesOneValue: an update names the groups on the way to a value and changes nothing else.
func TestUpdateTouchesOneValue(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	before := w.mspIn("Application", "Org2")
	out := w.allowed("update", addGMTLS, w.block(), "--org=Org2MSP", "--out", w.path("new/folder"))
	require.Contains(t, out, "trade-0-add-gm-tls-roots-Org2MSP.pb")
	require.Contains(t, out, "/Channel/Application/Org2/Admins")
	update := readUpdate(t, w.path("new/folder/trade-0-add-gm-tls-roots-Org2MSP.pb"))
	path := func(value map[string]*common.ConfigValue) *common.ConfigGroup {
		return &common.ConfigGroup{Version: 1, Groups: map[string]*common.ConfigGroup{"Application": {Version: 6, Groups: map[string]*common.ConfigGroup{
			"Org2": {Version: 1, Values: value}}}}}
	}
	require.True(t, proto.Equal(path(nil), update.ReadSet), "%v", update.ReadSet)
	value := update.WriteSet.Groups["Application"].Groups["Org2"].Values["MSP"]
	require.True(t, proto.Equal(path(map[string]*common.ConfigValue{"MSP": {Version: 6, ModPolicy: "Admins", Value: value.GetValue()}}), update.WriteSet))

	out, number := w.run("update", addGMTLS, w.block(), "--org=Org2MSP", "--out", w.path("new/folder"))
	require.Equal(t, exit.Usage, number)
	require.Contains(t, out, "is there already")

	w.take(w.path("new/folder/trade-0-add-gm-tls-roots-Org2MSP.pb"))
	after := w.mspIn("Application", "Org2")
	before.TlsRootCerts = append(before.TlsRootCerts, pki.CertPEM(w.orgs["Org2MSP"].gmTLS.Cert))
	require.True(t, proto.Equal(before, after))
	w.commit(1)
	require.Contains(t, w.allowed("update", addGMTLS, w.block(), "--org=Org2MSP", "--out", w.path("new/folder")), "nothing is left to do")
}

// TestPlainListener: a node that listens without TLS shows nothing of that at /tls, and has done no stage by it.
func TestPlainListener(t *testing.T) {
	w := dialing(t)
	w.modes("gm", "gm", everyNode...)
	require.Equal(t, stageListening, w.stageNow())
	w.allowed("check", "--stage=5", w.block())
	for _, name := range []string{"peer1", "orderer0"} {
		w.nodes[name].set(func(n *fakeNode) {
			n.roles = slices.DeleteFunc(n.roles, func(r tlsstatus.Role) bool { return r.ServerMode != "" && r.InNetwork() })
		})
	}
	require.Equal(t, stageBinaries, w.stageNow())
	w.refused([]string{"peer1 (Org1MSP): its /tls shows no listener for nodes and clients", "orderer0 (OrdererMSP): its /tls shows no listener",
		"peer.tls.enabled, General.TLS.Enabled"}, "check", "--stage=5", w.block())
	w.refused([]string{"peer1 (Org1MSP): its /tls shows no listener"}, "check", "--stage=2", w.block())
}

// TestStockNode takes part through stage 1 and holds stage 2 back.
func TestStockNode(t *testing.T) {
	w := newWorld(t)
	w.nodes["peer2"].set(func(n *fakeNode) { n.version, n.roles = "v2.5.9", nil })
	w.pairs("orderer0", "orderer1", "orderer2", "peer1")
	require.Equal(t, stageStock, w.stageNow())
	require.Contains(t, w.allowed("check", "--stage=1", w.block()), "peer2: runs version v2.5.9")
	const why = "peer2 (Org2MSP): runs version v2.5.9, whose operations service has no /tls"
	w.refused([]string{why}, "check", "--stage=1", "--node=peer2", w.block())
	w.refused([]string{why}, "check", "--stage=2", w.block())
	w.refused([]string{why, "nothing was written"}, "update", addGMTLS, w.block(), "--out", w.dir)
	out, _ := w.run("check", "--stage=2", w.block(), "-o", "json")
	var v verdict
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.False(t, v.Enter)
	for _, g := range v.Refusals {
		require.Equal(t, "peer2", g.Node, "only this node holds stage 2 back")
	}
}

// TestRefusals: what holds any stage back is named.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		stage  string
		change func(w *world)
		want   string
	}{
		"a node that does not answer": {"0", func(w *world) { w.nodes["peer1"].operations.Close() }, "peer1 (Org1MSP): could not be asked"},
		"a client that may not read": {"0", func(w *world) {
			text := string(mustRead(w.t, w.path("nodes.yaml")))
			w.put("nodes.yaml", []byte(strings.Replace(text, "cert: Org1MSP-client.crt, key: Org1MSP-client.key", "", 1)))
		}, "it does not accept the client certificate"},
		"an unhealthy node": {"0", func(w *world) { w.nodes["peer1"].set(func(n *fakeNode) { n.sick = "disk full" }) }, "peer1 (Org1MSP): is not healthy: db: disk full"},
		"a clock": {"1", func(w *world) { w.nodes["orderer2"].set(func(n *fakeNode) { n.behind = time.Hour }) },
			"orderer2 (OrdererMSP): its clock is -"},
		"a certificate that ends": {"1", func(w *world) {
			w.nodes["peer1"].set(func(n *fakeNode) { n.roles[0].Certificates[0].NotAfter = time.Now().AddDate(0, 0, 20) })
		}, `peer1 (Org1MSP): peer.client: the certificate "CN=peer1" (tls) is valid until`},
		"a missing local root": {"2", func(w *world) {
			w.nodes["peer1"].set(func(n *fakeNode) { n.roles[0].ServerRoots = n.roles[0].ServerRoots[:1] })
		}, "peer1 (Org1MSP): peer.client has no SM2 root in its files to verify servers by"},
		"a listener left at tls": {"2", func(w *world) { w.modes("tls", "", "orderer0") }, "orderer0 (OrdererMSP): orderer.general listens for TLS alone"},
		"a pair of another CA": {"2", func(w *world) {
			w.serve(w.nodes["peer1"], newCA(w.t, "stranger", true))
			w.inventory(nil)
		}, "peer1 (Org1MSP): its pair at"},
		"no pair at the address": {"2", func(w *world) {
			w.nodes["peer1"].address = strings.TrimPrefix(w.nodes["peer1"].operations.URL, "https://")
			w.inventory(nil)
		}, "peer1 (Org1MSP): TLCP 1.1 handshake with"},
		"an organisation nobody looked at": {"2", func(w *world) { w.inventory([]string{"Org2MSP"}) }, "Org2MSP: is in the channel, and none of its nodes"},
		"a consenter nobody knows": {"2", func(w *world) {
			w.serve(w.nodes["orderer0"], w.orgs["OrdererMSP"].gmTLS)
			w.inventory(nil)
		}, "no node of the inventory has this address"},
		"a root that is not an SM2 root": {"2", func(w *world) { w.put("Org1MSP-gmtls.crt", pki.CertPEM(w.orgs["Org1MSP"].tls.Cert)) },
			"has a key of ECDSA P-256, not of SM2"},
		"a root that is not a CA": {"2", func(w *world) { w.put("Org1MSP-gmtls.crt", pki.CertPEM(w.nodes["peer1"].sign)) }, "is not of a CA"},
		"a TLS connection": {"4", func(w *world) {
			w.nodes["peer2"].set(func(n *fakeNode) {
				n.roles[1].Listeners = append(n.roles[1].Listeners, tlsstatus.Listener{
					Address: "x", Connections: []tlsstatus.Connections{{Protocol: "TLS", Suite: "s", Count: 2}, {Protocol: "TLCP", Suite: "s", Count: 3}},
				})
			})
		}, "peer2 (Org2MSP): peer.server has 2 connections over TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.pairs(everyNode...)
			args := []string{"check", w.block(), "--stage", c.stage}
			if c.stage == "4" {
				w.updates(1, addGMTLS)
				w.rotateAll(consentersBoth)
				w.modes("", "gm", everyNode...)
			}
			w.allowed(args...)
			c.change(w)
			w.refused([]string{c.want, "remedy:"}, args...)
		})
	}
}

// TestModesThatARestartUndoes are told, and hold nothing up.
func TestModesThatARestartUndoes(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	w.nodes["peer1"].set(func(n *fakeNode) { n.roles[1].ConfiguredServerMode = "tls" })
	w.nodes["peer2"].set(func(n *fakeNode) { n.roles[1].ConfiguredServerMode = "dual" })
	w.nodes["peer1"].set(func(n *fakeNode) {
		n.roles[1].GMProtocols, n.roles[1].ConfiguredGMProtocols = []string{"TLCP", "TLS13"}, []string{"TLCP"}
	})
	w.nodes["peer1"].set(func(n *fakeNode) {
		n.roles[0].GMClientProtocol, n.roles[0].ConfiguredGMClientProtocol = "TLS13", "TLCP"
	})
	out := w.allowed("check", "--stage=2", w.block())
	require.Contains(t, out, "note: peer1: peer.server listens in mode dual and was started with tls, which a restart brings back")
	require.Contains(t, out, "note: peer1: peer.server listens for TLCP, TLS13 and was started with TLCP, which a restart brings back")
	require.Contains(t, out, "dials by TLS13 and was started with TLCP, which a restart brings back")
	require.NotContains(t, out, "peer2")
}

// TestElsewhere: an organisation whose operators check for themselves is said to be left out.
func TestElsewhere(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	w.inventory([]string{"Org2MSP"})
	require.Contains(t, w.allowed("check", "--stage=2", w.block(), "--elsewhere=Org2MSP"), "Org2MSP was not looked at")
}

// TestRootsOfThoseNobodyLookedAt: roots stay while nodes that may use them are not in the inventory, unless their operators have checked them.
func TestRootsOfThoseNobodyLookedAt(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	w.updates(1, addGMTLS)
	w.inventory([]string{"Org2MSP", "OrdererMSP"})
	args := []string{"update", removeGMTLS, w.block(), "--out", w.path("new")}
	w.refused([]string{"Org2MSP: is in the channel, and none of its nodes is in the inventory", "--elsewhere Org2MSP",
		"consenter " + w.nodes["orderer0"].address + ": no node of the inventory"}, args...)
	w.refused([]string{"OrdererMSP: is in the channel"}, append(args, "--elsewhere=Org2MSP")...)
	require.NoDirExists(t, w.path("new"))
	w.allowed(append(args, "--elsewhere=Org2MSP,OrdererMSP")...)
}

// TestConsentersAreNotRisked: no consenter is changed while another is away, nobody leads, or its certificate is wrong.
func TestConsentersAreNotRisked(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	args := []string{"update", consentersBoth, w.block(), "--out", w.dir}
	w.refused([]string{"has no SM2 TLS root"}, args...)
	w.updates(1, addGMTLS)
	w.lead("orderer1", 2)
	w.refused([]string{"the leader counts 2 of 3 consenters as active"}, args...)
	w.lead("nobody", 0)
	w.refused([]string{"no consenter says that it leads"}, args...)
	w.lead("orderer1", 3)
	w.put("orderer0-sign.crt", pki.CertPEM(w.nodes["orderer2"].sign))
	w.refused([]string{"orderer0 (OrdererMSP)", "is not the certificate that the node presents"}, args...)
	w.put("orderer0-sign.crt", pki.CertPEM(w.nodes["orderer0"].tlsCert))
	w.refused([]string{"orderer0 (OrdererMSP)", "holds no SM2 certificate for signing"}, args...)
}

// TestIdentityRootsAreNotTLSRoots: a CA for TLS is not let in as one for identities.
func TestIdentityRootsAreNotTLSRoots(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	w.updates(1, addGMTLS)
	w.put("Org1MSP-gmid.crt", pki.CertPEM(w.orgs["Org1MSP"].gmTLS.Cert))
	w.refused([]string{"Org1MSP: /Channel/Application/Org1", "a CA for TLS must not make identities"}, "update", addGMIdentity, w.block(), "--out", w.dir)
}

// TestLastRootStays: the way back and the retirement never leave an MSP without roots or administrators.
func TestLastRootStays(t *testing.T) {
	ca, gm := newCA(t, "ca", false), newCA(t, "gm", true)
	only := func() *msp.FabricMSPConfig {
		return &msp.FabricMSPConfig{Name: "X", RootCerts: [][]byte{pki.CertPEM(ca.Cert)}, TlsRootCerts: [][]byte{pki.CertPEM(ca.Cert)}}
	}
	_, err := removeIdentityRoots(false)(only())
	require.ErrorContains(t, err, "no root would be left")
	_, err = removeTLSRoots(false)(only())
	require.ErrorContains(t, err, "no TLS root would be left")

	f := only()
	f.RootCerts = [][]byte{pki.CertPEM(ca.Cert, gm.Cert)}
	f.Admins = [][]byte{pki.CertPEM(ca.Cert)}
	_, err = removeIdentityRoots(false)(proto.CloneOf(f))
	require.ErrorContains(t, err, "nobody could administer")
	f.FabricNodeOus = &msp.FabricNodeOUs{Enable: true}
	f.OrganizationalUnitIdentifiers = []*msp.FabricOUIdentifier{{Certificate: pki.CertPEM(ca.Cert), OrganizationalUnitIdentifier: "sales"}}
	_, err = removeIdentityRoots(false)(proto.CloneOf(f))
	require.ErrorContains(t, err, `the organizational unit "sales" is bound to a CA that would go`)
	f.OrganizationalUnitIdentifiers = nil
	_, err = removeIdentityRoots(false)(f)
	require.NoError(t, err)
	require.Equal(t, [][]byte{pki.CertPEM(gm.Cert)}, f.RootCerts)
	require.Empty(t, f.Admins)
}

// TestUsage: wrong usage and unreadable files end with 1 and say what is wrong.
func TestUsage(t *testing.T) {
	w := newWorld(t)
	good := string(mustRead(t, w.path("nodes.yaml")))
	for name, c := range map[string]struct {
		args []string
		yaml string
		want string
	}{
		"stage":        {[]string{"check", "--stage=6"}, good, "--stage must be from 0 to 5"},
		"node":         {[]string{"check", "--stage=1", "--node=nobody"}, good, "the inventory has no node nobody"},
		"output":       {[]string{"plan", "-o", "xml"}, good, "--output"},
		"kind":         {[]string{"update", "everything", w.block()}, good, "there is no update"},
		"no block":     {[]string{"update", addGMTLS}, good, "--block is missing"},
		"organisation": {[]string{"update", addGMTLS, w.block(), "--org=X"}, good, "the inventory has no organisation X"},
		"no config":    {[]string{"plan", "--block=" + w.path("nodes.yaml")}, good, "it is not a block"},
		"unknown key":  {[]string{"plan"}, good + "\nnodez: 1\n", "nodez"},
		"empty":        {[]string{"plan"}, "organizations: {}\n", "organizations is empty"},
		"protocol":     {[]string{"plan"}, strings.ReplaceAll(good, "protocol: tls,", "protocol: any,"), "client.protocol"},
		"address":      {[]string{"plan"}, strings.Replace(good, `address: "127.0.0.1`, `address: "127.0.0.1:1`, 1), "not HOST:PORT"},
	} {
		w.put("nodes.yaml", []byte(c.yaml))
		out, number := w.run(c.args...)
		require.Equal(t, exit.Usage, number, name)
		require.Contains(t, out, c.want, name)
	}
}

// TestPlanWithoutBlock shows what the nodes say without a config block, and which of them it could not ask.
func TestPlanWithoutBlock(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	out := w.allowed("plan")
	require.Contains(t, out, "stage 1 is done")
	require.Contains(t, out, "peer channel fetch config")
	w.nodes["peer2"].operations.Close()
	out, number := w.run("plan")
	require.Equal(t, exit.Connect, number)
	require.Contains(t, out, "peer2 (Org2MSP): could not be asked")
	require.True(t, slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
		return strings.HasPrefix(line, "Org2MSP") && strings.Contains(line, "unknown")
	}), out)
}

func mustRead(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return data
}

// TestFullDisk: a part of an update does not stay, as the next run would say that it can be used.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	block := w.block()
	var out string
	var number int
	require.NoError(t, safefiletest.OnFullDisk(t, 10, func() error {
		out, number = w.run("update", addGMTLS, block, "--org=Org2MSP", "--out", w.path("new"))
		return nil
	}))
	require.Equal(t, exit.Usage, number, out)
	entries, err := os.ReadDir(w.path("new"))
	require.NoError(t, err)
	require.Empty(t, entries)
	w.allowed("update", addGMTLS, block, "--org=Org2MSP", "--out", w.path("new"))
}
