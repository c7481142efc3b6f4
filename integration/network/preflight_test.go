// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeBin is a folder in which every program that a network needs seems to be.
func fakeBin(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(bin, "ccaas", "bin"), 0o755))
	for _, tool := range tools {
		require.NoError(t, os.WriteFile(filepath.Join(bin, tool), []byte("#!/bin/sh\n"), 0o755))
	}
	for _, step := range builderSteps {
		require.NoError(t, os.WriteFile(filepath.Join(bin, "ccaas", "bin", step), []byte("#!/bin/sh\n"), 0o755))
	}
	return bin
}

func prepared(t *testing.T, change func(*Options)) *Network {
	t.Helper()
	// Ports that these tests do not open themselves are taken to be free.
	o := Options{Dir: filepath.Join(t.TempDir(), "net"), Bin: fakeBin(t), BasePort: 11000, Orderers: 1, Orgs: 1, Peers: 1}
	if change != nil {
		change(&o)
	}
	n, err := newNetwork(o, nil)
	require.NoError(t, err)
	return n
}

func TestPreflightNamesMissingPrograms(t *testing.T) {
	n := prepared(t, nil)
	require.NoError(t, n.checkTools())
	require.NoError(t, os.Remove(filepath.Join(n.Bin, "orderer")))
	require.NoError(t, os.Chmod(filepath.Join(n.Bin, "ccaas", "bin", "detect"), 0o644))
	err := n.preflight()
	require.ErrorContains(t, err, filepath.Join(n.Bin, "orderer"))
	require.ErrorContains(t, err, filepath.Join("ccaas", "bin", "detect"))
	require.ErrorContains(t, err, "make build")
}

func TestPreflightNamesBusyPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	n := prepared(t, nil)
	n.Ordering.Nodes[0].Operations = port
	err = n.checkPorts()
	require.ErrorContains(t, err, strconv.Itoa(port)+" (orderer0.example.com, operations)")
	require.ErrorContains(t, err, "BASE_PORT=")
}

func TestPreflightMeasuresTheDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	require.NoError(t, checkDisk(dir, 1))
	err := checkDisk(dir, 1<<62)
	require.ErrorContains(t, err, "MB free")
	require.ErrorContains(t, err, "DIR=")
}

func TestPreflightTellsLeftoversApart(t *testing.T) {
	n := prepared(t, nil)
	require.NoError(t, n.checkLeftover())
	require.NoError(t, n.save())
	require.ErrorContains(t, n.checkLeftover(), "no longer runs: start it again with")

	p := &process{Name: "orderer0.example.com", Command: []string{"/bin/sh", "-c", "exec sleep 600"}, Dir: n.Dir, Log: n.LogFile("x")}
	require.NoError(t, p.start(n.path("run", p.Name+".json")))
	defer func() { require.NoError(t, Down(t.Context(), n.Dir, &testWriter{t})) }()
	require.ErrorContains(t, n.checkLeftover(), "already runs from "+n.Dir+" (orderer0.example.com); stop it with make network-down")

	stranger := prepared(t, func(o *Options) { o.Dir = t.TempDir() })
	require.ErrorContains(t, stranger.checkLeftover(), "in the way")
}

type testWriter struct{ t *testing.T }

func (w *testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}

func TestDownStopsWhatIsRecordedAndRemovesTheRest(t *testing.T) {
	n := prepared(t, nil)
	require.NoError(t, n.save())
	p := &process{Name: "peer0", Command: []string{"/bin/sh", "-c", "exec sleep 600"}, Dir: n.Dir, Log: n.LogFile("peer0")}
	require.NoError(t, p.start(n.path("run", "peer0.json")))
	require.NoError(t, Down(t.Context(), n.Dir, &testWriter{t}))
	require.False(t, p.alive())
	require.NoDirExists(t, n.Dir)
	require.NoError(t, Down(t.Context(), n.Dir, &testWriter{t}), "twice is not an error")
}

func TestDownLeavesOtherFoldersAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "thesis.txt")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, Down(t.Context(), dir, &testWriter{t}), "does not look like the state of a network")
	require.FileExists(t, file)
}

// TestUnfinished: what a start that was interrupted has left is cleared, but not while it runs, and nothing of a network that was up.
func TestUnfinished(t *testing.T) {
	n := prepared(t, nil)
	require.NoError(t, n.clearUnfinished(t.Context()), "nothing is there")
	require.NoError(t, n.save())
	p := &process{Name: "peer0", Command: []string{"/bin/sh", "-c", "exec sleep 600"}, Dir: n.Dir, Log: n.LogFile("peer0")}
	require.NoError(t, p.start(n.path("run", "peer0.json")))
	release, err := lockStateDir(n.Dir)
	require.NoError(t, err)
	require.ErrorContains(t, n.clearUnfinished(t.Context()), "another command brings up")
	require.True(t, p.alive())
	release()
	require.NoError(t, n.clearUnfinished(t.Context()))
	require.False(t, p.alive())
	require.NoDirExists(t, n.Dir)

	n.ready = true
	require.NoError(t, n.save())
	require.NoError(t, n.clearUnfinished(t.Context()))
	require.DirExists(t, n.Dir)
}

// TestUnfinishedState: a start that ended while it wrote its state, or while it removed an older one, is known for that.
func TestUnfinishedState(t *testing.T) {
	n := prepared(t, nil)
	require.NoError(t, os.MkdirAll(n.Dir, 0o755))
	require.NoError(t, n.clearUnfinished(t.Context()))
	require.NoDirExists(t, n.Dir, "before it wrote its state")
	require.NoError(t, n.save())
	require.NoError(t, os.Rename(n.path(stateFile), n.path(stateFile+partial)))
	require.NoError(t, n.clearUnfinished(t.Context()))
	require.NoDirExists(t, n.Dir, "while it wrote its state")

	// zz comes after the state file, and cannot be removed.
	require.NoError(t, n.save())
	busy := n.path("zz", "busy")
	require.NoError(t, os.MkdirAll(busy, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(busy, "x"), nil, 0o600))
	require.NoError(t, os.Chmod(busy, 0o500))
	if os.Geteuid() == 0 { // who may remove what is in any folder, but not one where something is mounted
		if err := syscall.Mount("tmpfs", busy, "tmpfs", 0, ""); err != nil {
			t.Skip(err)
		}
		defer func() { require.NoError(t, syscall.Unmount(busy, 0)) }()
	}
	defer func() { _ = os.Chmod(busy, 0o700) }()
	require.Error(t, removeState(n.Dir))
	require.FileExists(t, n.path(stateFile))
}
