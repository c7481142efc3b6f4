// SPDX-License-Identifier: Apache-2.0

package safefile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/safefile/safefiletest"
)

// folder has the named files, each with its own name as content.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	return dir
}

// requireFiles: the folder holds these files and no others, also none that were written beside them.
func requireFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	got := map[string]string{}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		got[entry.Name()] = string(data)
	}
	require.Equal(t, want, got)
}

func TestReplace(t *testing.T) {
	dir := folder(t, "a", "b")
	require.NoError(t, Replace(
		File{filepath.Join(dir, "a"), []byte("1"), 0o600}, File{filepath.Join(dir, "b"), []byte("2"), 0o644}, File{filepath.Join(dir, "c"), nil, 0o600}))
	requireFiles(t, dir, map[string]string{"a": "1", "b": "2", "c": ""})
	for name, mode := range map[string]os.FileMode{"a": 0o600, "b": 0o644, "c": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), name)
	}
}

// TestNoneIsReplaced: where one file cannot be written, the others stay what they were. In the second case the disk
// has room for the key alone.
func TestNoneIsReplaced(t *testing.T) {
	dir := folder(t, "key", "cert")
	want := map[string]string{"key": "key", "cert": "cert"}
	require.Error(t, Replace(File{filepath.Join(dir, "key"), []byte("new"), 0o600}, File{filepath.Join(dir, "missing", "cert"), []byte("new"), 0o644}))
	requireFiles(t, dir, want)

	err := safefiletest.OnFullDisk(t, 3, func() error {
		return Replace(File{filepath.Join(dir, "key"), []byte("new"), 0o600}, File{filepath.Join(dir, "cert"), []byte("longer"), 0o644})
	})
	require.ErrorIs(t, err, syscall.EFBIG)
	requireFiles(t, dir, want)
}

// TestCreate: a file that is there stays, and of one that the disk has no room for nothing stays.
func TestCreate(t *testing.T) {
	dir := folder(t, "there")
	require.ErrorIs(t, Create(File{filepath.Join(dir, "there"), []byte("new"), 0o600}), os.ErrExist)
	full := filepath.Join(dir, "full")
	err := safefiletest.OnFullDisk(t, 3, func() error { return Create(File{full, []byte("longer"), 0o600}) })
	require.ErrorIs(t, err, syscall.EFBIG)
	require.ErrorContains(t, err, "writing "+full)
	require.NoError(t, Create(File{filepath.Join(dir, "new"), []byte("new"), 0o600}))
	requireFiles(t, dir, map[string]string{"there": "there", "new": "new"})
}

// TestLink: a link stays, and the file that it leads to is replaced.
func TestLink(t *testing.T) {
	dir, other := t.TempDir(), folder(t, "cert")
	link := filepath.Join(dir, "cert")
	require.NoError(t, os.Symlink(filepath.Join(other, "cert"), link))
	require.NoError(t, Replace(File{link, []byte("new"), 0o644}))
	requireFiles(t, other, map[string]string{"cert": "new"})
	requireFiles(t, dir, map[string]string{"cert": "new"})
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
}

// TestUnfinished: while a file is written it has a name that readers of the folder pass over, and what a crash has left goes with the next
// write, as it may be a key.
func TestUnfinished(t *testing.T) {
	dir := folder(t, "key", ".key.1.unfinished", ".key.2.unfinished", ".other.1.unfinished", ".key.1", "key.unfinished")
	long := time.Now().Add(-2 * abandonedAfter)
	for _, name := range []string{"key", ".key.1.unfinished", ".other.1.unfinished", ".key.1", "key.unfinished"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), long, long))
	}
	beside, err := write(filepath.Join(dir, "key"), File{Data: []byte("new"), Mode: 0o600})
	require.NoError(t, err)
	require.True(t, Unfinished(beside))
	require.False(t, Unfinished(filepath.Join(dir, "key.unfinished")), "somebody's own file")
	require.NoError(t, os.Remove(beside))
	requireFiles(t, dir, map[string]string{
		"key": "key", ".key.1": ".key.1", "key.unfinished": "key.unfinished", ".other.1.unfinished": ".other.1.unfinished",
		".key.2.unfinished": ".key.2.unfinished", // somebody may be writing it now
	})
}
