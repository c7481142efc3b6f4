// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// sidecar is a proxy that runs beside an application.
type sidecar struct {
	address, metrics string
	root             string // the file of the root that it trusts
	hangUp           func() // sends SIGHUP
}

// TestSidecar reloads a proxy that runs as a process, and the one of docs/applications.md as a service of Compose.
func TestSidecar(t *testing.T) {
	n, ctx := networktest.Start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmECDSA, Orderers: 1, Peers: 1})
	peer := n.Peers[0].PeersOf()[0]
	root := func(org network.Org) string {
		return read(t, filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain, "peers", org.PeersOf()[0].Name, "tls", "gm-ca.crt"))
	}
	right, wrong := root(n.Peers[0]), root(n.Peers[1])
	require.NotEqual(t, right, wrong)
	t.Run("process", func(t *testing.T) {
		s := sidecar{root: write(t, filepath.Join(t.TempDir(), "gm-ca.crt"), []byte(right)), metrics: freeAddress(t)}
		address, process := runProxy(ctx, t, peer, s.root, "--metrics", s.metrics)
		s.address = address
		s.hangUp = func() { require.NoError(t, process.Signal(syscall.SIGHUP)) }
		s.exercise(ctx, t, n, right, wrong)
	})
	t.Run("compose", func(t *testing.T) {
		if _, err := exec.LookPath("docker-compose"); err != nil {
			t.Skip("no docker-compose here: ", err)
		}
		if out, err := exec.Command("docker", "image", "inspect", "fabric-gm-tools").CombinedOutput(); err != nil {
			t.Skipf("make docker has built no image: %s", out)
		}
		compose(ctx, t, peer, right).exercise(ctx, t, n, right, wrong)
	})
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// compose starts the service of the document, in this machine's network in place of an application's container.
func compose(ctx context.Context, t *testing.T, peer network.Node, root string) sidecar {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../docs/applications.md"), "```yaml\nservices:\n")
	require.True(t, found)
	text, _, _ := strings.Cut(rest, "```")
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // the container has another user
	s := sidecar{address: freeAddress(t), metrics: freeAddress(t), root: filepath.Join(dir, "gm-ca.crt")}
	require.NoError(t, os.WriteFile(s.root, []byte(root), 0o644))
	text = "version: '2.4'\nservices:\n" + strings.NewReplacer(`"service:application"`, "host", "127.0.0.1:17051", s.address, "127.0.0.1:17052", s.metrics,
		"peer0.org1.example.com:7051", peer.Address(), "/etc/fabric/app:/etc/fabric/app", dir+":/etc/fabric/app").Replace(text)
	file := write(t, filepath.Join(dir, "compose.yaml"), []byte(text))
	run := func(ctx context.Context, args ...string) {
		t.Helper()
		out, err := exec.CommandContext(ctx, "docker-compose", append([]string{"--project-name", "gmproxy" + strings.TrimPrefix(s.metrics, "127.0.0.1:"), "--file", file}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	t.Cleanup(func() {
		clean, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		run(clean, "down", "--timeout", "1")
	})
	run(ctx, "up", "--detach")
	s.hangUp = func() { run(ctx, "kill", "-s", "HUP", "gmtls-proxy") }
	return s
}

// exercise submits through the proxy, gives it a root that the peer's certificate is not from, and the right one again.
func (s sidecar) exercise(ctx context.Context, t *testing.T, n *network.Network, right, wrong string) {
	t.Helper()
	require.Eventually(t, func() bool { return s.get("/healthz") != "" }, 30*time.Second, 100*time.Millisecond, "the proxy is not healthy")
	ask := func() error {
		contract := stockGateway(t, n, n.Peers[0], s.address).GetNetwork(n.Channel).GetContract(network.ChaincodeName)
		_, err := contract.EvaluateTransaction("AssetExists", "a1")
		return err
	}
	require.NoError(t, ask())
	s.reload(t, wrong, "1")
	require.Error(t, ask())
	s.reload(t, right, "2")
	require.NoError(t, ask())
	require.NoError(t, ctx.Err())
}

// reload puts a root in the place of the present one and waits until the proxy has read it. The file stays the same one, as
// Docker binds files and folders by what they are.
func (s sidecar) reload(t *testing.T, root, count string) {
	t.Helper()
	require.NoError(t, os.WriteFile(s.root, []byte(root), 0o644))
	s.hangUp()
	require.Eventually(t, func() bool { return strings.Contains(s.get("/metrics"), "\ngmtls_proxy_reloads_total "+count+"\n") }, 30*time.Second, 100*time.Millisecond,
		"no reload: %s", s.get("/metrics"))
}

// get returns what the proxy answers, or nothing.
func (s sidecar) get(path string) string {
	response, err := http.Get("http://" + s.metrics + path)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return string(text) + "\n"
}
