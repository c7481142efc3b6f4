// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/integration/network"
)

// authorities is where make ca puts its programs.
const authorities = "../../build/bin-ca-1.5.21"

// TestAuthorities runs a network whose certificates come from an authority of each organisation. A further user is registered, works,
// and is refused once revoked; an orderer and a peer get new pairs and new identities under load.
func TestAuthorities(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmGM, CA: authorities})
	t.Run("renewal", func(t *testing.T) { renewUnderLoad(ctx, t, n) })
	t.Run("revocation", func(t *testing.T) { revokeUser(ctx, t, n) })
	t.Run("growth", func(t *testing.T) { growByAuthorities(ctx, t, n) })
	requireSameChain(ctx, t, n)
}

// growByAuthorities adds an organisation with a new authority, as the command does: in a process that has not started the network.
// An orderer is enrolled with the authority that is there.
func growByAuthorities(ctx context.Context, t *testing.T, n *network.Network) {
	opened, err := network.Open(n.Dir)
	require.NoError(t, err)
	org, err := opened.AddOrg(ctx, 1, network.FirstVersion, 1)
	require.NoError(t, err)
	submit(ctx, t, contract(t, opened, org.PeersOf()[0]), "CreateAsset", "from-the-new-one", "pink", "1", "hedwig", "4")
	orderer, err := opened.AddOrderer(ctx)
	require.NoError(t, err)
	root := leafOf(t, caCertificate(n, n.Ordering))
	require.NoError(t, x509.CheckSignatureFrom(leafOf(t, filepath.Join(opened.NodeFolder(orderer), "tls", "server-sign.crt")), root))
	requireSameOrdererHeight(ctx, t, opened)
	require.NoError(t, opened.Stop(ctx, org.PeersOf()[0].Name))
	require.NoError(t, opened.Stop(ctx, org.ChaincodeServer().Name))
	require.NoError(t, opened.Stop(ctx, orderer.Name))
	require.NoError(t, opened.Stop(ctx, "ca."+org.Domain))
}

func revokeUser(ctx context.Context, t *testing.T, n *network.Network) {
	org := n.Peers[0]
	require.NoError(t, n.EnrolUser(ctx, org, "User2"))
	fetch := fetchNewest(t, n, org, "User2")
	_, err := peerAs(ctx, n, org, "User2", fetch...)
	require.NoError(t, err, "a new user is served")

	before := awaitHeights(ctx, t, n)
	list, err := n.RevokeUser(ctx, org, "User2")
	require.NoError(t, err)
	setRevocationList(ctx, t, n, org, list)
	_, err = n.AwaitSameHeight(ctx, before+1)
	require.NoError(t, err)
	_, err = peerAs(ctx, n, org, "User2", fetch...)
	require.ErrorContains(t, err, "FORBIDDEN", "the orderer serves a revoked user")
	_, err = peerAs(ctx, n, org, "User2", "chaincode", "query", "--channelID", n.Channel, "--name", network.ChaincodeName,
		"--ctor", `{"Args":["AssetExists","x"]}`)
	require.Error(t, err, "a peer answers a revoked user")
	submit(ctx, t, contract(t, n, org.PeersOf()[0]), "CreateAsset", "after", "red", "1", "berta", "1")
}

// renewUnderLoad renews a peer and an orderer that does not lead, and expects that no transaction fails.
func renewUnderLoad(ctx context.Context, t *testing.T, n *network.Network) {
	leader, err := n.AwaitLeader(ctx)
	require.NoError(t, err)
	orderers := n.Nodes(network.Orderer)
	orderer := orderers[0]
	if orderer.Name == leader.Name {
		orderer = orderers[1]
	}
	peer := n.Peers[1].PeersOf()[1]
	restarts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		err := n.Stop(ctx, name)
		if err == nil {
			err = n.Start(name)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	defer restarts.Close()
	plan := filepath.Join(t.TempDir(), "renew.yaml")
	restart := []string{"sh", "-c", "curl --fail --silent --show-error --max-time 60 " + restarts.URL + "/$0"}
	writeRenewalPlan(t, n, plan, 20000*time.Hour, restart, peer, orderer)

	before := map[string]*x509.Certificate{}
	for _, file := range renewed(n, peer, orderer) {
		before[file] = leafOf(t, file)
	}
	l := startLoad(ctx, t, n, n.Peers[0].PeersOf()[0])
	l.awaitMore(3, "before the renewal")
	out, err := exec.CommandContext(ctx, filepath.Join(n.Bin, "gmtls"), "renew", "--plan", plan).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
	l.awaitMore(3, "after the renewal")
	for file, old := range before {
		now := leafOf(t, file)
		require.NotEqual(t, old.SerialNumber, now.SerialNumber, file)
		require.Equal(t, old.RawSubject, now.RawSubject, file)
		require.Equal(t, old.DNSNames, now.DNSNames, file)
		kept := string(old.RawSubjectPublicKeyInfo) == string(now.RawSubjectPublicKeyInfo)
		require.Equal(t, strings.Contains(file, orderer.Name) && strings.Contains(file, "/tls/"), kept, "%s: only an orderer keeps the keys of its pair", file)
	}
	for _, node := range []network.Node{peer, orderer} {
		served, err := n.ServedCertificate(ctx, node)
		require.NoError(t, err)
		require.Equal(t, leafOf(t, renewed(n, node)[1]).Raw, served, node.Name)
	}
	l.finish(ctx)
	require.Empty(t, l.failures)
	c := contract(t, n, peer, client.WithEndorseTimeout(commitWait))
	createSurely(ctx, t, c, "by-renewed-peer") // a peer that has just started may know no others yet
}

// renewed are the certificates of nodes: identity, signing, encryption.
func renewed(n *network.Network, nodes ...network.Node) (files []string) {
	for _, node := range nodes {
		for _, name := range []string{"msp/signcerts/cert.pem", "tls/server-sign.crt", "tls/server-enc.crt"} {
			files = append(files, filepath.Join(n.NodeFolder(node), filepath.FromSlash(name)))
		}
	}
	return files
}

// caCertificate is the file with the certificate of the authority that certifies an organisation's TLCP pairs and its listener.
func caCertificate(n *network.Network, org network.Org) string {
	return filepath.Join(n.Dir, "ca", strings.ToLower(org.Name), "ca-cert.pem")
}

func leafOf(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.NotNil(t, block, file)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return cert
}
