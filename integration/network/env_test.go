// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEnvIsReadByAShell lets a shell evaluate what "network env" prints, with a directory whose name needs quoting.
func TestEnvIsReadByAShell(t *testing.T) {
	n := &Network{Topology: plan(t, Options{MutualTLS: true}), Dir: "/it's a dir", Bin: "/b i n"}
	var out bytes.Buffer
	require.NoError(t, n.WriteEnv("ORG2", &out))
	out.WriteString("printf '%s\\n' \"$CORE_PEER_ADDRESS\" \"$CORE_PEER_MSPCONFIGPATH\" \"$CORE_PEER_TLS_CLIENTMODE\" \"$PATH\"\n")
	cmd := exec.Command("/bin/sh", "-eu")
	cmd.Stdin = &out
	cmd.Env = []string{"PATH=/usr/bin"}
	got, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", got)
	require.Equal(t, "127.0.0.1:7250\n/it's a dir/crypto/peerOrganizations/org2.example.com/users/Admin@org2.example.com/msp\ngm\n/b i n:/usr/bin\n", string(got))
	require.ErrorContains(t, n.WriteEnv("org9", &out), "it has Org1, Org2")
	require.ErrorContains(t, n.WriteEnv("orderer", &out), "has no peers")
}

// TestCommandTellsOfAnEndedNode lets commands fail towards nodes that have ended: the error has the end of the node's log, also where osnadmin
// itself calls a refusal a success.
func TestCommandTellsOfAnEndedNode(t *testing.T) {
	n := &Network{Topology: plan(t, Options{}), Dir: t.TempDir(), Bin: t.TempDir(), units: map[string]unit{}}
	for name, script := range map[string]string{"peer": "exit 1", "osnadmin": "echo Status: 500"} {
		require.NoError(t, os.WriteFile(filepath.Join(n.Bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	peer, orderer := n.Nodes(Peer)[0], n.Nodes(Orderer)[0]
	ended := make(chan struct{})
	close(ended)
	for _, node := range []Node{peer, orderer} {
		log := n.path(node.Name + ".log")
		require.NoError(t, os.WriteFile(log, []byte("the cause at "+node.Name+"\n"), 0o600))
		n.units[node.Name] = &process{Name: node.Name, Log: log, exited: ended}
	}
	_, err := n.PeerCommand(t.Context(), peer, "channel", "list")
	require.ErrorContains(t, err, "the cause at "+peer.Name)
	_, err = n.Osnadmin(t.Context(), orderer, "list")
	require.ErrorContains(t, err, "Status: 500")
	require.ErrorContains(t, err, "the cause at "+orderer.Name)
}
