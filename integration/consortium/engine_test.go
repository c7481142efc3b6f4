// SPDX-License-Identifier: Apache-2.0

//go:build integration && linux

package consortium

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// byCompose stands for systemctl as the guide says: compose takes its place.
const byCompose = `#!/bin/sh
set -eu
verb=$1
shift
[ "$1" != --now ] || shift
cd /etc/fabric
for unit in "$@"; do
    node=${unit%%.*}
    case $verb in
    enable|start|restart) docker compose up -d "$node" ;;
    stop) docker compose stop "$node" ;;
    *) echo "systemctl $verb has no place under compose" >&2; exit 2 ;;
    esac
done
`

// clientOf copies the docker command to a file: each host has a separate /usr/local/bin.
func clientOf(t *testing.T, file string) {
	t.Helper()
	found, err := exec.LookPath("docker")
	require.NoError(t, err)
	out, err := exec.Command("cp", "-L", found, file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// composeOf is the docker command, also where compose is a separate program.
func composeOf(t *testing.T, shared string) string {
	t.Helper()
	program := filepath.Join(shared, "docker-client")
	clientOf(t, program)
	if exec.Command(program, "compose", "version").Run() == nil {
		return "#!/bin/sh\nexec " + program + " \"$@\"\n"
	}
	compose, err := exec.LookPath("docker-compose")
	if err != nil {
		t.Skip("neither docker compose nor docker-compose is installed")
	}
	return "#!/bin/sh\nif [ \"$1\" = compose ]; then shift; exec " + compose + " \"$@\"; fi\nexec " + program + " \"$@\"\n"
}

// ofOneEngine changes a host's compose file for an engine that has all hosts: it sees the host's folders from outside, and each host
// publishes on a different address.
const ofOneEngine = `
sed -i -e "s|- /etc/fabric/|- $ROOT/etc/fabric/|" -e "s|- /var/hyperledger/|- $ROOT/var/hyperledger/|" -e 's|"127.0.0.1:|"|' -e "/ports:/,/extra_hosts:/ s|- \"|- \"$ADDRESS:|" /etc/fabric/compose.yaml
sed -i "s|^127.0.0.1.*localhost|$ADDRESS localhost|" /etc/hosts
`

// TestComposeHosts: the hosts of the guide run compose, each a project with a separate Docker network. The nodes come from the files that
// the plan writes; a host is lost and comes back.
func TestComposeHosts(t *testing.T) {
	needDocker(t)
	if os.Geteuid() != 0 {
		t.Skip("the guide gives files to the user of the images, which only root can")
	}
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	names := []string{"bank1", "port1", "customs1"}
	shared := t.TempDir()
	hosts := hostsOf(ctx, t, shared, map[string]string{"systemctl": byCompose, "docker": composeOf(t, shared)}, false, names...)
	for _, h := range hosts {
		h.engine = true
		project := fmt.Sprintf("fabric-gm-%s-%d", h.name, os.Getpid())
		h.env = append(h.env, "ROOT="+h.dir, "ADDRESS="+h.address, "COMPOSE_PROJECT_NAME="+project)
		ip(ctx, t, "addr add "+h.address+"/32 dev lo")
		t.Cleanup(func() {
			clean, cancel := context.WithTimeout(context.Background(), containerLimit)
			defer cancel()
			if t.Failed() {
				logs, _ := h.try(clean, "cd /etc/fabric && docker compose logs --tail 15")
				t.Logf("%s: %s", h.name, logs)
			}
			h.run(clean, t, "cd /etc/fabric && [ ! -e compose.yaml ] || docker compose down --timeout 2")
			ip(clean, t, "addr del "+h.address+"/32 dev lo")
		})
	}
	t.Cleanup(func() { _, _ = docker(context.Background(), "image", "rm", "ledger:1") })
	change := func(p *part) bool {
		p.code = strings.NewReplacer("run: systemd", "run: compose", "command: /usr/local/bin/ledger", "image: ledger:1").Replace(p.code)
		if strings.Contains(p.code, "/etc/fabric/\ncat") {
			p.code += ofOneEngine
		}
		return openSSLOnly(p) && !strings.Contains(p.code, "useradd") && slices.Contains([]string{"run", "file", "compose"}, p.kind)
	}
	ran := follow(ctx, t, hosts, partsOf(t, "", headingUpgrade, change))
	require.GreaterOrEqual(t, ran, 29, "commands of the guide")
	requireNetworks(ctx, t, hosts)
	require.Equal(t, 2, follow(ctx, t, hosts, partsOf(t, "## When a host is lost", "### New binaries", change)), "a host is lost and comes back")
	requireNetworks(ctx, t, hosts)
}

// requireNetworks: each host's containers are in a separate network, and healthy.
func requireNetworks(ctx context.Context, t *testing.T, hosts map[string]*host) {
	t.Helper()
	networks := map[string]string{}
	for _, h := range hosts {
		for _, node := range []string{"orderer0", "peer0", "ledger"} {
			container := node + "." + h.domain
			network, err := docker(ctx, "inspect", "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}", container)
			require.NoError(t, err, network)
			require.Contains(t, []string{"", h.name}, networks[network], "%s is in the network of another host", container)
			networks[network] = h.name
			if node == "ledger" {
				continue // chaincode has no health check
			}
			require.Eventually(t, func() bool {
				health, err := docker(ctx, "inspect", "--format", "{{.State.Health.Status}}", container)
				return err == nil && health == "healthy"
			}, containerLimit, time.Second, container)
		}
	}
	require.Len(t, networks, len(hosts))
}
