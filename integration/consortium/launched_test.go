// SPDX-License-Identifier: Apache-2.0

//go:build integration && linux

package consortium

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/networktest"
)

// engineLimit is how long an engine may take to answer, and to stop.
const engineLimit = 30 * time.Second

// startEngine gives a host a separate Docker engine: it is in the host's network, and so are containers with the network of the host.
func (h *host) startEngine(ctx context.Context, t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	settings := filepath.Join(dir, "daemon.json") // in place of this machine's
	require.NoError(t, os.WriteFile(settings, []byte("{}"), 0o600))
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	engine := h.command(context.WithoutCancel(ctx), "exec dockerd --config-file "+settings+" --data-root "+filepath.Join(dir, "data")+
		" --bridge none --iptables=false --ip6tables=false")
	engine.Stdout, engine.Stderr = log, log
	require.NoError(t, engine.Start())
	ended := make(chan struct{})
	go func() { _ = engine.Wait(); close(ended) }()
	t.Cleanup(func() {
		clean, cancel := context.WithTimeout(context.Background(), engineLimit)
		defer cancel()
		if out, err := h.try(clean, "docker ps --all --quiet | xargs --no-run-if-empty docker rm --force"); err != nil {
			t.Log(out)
		}
		_ = engine.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-clean.Done():
			t.Error("the engine does not stop")
		}
	})
	for until := time.Now().Add(engineLimit); ; time.Sleep(100 * time.Millisecond) {
		if _, err := h.try(ctx, "docker version"); err == nil {
			return
		}
		select {
		case <-ended:
		default:
			if time.Now().Before(until) {
				continue
			}
		}
		text, err := os.ReadFile(log.Name())
		require.NoError(t, err)
		t.Skipf("no separate Docker engine starts on a host:\n%s", text)
	}
}

// TestLaunchedByPlan: chaincode that a peer of a planned host builds and launches, by the guide's commands. The plan of the Port has no node
// for it, and its host has a Docker engine; the others run the same program as a service. All three endorse one transaction.
func TestLaunchedByPlan(t *testing.T) {
	for _, program := range []string{"dockerd", "docker"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("a Docker engine needs root")
	}
	if !networktest.InNamespaces(t, testLimit) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	makeBridge(ctx, t)
	shared := t.TempDir()
	hosts := hostsOf(ctx, t, shared, inNamespaces(t), true, "bank1", "port1", "customs1")
	clientOf(t, filepath.Join(shared, "sbin", "docker"))
	port := hosts["port1"]
	port.startEngine(ctx, t)
	script, err := filepath.Abs("../../scripts/docker-chaincode.sh")
	require.NoError(t, err)
	port.run(ctx, t, script)

	parts := partsOf(t, "", headingUpgrade, func(p *part) bool {
		p.code = strings.Replace(p.code, portWithService, portWithout, 1)
		if p.kind == "run" && strings.Contains(p.code, "/ledger.$DOMAIN/") {
			p.hosts = slices.DeleteFunc(p.hosts, func(name string) bool { return name == port.name })
		}
		return openSSLOnly(p) && slices.Contains([]string{"run", "file"}, p.kind)
	})
	launched := partsOf(t, "### Launched by a peer", "## Change the channel", func(p *part) bool { return p.kind == "launched" })
	require.Len(t, launched, 2)
	commit := slices.IndexFunc(parts, func(p part) bool { return strings.Contains(p.code, "lifecycle chaincode commit") })
	require.Positive(t, commit)
	ran := follow(ctx, t, hosts, slices.Insert(parts, commit, launched...))
	require.GreaterOrEqual(t, ran, 25, "commands of the guide")
	require.NoFileExists(t, filepath.Join(port.dir, "etc/systemd/system/ledger.port.example.service"))
	require.Contains(t, port.run(ctx, t, "docker ps --format '{{.Names}} {{.Status}}'"), "peer0.port.example-launched_1")
}

// portWithService is the end of the Port's nodes in the guide's plan.
const (
	portWithService = `9543}
          - {name: ledger, kind: chaincode, port: 7060, command: /usr/local/bin/ledger}`
	portWithout = `9543}`
)
