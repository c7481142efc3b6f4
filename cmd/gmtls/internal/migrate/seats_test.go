// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"crypto/rand"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// renewed is another certificate for a node's key, from the same CA.
func renewed(t *testing.T, ca *pki.CA, old *x509.Certificate) *x509.Certificate {
	t.Helper()
	template := pki.Leaf("node", []string{"127.0.0.1"}, pki.SignUsage, old.NotBefore, old.NotAfter.AddDate(0, 0, 1))
	template.SerialNumber = big.NewInt(77)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Cert, old.PublicKey, ca.Key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// dialing is a network in stage 2 whose consenters have both certificates.
func dialing(t *testing.T) *world {
	w := newWorld(t)
	w.pairs(everyNode...)
	w.updates(1, addGMTLS)
	w.rotateAll(consentersBoth)
	return w
}

// TestStrangers: an orderer dials in mode gm only if the channel knows each consenter by the keys that it uses, for either side.
func TestStrangers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world, first *fakeNode)
		want   string
	}{
		"another key at the listener": {func(w *world, first *fakeNode) {
			other, _ := issue(w.t, w.orgs["OrdererMSP"].gmTLS, pki.SignUsage, 365)
			w.known(other, first.sign)
		}, "the SM2 certificate in its server field is not the node's: it presents another key at"},
		"the listener's certificate for the dialer": {func(w *world, first *fakeNode) {
			other, _ := issue(w.t, w.orgs["OrdererMSP"].gmTLS, pki.SignUsage, 365)
			first.set(func(n *fakeNode) { n.dialsWith(other) })
		}, "the SM2 certificate in its client field is not the node's: orderer.cluster.client dials with that of serial number"},
		"another key of the dialer": {func(w *world, first *fakeNode) {
			other, _ := issue(w.t, w.orgs["OrdererMSP"].gmTLS, pki.SignUsage, 365)
			w.known(first.sign, other)
		}, "the SM2 certificate in its client field is not the node's"},
		"no dialer": {func(_ *world, first *fakeNode) {
			first.set(func(n *fakeNode) { n.roles = n.roles[1:] })
		}, "its /tls shows no role orderer.cluster.client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := dialing(t)
			w.allowed("check", "--stage=3", "--node=orderer1", w.block())
			c.change(w, w.nodes["orderer0"])
			want := []string{"orderer0 (OrdererMSP): consenter ", c.want, "gmtls migrate update consenters-both"}
			w.refused(want, "check", "--stage=3", "--node=orderer1", w.block())
			w.refused(want, "check", "--stage=3", w.block())
			w.allowed("check", "--stage=3", "--node=peer1", w.block())
			out, _ := w.run("plan", w.block())
			require.Contains(t, out, c.want)
		})
	}
}

// TestStrangersAreReplaced: consenters-both puts the certificates of the node in the place of those that are not its.
func TestStrangersAreReplaced(t *testing.T) {
	w := dialing(t)
	first := w.nodes["orderer0"]
	old, _ := issue(t, w.orgs["OrdererMSP"].gmTLS, pki.SignUsage, 365)
	w.known(old, old)
	require.Len(t, w.updates(41, consentersBoth), 1)
	want := string(pki.CertPEM(first.tlsCert)) + string(pki.CertPEM(first.sign))
	require.Equal(t, want, string(w.fieldsIn()[0].ServerTlsCert))
	require.Equal(t, want, string(w.fieldsIn()[0].ClientTlsCert))
	w.allowed("check", "--stage=3", "--node=orderer0", w.block())
	require.Empty(t, w.updates(42, consentersBoth))
}

// TestOwnPairForDialing: a certificate for dialing has its own entry in the inventory, and must be that of the role.
func TestOwnPairForDialing(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	w.updates(1, addGMTLS)
	first := w.nodes["orderer0"]
	own, _ := issue(t, w.orgs["OrdererMSP"].gmTLS, pki.SignUsage, 365)
	first.set(func(n *fakeNode) { n.dialsWith(own) })
	args := []string{"update", consentersBoth, w.block(), "--out", w.path("new")}
	w.refused([]string{"orderer0 (OrdererMSP)", "orderer0-sign.crt is not the certificate of its client side: orderer.cluster.client dials with", "clientSignCert"}, args...)
	require.NoDirExists(t, w.path("new"))

	text, err := os.ReadFile(w.path("nodes.yaml"))
	require.NoError(t, err)
	w.put("nodes.yaml", []byte(strings.Replace(string(text), "signCert: orderer0-sign.crt", "signCert: orderer0-sign.crt, clientSignCert: own.crt", 1)))
	w.put("own.crt", pki.CertPEM(w.nodes["orderer1"].sign))
	w.refused([]string{"own.crt is not the certificate of its client side"}, args...)
	w.put("own.crt", pki.CertPEM(own))
	w.allowed(args...)
	files, err := filepath.Glob(w.path("new/*.pb"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	w.take(files[0])
	w.commit(2)
	require.Equal(t, string(pki.CertPEM(first.tlsCert))+string(pki.CertPEM(first.sign)), string(w.fieldsIn()[0].ServerTlsCert))
	require.Equal(t, string(pki.CertPEM(first.tlsCert))+string(pki.CertPEM(own)), string(w.fieldsIn()[0].ClientTlsCert))
}

// TestRenewedForTheSameKey: orderers compare keys, so that a renewal with the old key needs no update.
func TestRenewedForTheSameKey(t *testing.T) {
	w := dialing(t)
	first := w.nodes["orderer0"]
	before := renewed(t, w.orgs["OrdererMSP"].gmTLS, first.sign)
	w.known(before, before)
	w.allowed("check", "--stage=3", "--node=orderer0", w.block())
	require.Empty(t, w.updates(42, consentersBoth))
}

// TestSmartBFT: consenters of SmartBFT are recognised by their identities, and their pairs verified by the roots of the organisation that
// their seat names. What their TLS fields hold keeps nobody from stage 3.
func TestSmartBFT(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	w.updates(1, addGMTLS)
	w.smartBFT()
	for _, node := range []string{"orderer0", "peer1"} {
		w.allowed("check", "--stage=3", "--node="+node, w.block())
	}
	w.allowed("check", "--stage=3", w.block())
	w.bftSeats(func(c *common.Consenter) {
		c.ClientTlsCert = pki.CertPEM(w.nodes["orderer1"].sign)
		c.ServerTlsCert = c.ClientTlsCert
	})
	w.allowed("check", "--stage=3", "--node=orderer0", w.block())
	w.refused([]string{"this tool changes only consenters of Raft", "consortium update replace-orderer"}, "update", consentersBoth, w.block(), "--out", w.dir)
	w.modes("", "gm", everyNode...)
	require.Equal(t, stageDialing, w.stageNow())

	w.bftSeats(func(c *common.Consenter) { c.MspId = "Elsewhere" })
	want := []string{"orderer0 (OrdererMSP): consenter", "its seat names the organisation Elsewhere, of which the channel has no SM2 TLS root", "consortium update remove-orderer"}
	w.refused(want, "check", "--stage=3", "--node=orderer0", w.block())
	w.refused(want, "check", "--stage=3", w.block())
	w.allowed("check", "--stage=3", "--node=peer1", w.block())
	require.Equal(t, stageRoots, w.stageNow())

	w.bftSeats(func(c *common.Consenter) { c.MspId = "Org1MSP" })
	w.refused([]string{"orderer0 (OrdererMSP)", "does not hold by the seat's organisation's SM2 TLS roots"}, "check", "--stage=3", w.block())
}

// TestUnknownConsensus: consenters that this tool does not know are not taken for none.
func TestUnknownConsensus(t *testing.T) {
	for name, kind := range map[string]string{
		"orders by tendermint, whose consenters this tool does not know": "tendermint",
		"orders by SmartBFT and names no consenter":                      "BFT",
	} {
		w := dialing(t)
		w.consensus(func(c *orderer.ConsensusType) { c.Type = kind })
		w.refused([]string{name, "remedy:"}, "check", "--stage=3", "--node=orderer0", w.block())
		w.refused([]string{name}, "check", "--stage=3", w.block())
		w.modes("", "gm", everyNode...)
		require.Equal(t, stageRoots, w.stageNow())
	}
}
