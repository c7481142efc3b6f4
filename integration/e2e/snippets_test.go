// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// cloneLimit is for building everything in a clone, in the worst case from nothing.
const cloneLimit = 20 * time.Minute

// TestReadmeCommands runs the commands of the README in their order, as printed, in a fresh clone. Only the first port differs
// from what its readers have.
func TestReadmeCommands(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), cloneLimit)
	defer cancel()
	clone := filepath.Join(t.TempDir(), "clone")
	out, err := exec.CommandContext(ctx, "git", "clone", "--quiet", "../..", clone).CombinedOutput()
	require.NoError(t, err, "%s", out)
	shell := func(script string) {
		t.Helper()
		cmd := exec.CommandContext(ctx, "/bin/sh", "-eu", "-c", script)
		cmd.Dir = clone
		cmd.Env = append(os.Environ(), fmt.Sprintf("BASE_PORT=%d", freeBlock(t)))
		cmd.WaitDelay = 5 * time.Second // what the nodes might hold open
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", script, out)
		t.Logf("%s\n%s", script, out)
	}
	t.Cleanup(func() {
		for _, target := range []string{"network-down", "docker-network-down"} {
			cmd := exec.Command("make", target)
			cmd.Dir = clone
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
		}
	})
	engine := exec.CommandContext(ctx, "docker", "version").Run()
	ran := 0
	for _, s := range snippets(t, filepath.Join(clone, "README.md")) {
		switch {
		case s.language != "sh":
		case s.needs == "release": // TestKits of integration/clients runs it, with a separate module cache
		case s.needs == "docker" && engine != nil:
			t.Logf("no Docker engine answers (%v), not run:\n%s", engine, s.code)
		default:
			require.Contains(t, []string{"", "docker"}, s.needs)
			shell(s.code)
			ran++
		}
	}
	require.GreaterOrEqual(t, ran, 3)
	for _, dir := range []string{"network", "docker-network"} {
		require.NoDirExists(t, filepath.Join(clone, "build", dir), "the last command takes the network down")
	}
}

// TestReadmeGoSnippet compiles the README's application and runs it on a network.
func TestReadmeGoSnippet(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Peers: 1})
	var body string
	for _, s := range snippets(t, "../../README.md") {
		if s.language == "go" {
			require.Empty(t, body, "two Go snippets")
			body = s.code
		}
	}
	require.NotEmpty(t, body)
	// Within the module, so that it is built with what this repository requires.
	dir, err := os.MkdirTemp("../../build", "snippet") //nolint:usetesting // t.TempDir stands outside the module
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	source := "package main\n\nimport (\n\t\"fmt\"\n\t\"log\"\n\n\t\"github.com/hyperledger/fabric/pkg/gmgateway\"\n)\n\n" +
		"func run() error {\n" + body + "fmt.Printf(\"%s\\n\", result)\nreturn err\n}\n\n" +
		"func main() {\n\tif err := run(); err != nil {\n\t\tlog.Fatal(err)\n\t}\n}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
	binary := program(ctx, t, dir)

	profile, err := os.ReadFile(n.Profile(n.Peers[0]))
	require.NoError(t, err)
	place := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(place, "connection.yaml"), profile, 0o600))
	cmd := exec.CommandContext(ctx, binary)
	cmd.Dir = place
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, source)
	require.Contains(t, string(out), `"owner":"Tom"`)
	require.Equal(t, "Tom", read(ctx, t, contract(t, n, n.Peers[0].PeersOf()[0]), "a1").Owner)
}
