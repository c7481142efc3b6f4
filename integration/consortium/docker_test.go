// SPDX-License-Identifier: Apache-2.0

//go:build integration && linux

package consortium

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/networktest"
)

const containerLimit = 2 * time.Minute

func needDocker(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("no Docker engine answers: %v\n%s", err, out)
	}
}

func docker(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// TestImagesWithoutMaterial: an image says what it is, holds no key, and without a mounted MSP its node does not start, not even as upstream's
// sample organisation.
func TestImagesWithoutMaterial(t *testing.T) {
	needDocker(t)
	ctx, cancel := context.WithTimeout(t.Context(), containerLimit)
	defer cancel()
	version, err := exec.CommandContext(ctx, "../../build/bin/peer", "version").Output()
	require.NoError(t, err)
	want := regexp.MustCompile(`Version: (\S+)`).FindStringSubmatch(string(version))
	require.NotNil(t, want)
	for _, image := range []string{"peer", "orderer", "asset", "tools", "keyd"} {
		text, err := docker(ctx, "image", "inspect", "--format", "{{json .Config.Labels}}", "fabric-gm-"+image+":"+want[1])
		require.NoError(t, err, "%s: make docker", text)
		var labels map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &labels))
		require.Equal(t, want[1], labels["org.opencontainers.image.version"], image)
		require.Regexp(t, `^[0-9a-f]{12}(-dirty)?$`, labels["org.opencontainers.image.revision"], image)
	}
	for _, node := range []string{"peer", "orderer"} {
		id, err := docker(ctx, "create", "fabric-gm-"+node)
		require.NoError(t, err, id)
		t.Cleanup(func() { _, _ = docker(context.Background(), "rm", "--force", id) })
		names, err := exec.CommandContext(ctx, "sh", "-c", "docker export "+id+" | tar -t").Output()
		require.NoError(t, err)
		require.Contains(t, string(names), "etc/hyperledger/fabric/")
		require.NotRegexp(t, `(?m)keystore|signcerts|\.pem$|\.key$`, string(names))

		name := fmt.Sprintf("fabric-gm-bare-%s-%d", node, os.Getpid())
		t.Cleanup(func() { _, _ = docker(context.Background(), "rm", "--force", name) })
		started, err := docker(ctx, "run", "--detach", "--name", name, "fabric-gm-"+node)
		require.NoError(t, err, started)
		code, err := docker(ctx, "wait", name)
		require.NoError(t, err)
		require.NotEqual(t, "0", code)
		said, err := docker(ctx, "logs", name)
		require.NoError(t, err)
		require.Contains(t, said, "/etc/hyperledger/fabric/msp", "what is missing")
	}
}

// freeTail is a free port that takes the place of a port of the guide.
func freeTail(t *testing.T) int { t.Helper(); return networktest.FreeBlock(t) }

// TestDockerRun runs the commands of the deployment guide for a peer in Docker as printed; only folder, name and published ports are others.
func TestDockerRun(t *testing.T) {
	needDocker(t)
	if os.Geteuid() != 0 {
		t.Skip("the guide gives files to the user of the images, which only root can")
	}
	ctx, cancel := context.WithTimeout(t.Context(), containerLimit)
	defer cancel()
	text, err := os.ReadFile("../../docs/deployment.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```sh\n(chown -R 10001:10001 /etc/fabric/peer .*?)```").FindStringSubmatch(string(text))
	require.NotNil(t, block, "the guide has no commands for Docker")

	folder := peerFolder(ctx, t)
	name, port := fmt.Sprintf("fabric-gm-guide-%d", os.Getpid()), freeTail(t)
	script := strings.NewReplacer("/etc/fabric/peer", folder, "peer0", name, "-p 7051", fmt.Sprintf("-p %d", port), "-p 9443", fmt.Sprintf("-p %d", port+1)).Replace(block[1])
	t.Cleanup(func() {
		_, _ = docker(context.Background(), "rm", "--force", name)
		_, _ = docker(context.Background(), "volume", "rm", name)
	})
	run, reload, found := strings.Cut(script, "docker kill")
	require.True(t, found)
	out, err := exec.CommandContext(ctx, "sh", "-eu", "-c", run).CombinedOutput()
	require.NoError(t, err, "%s\n%s", run, out)
	require.Eventually(t, func() bool {
		health, err := docker(ctx, "inspect", "--format", "{{.State.Health.Status}}", name)
		return err == nil && health == "healthy"
	}, containerLimit, 500*time.Millisecond, "the container does not become healthy")
	out, err = exec.CommandContext(ctx, "sh", "-eu", "-c", "docker kill"+reload).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Eventually(t, func() bool {
		said, err := docker(ctx, "logs", name)
		return err == nil && strings.Contains(said, "SIGHUP")
	}, containerLimit, 200*time.Millisecond, "nothing is reloaded")
}

// peerFolder makes configuration and certificates of a peer for the folder that the guide mounts.
func peerFolder(ctx context.Context, t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plan := `channel: trade
organizations:
  - name: Port
    mspID: PortMSP
    domain: port.example
    certificates: openssl
    hosts:
      - name: port1
        address: 127.0.0.1
        run: compose
        nodes:
          - {name: orderer0, kind: orderer, port: 7050, admin: 7055, operations: 8443}
          - {name: peer0, kind: peer, port: 7051, launched: 7052, operations: 9443}
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "consortium.yaml"), []byte(plan), 0o600))
	consortium, err := filepath.Abs("../../build/bin/consortium")
	require.NoError(t, err)
	host := filepath.Join(dir, "Port", "port1")
	for _, command := range []string{
		consortium + " plan --organization Port --out Port",
		"sed -i 's|/etc/fabric|" + host + "|' " + host + "/request.sh " + host + "/install.sh",
		"sh Port/ca/create.sh", "sh Port/port1/request.sh", "sh Port/ca/issue.sh port1 Port/port1/requests public", "sh Port/port1/install.sh public",
		// In the guide the node's folder is mounted at that of the image.
		"sed -i 's|/etc/fabric/peer0.port.example|/etc/hyperledger/fabric|' " + host + "/peer0.port.example/core.yaml",
		"sed -i 's|/var/hyperledger/peer0.port.example|/var/hyperledger/production|' " + host + "/peer0.port.example/core.yaml",
	} {
		cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", command)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", command, out)
	}
	return filepath.Join(host, "peer0.port.example")
}
