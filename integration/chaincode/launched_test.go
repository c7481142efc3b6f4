// SPDX-License-Identifier: Apache-2.0

//go:build integration

// Package chaincode tests chaincode that a peer builds in a container and launches, over TLCP.
package chaincode

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// limit is for the whole test: the peer compiles gRPC twice, in containers that have no build cache.
const limit = 15 * time.Minute

// answer is how long a chaincode that was launched again may take to answer.
const answer = time.Minute

// requireImages skips the test where there is no Docker engine, and fails where there is one without the images.
func requireImages(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("no Docker engine answers: %v\n%s", err, out)
	}
	for _, image := range []string{"fabric-gm-ccenv", "fabric-gm-baseos"} {
		out, err := exec.Command("docker", "image", "inspect", image).CombinedOutput()
		require.NoError(t, err, "run make test-chaincode, which builds the images: %s", out)
	}
}

// useDocker gives a peer the engine, as docs/applications.md says.
func useDocker(ctx context.Context, t *testing.T, n *network.Network, peer network.Node) {
	t.Helper()
	require.NoError(t, n.Stop(ctx, peer.Name))
	file := filepath.Join(n.Dir, "nodes", peer.Name, "core.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	changed := string(text)
	for old, new := range map[string]string{
		`endpoint: ""`:       "endpoint: unix:///var/run/docker.sock\n  docker: {attachStdout: true, hostConfig: {NetworkMode: host}}",
		"chaincode:\n":       "chaincode:\n  builder: fabric-gm-ccenv\n  golang: {runtime: fabric-gm-baseos, dynamicLink: true}\n",
		"installTimeout: 1m": "installTimeout: 10m",
	} {
		require.Equal(t, 1, strings.Count(changed, old), old)
		changed = strings.Replace(changed, old, new, 1)
	}
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
	require.NoError(t, n.Start(peer.Name))
	require.NoError(t, n.AwaitHealthy(ctx, peer))
}

// makePackage copies the template, vendors what it needs and packs it. A change makes another package id.
func makePackage(ctx context.Context, t *testing.T, n *network.Network, label, change string) string {
	t.Helper()
	kits, err := filepath.Abs("../../build/kits")
	require.NoError(t, err)
	source := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.CopyFS(source, os.DirFS(filepath.Join(kits, "token"))), "run make kits")
	if change != "" {
		file := filepath.Join(source, "change.go")
		require.NoError(t, os.WriteFile(file, []byte(change), 0o600))
	}
	vendor := exec.CommandContext(ctx, "go", "mod", "vendor")
	cache := t.TempDir()
	vendor.Dir = source
	vendor.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOFLAGS=-modcacherw", "GOPROXY=file://"+filepath.Join(kits, "modules"),
		"GONOSUMDB=github.com/hyperledger/fabric/*")
	out, err := vendor.CombinedOutput()
	require.NoError(t, err, "%s", out)
	file := filepath.Join(n.Dir, label+".tar.gz")
	networktest.Peer(ctx, t, n, n.Nodes(network.Peer)[0], "lifecycle", "chaincode", "package", file, "--path", source, "--lang", "golang", "--label", label)
	return file
}

// requireRefused installs chaincode in another language, whose shim could not reach this peer's listener, and expects to be told.
func requireRefused(ctx context.Context, t *testing.T, n *network.Network, peer network.Node, language string) {
	t.Helper()
	source := t.TempDir()
	for _, name := range []string{"Chaincode.java", "package.json"} {
		require.NoError(t, os.WriteFile(filepath.Join(source, name), []byte("{}"), 0o600))
	}
	file := filepath.Join(n.Dir, language+".tar.gz")
	networktest.Peer(ctx, t, n, peer, "lifecycle", "chaincode", "package", file, "--path", source, "--lang", language, "--label", language)
	cmd := exec.CommandContext(ctx, filepath.Join(n.Bin, "peer"), "lifecycle", "chaincode", "install", file)
	cmd.Env = os.Environ()
	for _, v := range n.PeerEnv(n.Peers[0], peer, "Admin") {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), `set chaincode.tls.mode to "tls"`)
	require.NotContains(t, networktest.Peer(ctx, t, n, peer, "lifecycle", "chaincode", "queryinstalled"), language)
}

// containers lists the names of the containers of a chaincode of this network's peer, running or not.
func containers(t *testing.T, id string) []string {
	t.Helper()
	out, err := exec.Command("docker", "ps", "--filter", "name="+strings.ReplaceAll(id, ":", "-"), "--format", "{{.ID}}").Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

// remove takes away what the peer has made: containers and images of the package.
func remove(t *testing.T, id string) {
	name := strings.ReplaceAll(id, ":", "-")
	for _, list := range [][]string{
		{"ps", "--all", "--quiet", "--filter", "name=" + name}, {"images", "--quiet", "--filter", "reference=*" + name + "*"},
	} {
		out, err := exec.Command("docker", list...).Output()
		require.NoError(t, err)
		verb := []string{"rm", "--force"}
		if list[0] == "images" {
			verb = []string{"image", "rm", "--force"}
		}
		if ids := strings.Fields(string(out)); len(ids) > 0 {
			out, err := exec.Command("docker", append(verb, ids...)...).CombinedOutput()
			require.NoError(t, err, "%s", out)
		}
	}
}

// TestLaunched: package, install, build, run, invoke, crash and relaunch, upgrade; languages that cannot be launched are refused.
func TestLaunched(t *testing.T) {
	requireImages(t)
	n, _ := networktest.Start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Orgs: 1, Peers: 1})
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	peer := n.Nodes(network.Peer)[0]
	useDocker(ctx, t, n, peer)
	requireRefused(ctx, t, n, peer, "java")
	requireRefused(ctx, t, n, peer, "node")

	// Labels are this run's own, as images and containers outlive a test that is killed.
	label := fmt.Sprintf("token%d_", time.Now().UnixNano())
	first := networktest.Deploy(ctx, t, n, "token", makePackage(ctx, t, n, label+"1", ""), 1)
	t.Cleanup(func() { remove(t, first) })
	connection, err := n.Gateway(peer)
	require.NoError(t, err)
	defer connection.Close()
	token := connection.GetNetwork(n.Channel).GetContract("token")
	account, err := token.EvaluateTransaction("Account")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(account), "Org1MSP::"), "%s", account)
	_, err = token.SubmitTransaction("Issue", string(account), "1")
	require.ErrorContains(t, err, "ndorse", "User1 has no attribute")
	// The peer launches it over TLCP alone: its listener for chaincode refuses TLS.
	probe, err := exec.CommandContext(ctx, filepath.Join(n.Bin, "gmtls"), "probe", fmt.Sprintf("%s:%d", peer.Host, peer.CCPort)).CombinedOutput()
	require.Contains(t, string(probe), "TLCP", "%v", err)

	running := containers(t, first)
	require.Len(t, running, 1)
	out, err := exec.Command("docker", "kill", running[0]).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Eventually(t, func() bool {
		_, err := token.EvaluateTransaction("Balance", string(account))
		return err == nil
	}, answer, time.Second, "no answer after the container was killed")
	again := containers(t, first)
	require.Len(t, again, 1)
	require.NotEqual(t, running, again)

	second := networktest.Deploy(ctx, t, n, "token", makePackage(ctx, t, n, label+"2",
		"package main\n\n// Version is what the upgrade adds.\nfunc (*Token) Version() string { return \"two\" }\n"), 2)
	t.Cleanup(func() { remove(t, second) })
	version, err := token.EvaluateTransaction("Version")
	require.NoError(t, err)
	require.Equal(t, "two", string(version))
}
