// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"

	fabricid "github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
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

// TestStockSDK uses what docs/applications-tools.md promises on a network that speaks TLCP alone: the unmodified SDK with an ECDSA
// organisation, and metrics, each through a proxy.
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

	// /metrics wants a client certificate, other pages of the port do not.
	pair := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "users", "User1@"+org.Domain, "tls", "client-")
	address, _ := runProxy(ctx, t, net.JoinHostPort(peer.Host, strconv.Itoa(peer.Operations)), root,
		"--cert", pair+"sign.crt", "--key", pair+"sign.key", "--enc-cert", pair+"enc.crt", "--enc-key", pair+"enc.key")
	response, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	t.Run("prometheus", func(t *testing.T) { scrape(ctx, t, address, peer.Name) })
}
