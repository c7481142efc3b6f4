// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/integration/network"
)

func needsDocker(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("no Docker engine answers: %v\n%s", err, out)
	}
}

// TestDockerAuthorities runs a small network in containers, with certificates of an authority of each organisation. A further user is
// registered, works, and is refused once revoked.
func TestDockerAuthorities(t *testing.T) {
	needsDocker(t)
	n, ctx := start(t, network.Options{Docker: true, Mode: network.ModeGM, Algorithm: network.AlgorithmGM, Orderers: 1, Peers: 1, CA: authorities})
	for _, node := range []network.Node{n.Ordering.Nodes[0], n.Peers[0].PeersOf()[0]} {
		served, err := n.ServedCertificate(ctx, node)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(served)
		require.NoError(t, err)
		root := leafOf(t, caCertificate(n, n.OrgOf(node)))
		require.NoError(t, x509.CheckSignatureFrom(cert, root))
	}
	checkTransactions(ctx, t, n)
	revokeUser(ctx, t, n)
}

// TestDocker runs a small network in containers of the images that make docker has built.
func TestDocker(t *testing.T) {
	needsDocker(t)
	requireSizesOfReadme(t)
	n, ctx := start(t, network.Options{Docker: true, Orderers: 1, Peers: 1})
	checkTransactions(ctx, t, n)
	checkPrivateData(ctx, t, n)
	checkOperator(ctx, t, n)
	requireTLSRefused(t, n)

	project := fmt.Sprintf("label=com.docker.compose.project=fabric-gm-%d", n.Ordering.Nodes[0].Port)
	// The images' own health checks, through the binaries' flags.
	require.Eventually(t, func() bool {
		out, err := exec.Command("docker", "ps", "--filter", project, "--format", "{{.Names}} {{.Status}}").Output()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		for _, line := range lines {
			if !strings.HasSuffix(line, "(healthy)") {
				return false
			}
		}
		return err == nil && len(lines) == 5
	}, 60*time.Second, 200*time.Millisecond, "containers do not become healthy")

	victim := n.Peers[1].PeersOf()[0]
	require.NoError(t, n.Kill(ctx, victim.Name))
	submitted := contract(t, n, n.Peers[0].PeersOf()[0])
	require.NoError(t, n.Start(victim.Name))
	require.NoError(t, n.AwaitHealthy(ctx, victim))
	// The other organisation's peers have to notice that it is back.
	require.Eventually(t, func() bool {
		_, err := submitted.SubmitWithContext(ctx, "CreateAsset", client.WithArguments("after", "red", "1", "gabi", "2"))
		return err == nil
	}, recoveryLimit, 100*time.Millisecond, "no transaction after %s came back", victim.Name)
	requireSameChain(ctx, t, n)
}

// requireSizesOfReadme compares the images with what the README says of them, in MB, by a tenth.
func requireSizesOfReadme(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	stated := regexp.MustCompile(`peer (\d+) MB,\s+orderer (\d+) MB, asset chaincode (\d+) MB, tools (\d+) MB`).FindStringSubmatch(string(text))
	require.NotNil(t, stated)
	for i, image := range []string{"peer", "orderer", "asset", "tools"} {
		out, err := exec.Command("docker", "image", "inspect", "--format", "{{.Size}}", "fabric-gm-"+image).CombinedOutput()
		require.NoError(t, err, "%s", out)
		bytes, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		require.NoError(t, err)
		megabytes, err := strconv.ParseFloat(stated[i+1], 64)
		require.NoError(t, err)
		require.InEpsilon(t, megabytes, bytes/1e6, 0.1, image)
	}
}
