// SPDX-License-Identifier: Apache-2.0

//go:build integration

package clients

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// TestFromRelease has what somebody has who got a release: its archive and Debian's packages. In namespaces without a network it
// starts a network of the archive's binaries that speaks only TLCP. Then it goes, in an empty folder for each language, by the
// commands of docs/applications.md as they are printed, until a transaction is committed and read.
func TestFromRelease(t *testing.T) {
	if !networktest.InNamespaces(t, kitsLimit) {
		return
	}
	// A peer does not start on a machine that has only loopback addresses. Nothing is at the other end.
	for _, args := range []string{"link add site0 type veth peer name site1", "address add 192.0.2.1/24 dev site0", "link set site0 up"} {
		out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
		require.NoError(t, err, "ip %s: %s", args, out)
	}
	release := unpack(t)
	n, _ := networktest.Start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Orgs: 1, Peers: 1, Bin: binaries(t, release)})
	ctx, cancel := context.WithTimeout(t.Context(), kitsLimit)
	defer cancel()
	r := reader{network: n, release: release, home: t.TempDir(), document: read(t, "../../docs/applications.md")}
	t.Run("go", func(t *testing.T) {
		out := r.follow(ctx, t, "go", "private", "events")
		require.Contains(t, out, `"owner":"Tom"`)
		require.Contains(t, out, `"appraisal":7`)
		require.Contains(t, out, "event DeleteAsset")
	})
	t.Run("go from an empty module", func(t *testing.T) {
		require.Contains(t, r.follow(ctx, t, "own"), `"owner":"Tom"`)
	})
	r.startProxy(ctx, t)
	committed := func(t *testing.T, out, owner string) {
		require.Regexp(t, `committed `+owner+`-\d+ in block \d+\n`, out)
		require.Contains(t, out, fmt.Sprintf(`"owner":%q`, owner))
	}
	t.Run("node", func(t *testing.T) {
		_, err := exec.LookPath("node")
		requireTool(t, err == nil, "node")
		committed(t, r.follow(ctx, t, "node"), "node")
	})
	t.Run("java", func(t *testing.T) {
		requireJava(t)
		committed(t, r.follow(ctx, t, "java"), "java")
	})
}

// unpack unpacks the archive for this machine and returns its folder.
func unpack(t *testing.T) string {
	t.Helper()
	archives, err := filepath.Glob("../../build/release-test/fabric-gm-*-linux-" + runtime.GOARCH + ".tar.gz")
	require.NoError(t, err)
	require.Len(t, archives, 1, "run make test-release")
	dir := t.TempDir()
	out, err := exec.Command("tar", "-C", dir, "-xzf", archives[0]).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(dir, strings.TrimSuffix(filepath.Base(archives[0]), ".tar.gz"))
}

// binaries is the release's folder of binaries with what else a network of tests needs: the asset chaincode.
func binaries(t *testing.T, release string) string {
	t.Helper()
	dir := t.TempDir()
	programs, err := filepath.Glob(filepath.Join(release, "bin", "*"))
	require.NoError(t, err)
	asset, err := filepath.Abs("../../build/bin/asset")
	require.NoError(t, err)
	for _, program := range append(programs, asset, filepath.Join(release, "ccaas")) {
		require.NoError(t, os.Symlink(program, filepath.Join(dir, filepath.Base(program))))
	}
	return dir
}

// reader follows a document.
type reader struct {
	network       *network.Network
	release, home string
	document      string
}

// marked is a block that a test runs.
var marked = regexp.MustCompile("(?s)<!-- run: (\\w+) -->\n```sh\n(.*?)```")

func (r reader) block(t *testing.T, name string) string {
	t.Helper()
	for _, match := range marked.FindAllStringSubmatch(r.document, -1) {
		if match[1] == name {
			return strings.ReplaceAll(match[2], "/opt/fabric-gm", r.release)
		}
	}
	t.Fatalf("docs/applications.md has no block %s", name)
	return ""
}

// command runs a block in a folder. Of this machine's settings it has none but the path and the build cache, which saves time: what is in
// it was compiled of the same sources.
func (r reader) command(ctx context.Context, t *testing.T, dir, block string) *exec.Cmd {
	t.Helper()
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", block)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + filepath.Join(r.release, "bin") + ":" + os.Getenv("PATH"), "HOME=" + r.home, "GOTOOLCHAIN=local",
		"GOFLAGS=-modcacherw -trimpath", "GOCACHE=" + strings.TrimSpace(string(cache))}
	return cmd
}

// follow runs the blocks of these names, one after the other, in a folder that holds what a site gives to its user: a profile, and the
// user's identity.
func (r reader) follow(ctx context.Context, t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	org := r.network.Peers[0]
	write(t, filepath.Join(dir, "profile.yaml"), []byte(read(t, r.network.Profile(org))))
	user := filepath.Join(r.network.Dir, "crypto", "peerOrganizations", org.Domain, "users", "User1@"+org.Domain, "msp")
	for file, pattern := range map[string]string{"signcerts/cert.pem": "signcerts/*", "keystore/priv_sk": "keystore/*"} {
		found, err := filepath.Glob(filepath.Join(user, pattern))
		require.NoError(t, err)
		require.Len(t, found, 1)
		to := filepath.Join(dir, "user", "msp", file)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
		write(t, to, []byte(read(t, found[0])))
	}
	var block string
	for _, name := range names {
		block += r.block(t, name)
	}
	out, err := r.command(ctx, t, dir, block).CombinedOutput()
	require.NoError(t, err, "%s\n%s", block, out)
	return string(out)
}

// startProxy runs the document's proxy until the test ends. The test's namespace has its ports free.
func (r reader) startProxy(ctx context.Context, t *testing.T) {
	t.Helper()
	org := r.network.Peers[0]
	peer := org.PeersOf()[0]
	root := filepath.Join(r.network.Dir, "crypto", "peerOrganizations", org.Domain, "peers", peer.Name, "tls", "gm-ca.crt")
	block := strings.NewReplacer("peer0.org1.example.com:7051", peer.Address(), "/etc/fabric/app/gm-ca.crt", root).Replace(r.block(t, "proxy"))
	cmd := r.command(ctx, t, t.TempDir(), "exec "+block)
	cmd.Stderr = t.Output()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		response, err := http.Get("http://127.0.0.1:17052/healthz")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, time.Minute, 100*time.Millisecond, "the proxy is not healthy")
}
