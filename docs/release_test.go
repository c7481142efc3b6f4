// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// releaseKey makes a key as a publisher or a site has it, and the line by which others trust it.
func releaseKey(t *testing.T) (key, signers string) {
	t.Helper()
	dir := t.TempDir()
	key, signers = filepath.Join(dir, "key"), filepath.Join(dir, "signers")
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput()
	require.NoError(t, err, "%s", out)
	public, err := os.ReadFile(key + ".pub")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(signers, append([]byte("fabric-gm-release "), public...), 0o600))
	return key, signers
}

// TestReleaseSignature signs and verifies a folder that looks like a release with our scripts and with the command of
// docs/deployment.md, and wants every change of what is signed refused.
func TestReleaseSignature(t *testing.T) {
	const archive = "fabric-gm-v0-linux-amd64.tar.gz"
	key, signers := releaseKey(t)
	foreign, foreignSigners := releaseKey(t)
	script := func(name string, args ...string) error {
		out, err := exec.Command("../scripts/"+name, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	write := func(dir, name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	sums := func(content string) string {
		return fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(content)), archive)
	}
	for name, tc := range map[string]struct {
		change  func(dir string)
		signers string
		want    string // empty: verifies
	}{
		"as signed":            {func(string) {}, signers, ""},
		"archive changed":      {func(dir string) { write(dir, archive, "other") }, signers, "did NOT match"},
		"archive missing":      {func(dir string) { os.Remove(filepath.Join(dir, archive)) }, signers, "No such file"},
		"archive added":        {func(dir string) { write(dir, "fabric-gm-v0-linux-arm64.tar.gz", "x") }, signers, "is not in SHA256SUMS"},
		"file added":           {func(dir string) { write(dir, "fabric-gm-v0-linux-amd64.tgz", "x") }, signers, "fabric-gm-v0-linux-amd64.tgz is not in SHA256SUMS"},
		"link added":           {func(dir string) { require.NoError(t, os.Symlink("/", filepath.Join(dir, "x"))) }, signers, "x is not in SHA256SUMS"},
		"unpacked":             {func(dir string) { require.NoError(t, os.Mkdir(filepath.Join(dir, "fabric-gm"), 0o700)) }, signers, ""},
		"list changed too":     {func(dir string) { write(dir, archive, "other"); write(dir, "SHA256SUMS", sums("other")) }, signers, "incorrect signature"},
		"signature missing":    {func(dir string) { os.Remove(filepath.Join(dir, "SHA256SUMS.sig")) }, signers, "read signature file"},
		"failed to sign again": {func(dir string) { require.Error(t, script("sign.sh", filepath.Join(dir, "none"), dir)) }, signers, ""},
		"key of others":        {func(string) {}, foreignSigners, "Could not verify signature"},
		"signed by others":     {func(dir string) { require.NoError(t, script("sign.sh", foreign, dir)) }, signers, "Could not verify signature"},
		"signed again by the site": {
			func(dir string) { require.NoError(t, script("sign.sh", foreign, dir)) }, foreignSigners, "",
		},
		"signed for another purpose": {func(dir string) {
			os.Remove(filepath.Join(dir, "SHA256SUMS.sig"))
			out, err := exec.Command("ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "file", filepath.Join(dir, "SHA256SUMS")).CombinedOutput()
			require.NoError(t, err, "%s", out)
		}, signers, "namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(dir, archive, "content")
			write(dir, "SHA256SUMS", sums("content"))
			require.NoError(t, script("sign.sh", key, dir))
			tc.change(dir)
			err := script("verify-release.sh", tc.signers, dir)
			if tc.want == "" {
				require.NoError(t, err)
				requireDocumentedCommand(t, dir, tc.signers)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}

	dir := t.TempDir()
	write(dir, archive, "changed since")
	write(dir, "SHA256SUMS", sums("content"))
	require.ErrorContains(t, script("sign.sh", key, dir), "is not signed")
}

// TestUnpackedRelease unpacks two releases one after another by the commands of docs/deployment.md: the folder that other pages name is that of
// the last, and everybody on the machine can run its programs.
func TestUnpackedRelease(t *testing.T) {
	text, err := os.ReadFile("deployment.md")
	require.NoError(t, err)
	commands := regexp.MustCompile("(?s)```sh\n(tar -C /opt .*?)```").FindStringSubmatch(string(text))
	require.NotNil(t, commands)
	opt := t.TempDir()
	for _, version := range []string{"v1", "v2"} {
		dir := t.TempDir()
		name := "fabric-gm-" + version + "-linux-amd64"
		make := fmt.Sprintf("mkdir -p x/%[1]s/bin && echo %[2]s >x/%[1]s/bin/peer && chmod 0755 x/%[1]s/bin x/%[1]s/bin/peer && tar -C x -czf %[1]s.tar.gz %[1]s && rm -r x", name, version)
		for _, script := range []string{make, "umask 077\n" + strings.ReplaceAll(commands[1], "/opt", opt)} {
			run := exec.Command("sh", "-euc", script)
			run.Dir = dir
			out, err := run.CombinedOutput()
			require.NoError(t, err, "%s\n%s", script, out)
		}
		peer, err := os.ReadFile(filepath.Join(opt, "fabric-gm/bin/peer"))
		require.NoError(t, err)
		require.Equal(t, version+"\n", string(peer))
		info, err := os.Stat(filepath.Join(opt, "fabric-gm/bin/peer"))
		require.NoError(t, err)
		require.EqualValues(t, 0o755, info.Mode())
	}
}

// requireDocumentedCommand runs what an operator without a clone is told to run.
func requireDocumentedCommand(t *testing.T, dir, signers string) {
	t.Helper()
	doc, err := os.ReadFile("deployment.md")
	require.NoError(t, err)
	var command string
	for _, line := range strings.Split(string(doc), "\n") {
		if strings.HasPrefix(line, "ssh-keygen -Y verify") {
			command = line
		}
	}
	require.NotEmpty(t, command)
	data, err := os.ReadFile(signers)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "signers"), data, 0o600))
	run := exec.Command("sh", "-c", command)
	run.Dir = dir
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), `Good "fabric-gm-release" signature`)
}
