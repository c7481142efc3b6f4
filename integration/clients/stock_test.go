// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	fabricid "github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
	"github.com/hyperledger/fabric/pkg/gmgateway"
)

// userOf reads an ECDSA user of an organisation as the SDK's samples do.
func userOf(t *testing.T, n *network.Network, org network.Org) (*fabricid.X509Identity, fabricid.Sign) {
	t.Helper()
	msp := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "users", "User1@"+org.Domain, "msp")
	block := func(pattern string) []byte {
		files, err := filepath.Glob(filepath.Join(msp, pattern))
		require.NoError(t, err)
		require.Len(t, files, 1, pattern)
		b, _ := pem.Decode([]byte(read(t, files[0])))
		require.NotNil(t, b, files[0])
		return b.Bytes
	}
	cert, err := x509.ParseCertificate(block("signcerts/*"))
	require.NoError(t, err)
	key, err := x509.ParsePKCS8PrivateKey(block("keystore/*"))
	require.NoError(t, err, "an ECDSA key")
	sign, err := fabricid.NewPrivateKeySign(key)
	require.NoError(t, err)
	id, err := fabricid.NewX509Identity(org.MSPID, cert)
	require.NoError(t, err)
	return id, sign
}

// requireExplained has an SDK sign with SM2 as it comes, the SHA-256 of the message, and reads what the application and the peer say.
func requireExplained(t *testing.T, n *network.Network, org network.Org, proxy string) {
	t.Helper()
	msp := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "users", "User1@"+org.Domain, "msp")
	id, err := gmgateway.NewIdentity(org.MSPID, []byte(read(t, one(t, msp, "signcerts"))))
	require.NoError(t, err)
	signer, err := gmgateway.NewSigner([]byte(read(t, one(t, msp, "keystore"))))
	require.NoError(t, err)
	contract := stockGateway(t, proxy, id, signer.Sign).GetNetwork(n.Channel).GetContract(network.ChaincodeName)
	_, err = contract.EvaluateTransaction("ReadAsset", "stock")
	require.ErrorContains(t, err, "access denied: channel ["+n.Channel+"] creator org ["+org.MSPID+"]")
	require.Contains(t, read(t, n.LogFile(org.PeersOf()[0].Name)), "it was made over the SHA-256 digest of the message")
}

// TestStockSDK uses what docs/applications-tools.md promises on a network that speaks only TLCP: the unmodified SDK with an ECDSA
// organisation, metrics and tape, each through a proxy. The SDK without the settings for SM2 is told why it is refused.
func TestStockSDK(t *testing.T) {
	n, ctx := networktest.Start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmMixed, Orderers: 1, Peers: 1})
	org := n.Peers[1]
	require.Equal(t, network.AlgorithmECDSA, org.Algorithm)
	peer := org.PeersOf()[0]
	root := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "peers", peer.Name, "tls", "gm-ca.crt")

	id, sign := userOf(t, n, org)
	gateway := stockGateway(t, startProxy(ctx, t, peer.Address(), root), id, sign)
	channel := gateway.GetNetwork(n.Channel)
	contract := channel.GetContract(network.ChaincodeName)
	events, err := channel.ChaincodeEvents(ctx, network.ChaincodeName)
	require.NoError(t, err)
	_, err = contract.SubmitTransaction("CreateAsset", "stock", "red", "5", "Tom", "300")
	require.NoError(t, err)
	result, err := contract.EvaluateTransaction("ReadAsset", "stock")
	require.NoError(t, err)
	require.Contains(t, string(result), `"owner":"Tom"`)
	select {
	case event := <-events:
		require.Equal(t, "CreateAsset", event.EventName)
	case <-ctx.Done():
		t.Fatal("no event")
	}

	gm := n.Peers[0].PeersOf()[0]
	requireExplained(t, n, n.Peers[0], startProxy(ctx, t, gm.Address(),
		filepath.Join(n.Dir, "crypto", "peerOrganizations", n.Peers[0].Domain, "peers", gm.Name, "tls", "gm-ca.crt")))

	// /metrics wants a client certificate, other pages of the port do not.
	pair := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "users", "User1@"+org.Domain, "tls", "client-")
	address, _ := runProxy(ctx, t, net.JoinHostPort(peer.Host, strconv.Itoa(peer.Operations)), root,
		"--cert", pair+"sign.crt", "--key", pair+"sign.key", "--enc-cert", pair+"enc.crt", "--enc-key", pair+"enc.key")
	response, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	t.Run("prometheus", func(t *testing.T) { scrape(ctx, t, address, peer.Name) })
	t.Run("tape", func(t *testing.T) { load(ctx, t, n, address) })
}

// load has tape submit as docs/applications-tools.md says, and counts by metrics, as tape sees no validation code.
func load(ctx context.Context, t *testing.T, n *network.Network, metrics string) {
	t.Helper()
	if _, err := exec.LookPath("tape"); err != nil {
		t.Skip("no tape here: ", err)
	}
	valid := func() int {
		response, err := http.Get("http://" + metrics + "/metrics")
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		match := regexp.MustCompile(`ledger_transaction_count\{chaincode="asset:.*validation_code="VALID"\} (\d+)`).FindSubmatch(text)
		require.NotNil(t, match, "no count of valid transactions")
		count, err := strconv.Atoi(string(match[1]))
		require.NoError(t, err)
		return count
	}
	orderer := n.Nodes(network.Orderer)[0]
	proxies := map[string]string{
		"127.0.0.1:17050": startProxy(ctx, t, orderer.Address(), filepath.Join(n.Dir, "crypto", "ordererOrganizations", "example.com", "orderers", orderer.Name, "tls", "gm-ca.crt")),
	}
	for i, org := range n.Peers {
		peer := org.PeersOf()[0]
		root := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "peers", peer.Name, "tls", "gm-ca.crt")
		proxies[fmt.Sprintf("127.0.0.1:%d", 17051+i)] = startProxy(ctx, t, peer.Address(), root)
	}
	user := filepath.Join(n.Dir, "crypto", "peerOrganizations", n.Peers[1].Domain, "users", "User1@"+n.Peers[1].Domain)
	certificates, err := filepath.Glob(filepath.Join(user, "msp", "signcerts", "*.pem"))
	require.NoError(t, err)
	require.Len(t, certificates, 1)
	config := strings.NewReplacer("user/msp/signcerts/cert.pem", certificates[0], "user/msp", filepath.Join(user, "msp")).Replace(block(t, "## tape", "yaml"))
	for old, proxy := range proxies {
		require.Contains(t, config, old)
		config = strings.Replace(config, old, proxy, 1)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tape.yaml"), []byte(config))
	before := valid()
	commands := strings.Replace(block(t, "## tape", "sh"), "-n 500", "-n 50", 1)
	cmd := exec.CommandContext(ctx, "sh", "-euc", commands)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, before+50, valid(), "%s", out)
}
