// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// buildJava compiles the Java examples as docs/applications.md says, and returns the class path to run them with.
func buildJava(ctx context.Context, t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"javac", "protoc", "grpc_java_plugin"} {
		_, err := exec.LookPath(tool)
		requireTool(t, err == nil, tool)
	}
	classPath(t, "bcprov", "protobuf", "grpc-netty", "netty-handler", "guava", "perfmark-api")
	descriptors := t.TempDir()
	names, err := exec.CommandContext(ctx, "go", "run", "../../clients/java/descriptors", filepath.Join(descriptors, "fabric.binpb")).Output()
	require.NoError(t, err)
	write(t, filepath.Join(descriptors, "names"), names)
	build := exec.CommandContext(ctx, "../../clients/java/build.sh", filepath.Join(t.TempDir(), "out"))
	build.Env = append(os.Environ(), "DESCRIPTORS="+descriptors)
	build.Stderr = t.Output()
	path, err := build.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(path))
}

// TestTransactions submits a transaction with each client to a network that speaks TLCP alone, and reads it back.
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

func requireTransaction(t *testing.T, cmd *exec.Cmd, owner string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `committed `+owner+`-\d+ in block \d+\n`, string(out))
	require.Contains(t, string(out), fmt.Sprintf(`"owner":%q`, owner))
}
