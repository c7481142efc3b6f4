// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kitsLimit is for a whole test, which may have to compile gRPC.
const kitsLimit = 15 * time.Minute

// strange is the machine of somebody who has the kits and nothing else: its own home and module cache, and no network. The build
// cache is the one at hand, to save time: what is in it was compiled of the same sources.
type strange struct{ kits, home, cache string }

func newStrange(t *testing.T) strange {
	t.Helper()
	if out, err := exec.Command("unshare", "--user", "--map-root-user", "--net", "true").CombinedOutput(); err != nil {
		t.Skipf("no network namespaces here: %s", out)
	}
	kits, err := filepath.Abs("../../build/kits")
	require.NoError(t, err)
	_, err = os.Stat(kits)
	requireTool(t, err == nil, kits+", which make kits writes,")
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	return strange{kits: kits, home: t.TempDir(), cache: strings.TrimSpace(string(cache))}
}

// run runs a command in a folder, in a network namespace that has no interface up.
func (s strange) run(ctx context.Context, t *testing.T, dir string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--user", "--map-root-user", "--net"}, command...)...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw -trimpath", "GOCACHE=" + s.cache,
		"GOPROXY=file://" + filepath.Join(s.kits, "modules"), "GONOSUMDB=github.com/hyperledger/fabric/*",
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", strings.Join(command, " "), out)
	return string(out)
}

// build copies a template into an empty folder and builds it.
func (s strange) build(ctx context.Context, t *testing.T, template string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), template)
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(s.kits, template))), "run make kits")
	s.run(ctx, t, dir, "go", "build", ".")
	s.run(ctx, t, dir, "go", "mod", "verify")
	return filepath.Join(dir, template)
}

// TestKits builds every sample from the kits alone, without network, and programs that use none of them.
func TestKits(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), kitsLimit)
	defer cancel()
	s := newStrange(t)
	for _, sample := range []string{"application", "assetclient", "offline", "sealed", "token"} {
		s.build(ctx, t, sample)
	}
	fromNothing(ctx, t, s)
	fromReadme(ctx, t, s)
	partsAlone(ctx, t, s)
}

// partsAlone uses certificates and SM2 tables by themselves, on files that OpenSSL made.
func partsAlone(ctx context.Context, t *testing.T, s strange) {
	t.Helper()
	dir := t.TempDir()
	s.run(ctx, t, dir, "go", "mod", "init", "example.com/parts")
	for _, folder := range []string{"gmx509", "sm2table"} {
		s.run(ctx, t, dir, "env", "GOSUMDB=off", "go", "get", "github.com/hyperledger/fabric/common/crypto/"+folder+"@"+s.version(t, "common/crypto"))
	}
	write(t, filepath.Join(dir, "main.go"), []byte(read(t, "testdata/parts/main.go")))
	files, err := filepath.Abs("../../common/crypto/gmx509/testdata/openssl")
	require.NoError(t, err)
	require.Equal(t, "chain without its intermediate: false\nchain: true\nsignature: true\nsignature by table: true\nanother message by table: false\n",
		s.run(ctx, t, dir, "go", "run", ".", files))
	packages := s.run(ctx, t, dir, "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	for _, path := range strings.Fields(packages) {
		require.True(t, path == "example.com/parts" || strings.HasPrefix(path, "github.com/hyperledger/fabric/common/crypto/") ||
			strings.HasPrefix(path, "github.com/emmansun/gmsm/") || strings.HasPrefix(path, "golang.org/x/"), "%s is linked in", path)
	}
}

// version returns the version of a kit.
func (s strange) version(t *testing.T, kit string) string {
	t.Helper()
	return strings.TrimSpace(read(t, filepath.Join(s.kits, "modules", "github.com", "hyperledger", "fabric", kit, "@v", "list")))
}

// fromReadme runs what the README says, in an empty folder.
func fromReadme(ctx context.Context, t *testing.T, s strange) {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../README.md"), "<!-- needs: release -->\n```sh\n")
	require.True(t, found)
	commands, _, _ := strings.Cut(rest, "```")
	require.Contains(t, commands, "/opt/fabric-gm/kits")
	dir := t.TempDir()
	s.run(ctx, t, dir, "sh", "-eu", "-c", strings.ReplaceAll(commands, "/opt/fabric-gm/kits", s.kits))
	require.FileExists(t, filepath.Join(dir, "application", "application"))
}

// fromNothing starts a module without a template, with the commands of docs/applications.md.
func fromNothing(ctx context.Context, t *testing.T, s strange) {
	t.Helper()
	dir := t.TempDir()
	s.run(ctx, t, dir, "go", "mod", "init", "example.com/own")
	for _, folder := range []string{"pkg/gmgateway", "common/crypto/sm3", "common/crypto/gmtls"} {
		s.run(ctx, t, dir, "env", "GOSUMDB=off", "go", "get", "github.com/hyperledger/fabric/"+folder+"@"+s.version(t, "pkg"))
	}
	write(t, filepath.Join(dir, "main.go"), []byte("package main\n\nimport (\n\t\"fmt\"\n\n\t\"github.com/hyperledger/fabric/common/crypto/gmtls\"\n)\n\n"+
		"func main() { fmt.Println(len(gmtls.CipherSuites()) > 0) }\n"))
	require.Equal(t, "true\n", s.run(ctx, t, dir, "go", "run", "."))
}
