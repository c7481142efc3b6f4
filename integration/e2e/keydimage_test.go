// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/keyd"
	"github.com/hyperledger/fabric/internal/keydtest"
)

// TestKeyDaemonImage uses a simulated device from the image, through a folder that is shared with the container.
func TestKeyDaemonImage(t *testing.T) {
	if exec.Command("docker", "image", "inspect", "fabric-gm-keyd").Run() != nil {
		t.Skip("no Docker engine with the image fabric-gm-keyd; make docker builds it")
	}
	dir := keydtest.ShortDir(t)
	library := keydtest.Library(t, dir, keydtest.SDF)
	key := keydtest.NewKey(t)
	folder := keydtest.Must(keydtest.NewFolder(filepath.Join(dir, "state"), "", []keydtest.Key{{Index: 1, Usage: keyd.UsageSign, Private: key}}))(t)
	t.Cleanup(func() { _ = folder.Close() })
	config := "users: [{user: '0'}]\ndevices: [{name: hsm, random: true, sdf: {library: /device/" + filepath.Base(library) + ", keys: [{index: 1}]}}]\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gmkeyd.yaml"), []byte(config), 0o644))
	run := filepath.Join(dir, "run")
	require.NoError(t, os.Mkdir(run, 0o755))
	for _, path := range []string{dir, filepath.Join(dir, "state"), run} {
		require.NoError(t, os.Chmod(path, 0o777)) // the container runs as another user
	}
	require.NoError(t, os.Chmod(filepath.Join(dir, "state", "faults"), 0o666))
	require.NoError(t, os.Chmod(filepath.Join(dir, "state", "keys"), 0o644))

	out, err := exec.Command("docker", "run", "--detach", "--network", "none", "--read-only", "--cap-drop", "ALL",
		"--env", "SIMULATED_DEVICE=/device/state", "--volume", dir+":/device", "--volume", run+":/run/gmkeyd",
		"--volume", filepath.Join(dir, "gmkeyd.yaml")+":/etc/gmkeyd/gmkeyd.yaml:ro", "fabric-gm-keyd").CombinedOutput()
	require.NoError(t, err, string(out))
	id := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", id).Run() })

	uri, err := keyd.ParseURI("sdf:device=hsm;index=1;usage=sign")
	require.NoError(t, err)
	k, err := keyd.NewKey(keyd.Reference{URI: uri, Socket: filepath.Join(run, "gmkeyd.sock"), Public: &key.PublicKey})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	signature, err := k.SignContext(ctx, []byte("message"), sm2.DefaultSM2SignerOpts)
	logs, _ := exec.Command("docker", "logs", id).CombinedOutput()
	require.NoError(t, err, string(logs))
	require.True(t, sm2.VerifyASN1WithSM2(&key.PublicKey, nil, []byte("message"), signature))
	status, err := exec.Command("docker", "exec", id, "/usr/local/bin/gmkeyd", "status").CombinedOutput() // as HEALTHCHECK does
	require.NoError(t, err, string(status))
	require.Contains(t, string(status), `"Healthy": true`)
}
