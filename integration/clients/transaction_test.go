// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// TestTransactions submits a transaction with each client to a network that speaks only TLCP, and reads it back.
func TestTransactions(t *testing.T) {
	n, ctx := networktest.Start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Peers: 1})
	org := n.Peers[0]
	peer := n.Nodes(network.Peer)[0]
	domain := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain)
	user := filepath.Join(domain, "users", "User1@"+org.Domain, "msp")
	proxy := startProxy(ctx, t, peer.Address(), filepath.Join(domain, "peers", peer.Name, "tls", "gm-ca.crt"))
	one := func(pattern string) string {
		files, err := filepath.Glob(filepath.Join(user, pattern))
		require.NoError(t, err)
		require.Len(t, files, 1, pattern)
		return files[0]
	}
	env := append(os.Environ(), "MSP_ID="+org.MSPID, "CERTIFICATE="+one("signcerts/*"), "PRIVATE_KEY="+one("keystore/*"),
		"CHANNEL="+n.Channel, "CHAINCODE="+network.ChaincodeName)
	t.Run("node", func(t *testing.T) {
		cmd := node(ctx, t, "transaction")
		cmd.Env = append(env, "GATEWAY=http://"+proxy)
		requireTransaction(t, cmd, "node")
	})
	t.Run("java", func(t *testing.T) {
		cmd := exec.CommandContext(ctx, "java", "-cp", buildJava(ctx, t), "Transaction")
		cmd.Env = append(env, "GATEWAY="+proxy)
		requireTransaction(t, cmd, "java")
	})
}
