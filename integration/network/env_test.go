// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"os/exec"
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
