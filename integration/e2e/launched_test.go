// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
	"github.com/hyperledger/fabric/internal/ccpackage"
)

// launcher is an external builder that takes packages whose label begins with "launched". Its run program gives the chaincode
// what the peer says, as the peer itself does in containers.
var launcher = map[string]string{
	"detect": `grep -q '"label":"launched' "$2/metadata.json"`,
	"build":  `true`,
	"run": `
		value() { printf '%%b' "$(sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' "$DIR/chaincode.json")"; }
		DIR=$2
		umask 077
		value client_cert >"$DIR/client.crt"
		value client_key >"$DIR/client.key"
		value root_cert >"$DIR/root.crt"
		export CORE_CHAINCODE_ID_NAME="$(value chaincode_id)" CORE_TLS_CLIENT_CERT_FILE="$DIR/client.crt" CORE_TLS_CLIENT_KEY_FILE="$DIR/client.key"
		export CORE_PEER_TLS_ROOTCERT_FILE="$DIR/root.crt" CHAINCODE_GM_PROTOCOLS=%s
		exec '%s' -peer.address="$(value peer_address)"`,
}

// TestLaunchedOverTLS13 runs a network that speaks TLS 1.3 with GM suites alone, with chaincode as a service and chaincode that
// its peer launches. The peer's listener for the latter refuses TLCP.
func TestLaunchedOverTLS13(t *testing.T) {
	n, ctx := start(t, network.Options{GMProtocol: network.GMProtocolTLS13, Orderers: 1, Orgs: 1, Peers: 1, Relayed: true})
	peer := n.Nodes(network.Peer)[0]
	program := filepath.Join(t.TempDir(), "token")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "../../examples/token")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	useLauncher(t, n, peer, program)
	require.NoError(t, n.Stop(ctx, peer.Name))
	require.NoError(t, n.Start(peer.Name))
	require.NoError(t, n.AwaitHealthy(ctx, peer))

	file := filepath.Join(t.TempDir(), "launched.tar.gz")
	pack, err := ccpackage.Pack("launched_1", []byte("{}"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pack, 0o600))
	networktest.Deploy(ctx, t, n, "token", file, 1)
	connection, err := n.Gateway(peer)
	require.NoError(t, err)
	defer connection.Close()
	account, err := connection.GetNetwork(n.Channel).GetContract("token").EvaluateTransaction("Account")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(account), "Org1MSP::"), "%s", account)
	submit(ctx, t, contract(t, n, peer), "CreateAsset", "a1", "red", "1", "eva", "1") // the service

	page, err := n.Operations(ctx, peer, http.MethodGet, tlsstatus.Path, nil)
	require.NoError(t, err)
	var roles []tlsstatus.Role
	require.NoError(t, json.Unmarshal(page, &roles))
	seen := map[string]bool{}
	for _, role := range roles {
		for _, protocol := range []string{tlsstatus.OverTLS, tlsstatus.OverTLCP} {
			listening, dialed := role.Over(protocol)
			require.Zero(t, listening+dialed, "%s over %s", role.Name, protocol)
		}
		listening, dialed := role.Over(tlsstatus.OverTLS13)
		seen[role.Name] = listening+dialed > 0
	}
	require.True(t, seen[tlsstatus.PeerChaincode], "the launched chaincode: %s", page)
	require.True(t, seen[tlsstatus.Unnamed], "chaincode as a service: %s", page)
	for version, refused := range map[uint16]bool{gmtls.VersionTLCP: true, gmtls.VersionTLS13: false} {
		conn, err := net.Dial("tcp", net.JoinHostPort(peer.Host, strconv.Itoa(peer.CCPort)))
		require.NoError(t, err)
		defer conn.Close()
		err = gmtls.Client(conn, &gmtls.Config{Versions: []uint16{version}, InsecureSkipVerify: true}).HandshakeContext(ctx)
		require.Equal(t, refused, err != nil, "%s: %v", gmtls.VersionName(version), err)
	}
	requireOnly(t, n, network.ModeGM)
	requireTLSRefused(t, n)
}

// useLauncher configures a peer that is started again afterwards.
func useLauncher(t *testing.T, n *network.Network, peer network.Node, program string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	for name, script := range launcher {
		if name == "run" {
			script = fmt.Sprintf(script, network.GMProtocolTLS13, program)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", name), []byte("#!/bin/sh\nset -eu\n"+script+"\n"), 0o700))
	}
	file := filepath.Join(n.Dir, "nodes", peer.Name, "core.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	const list = "externalBuilders: ["
	require.Equal(t, 1, strings.Count(string(text), list))
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), list, list+"{name: launcher, path: "+dir+"}, ", 1)), 0o600))
}
