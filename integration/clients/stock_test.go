// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	fabricid "github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// stockGateway is fabric-gateway as it comes, with an ECDSA user of an organisation, over a connection without protection.
func stockGateway(t *testing.T, n *network.Network, org network.Org, proxy string) *client.Gateway {
	t.Helper()
	msp := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "users", "User1@"+org.Domain, "msp")
	block := func(pattern string) []byte {
		files, err := filepath.Glob(filepath.Join(msp, pattern))
		require.NoError(t, err)
		require.Len(t, files, 1, pattern)
		text, err := os.ReadFile(files[0])
		require.NoError(t, err)
		b, _ := pem.Decode(text)
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
	conn, err := grpc.NewClient(proxy, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	gateway, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(conn))
	require.NoError(t, err)
	t.Cleanup(func() { _ = gateway.Close() })
	return gateway
}

// TestStockSDK uses what docs/applications-tools.md promises on a network that speaks TLCP alone: the unmodified SDK with an ECDSA
// organisation, and metrics, each through a proxy.
func TestStockSDK(t *testing.T) {
	n, ctx := networktest.Start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmMixed, Orderers: 1, Peers: 1})
	org := n.Peers[1]
	require.Equal(t, network.AlgorithmECDSA, org.Algorithm)
	peer := org.PeersOf()[0]
	root := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "peers", peer.Name, "tls", "gm-ca.crt")

	gateway := stockGateway(t, n, org, startProxy(ctx, t, peer, root))
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

	operations := peer
	operations.Port = peer.Operations
	address := startProxy(ctx, t, operations, root)
	response, err := http.Get("http://" + address + "/healthz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	t.Run("prometheus", func(t *testing.T) { scrape(ctx, t, address, peer.Name) })
}

// scrape has Prometheus read a node's metrics with the configuration of docs/applications-tools.md.
func scrape(ctx context.Context, t *testing.T, proxy, node string) {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no Prometheus here: ", err)
	}
	text, err := os.ReadFile("../../docs/applications-tools.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```yaml\n")
	require.True(t, found)
	config, _, _ := strings.Cut(rest, "```")
	config = "global: {scrape_interval: 1s}\n" + strings.NewReplacer("127.0.0.1:19443", proxy, "peer0.org1.example.com", node).Replace(config)
	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	cmd := exec.CommandContext(ctx, program, "--config.file="+write(t, filepath.Join(dir, "prometheus.yml"), []byte(config)),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var value string
	require.Eventually(t, func() bool {
		response, err := http.Get(fmt.Sprintf("http://%s/api/v1/query?query=ledger_blockchain_height", address))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string
					Value  []any
				}
			}
		}
		if json.NewDecoder(response.Body).Decode(&answer) != nil || len(answer.Data.Result) == 0 {
			return false
		}
		value = fmt.Sprint(answer.Data.Result[0].Metric["node"], answer.Data.Result[0].Value[1])
		return true
	}, time.Minute, time.Second, "Prometheus has no height")
	require.True(t, strings.HasPrefix(value, node), value)
}
