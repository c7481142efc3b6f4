// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestSmokeRaft runs the smallest network of two organisations over Raft. make smoke runs it over any upstream.
func TestSmokeRaft(t *testing.T) {
	smoke(t, network.Options{Consensus: network.ConsensusRaft, Orderers: 1, Peers: 1, Relayed: true})
}

// TestSmokeBFT runs the smallest network whose orderers survive one that is faulty, over SmartBFT, with blocks that are hashed with SM3.
func TestSmokeBFT(t *testing.T) {
	smoke(t, network.Options{Consensus: network.ConsensusBFT, Hash: network.HashSM3, Peers: 1, Relayed: true, Bin: fabric3(t)})
}

// fabric3 is the folder of binaries over Fabric 3: what NETWORK_BIN names if these have it, as make smoke UPSTREAM=3.1.5 does, else those
// that make build UPSTREAM=3.1.1 and network-tools UPSTREAM=3.1.1 write.
func fabric3(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("NETWORK_BIN")
	if !strings.HasPrefix(filepath.Base(bin), "bin-3.") {
		bin = "../../build/bin-3.1.1"
	}
	bin, err := filepath.Abs(bin)
	require.NoError(t, err)
	return bin
}

func smoke(t *testing.T, o network.Options) {
	n, ctx := start(t, o)
	checkTransactions(ctx, t, n)
	requireSameChain(ctx, t, n)
	requireSameOrdererHeight(ctx, t, n)
	requireOnly(t, n, network.ModeGM)
}
