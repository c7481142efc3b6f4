// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric/internal/keydtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The socket of a daemon that runs is left alone, that of one that has ended, or is about to, is replaced; another file is not.
func TestListen(t *testing.T) {
	path := filepath.Join(keydtest.ShortDir(t), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	old.SetUnlinkOnClose(false) // as after kill -9
	_, err = Listen(path)
	require.ErrorContains(t, err, "another daemon listens on "+path)

	time.AfterFunc(lingers/4, func() { old.Close() })
	l, err := Listen(path)
	require.NoError(t, err)
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	conn.Close()
	require.NoError(t, l.Close())

	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = Listen(path)
	require.ErrorContains(t, err, "is not a socket")
}

// TestListenBesideAFullQueue: a daemon that runs and does not come to take connections has its socket left alone, too.
func TestListenBesideAFullQueue(t *testing.T) {
	path := filepath.Join(keydtest.ShortDir(t), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	require.NoError(t, unix.Listen(fd, 0))
	for err == nil {
		var conn net.Conn
		if conn, err = net.Dial("unix", path); err == nil {
			defer conn.Close()
		}
	}
	require.ErrorIs(t, err, unix.EAGAIN)
	before, err := os.Lstat(path)
	require.NoError(t, err)
	_, err = Listen(path)
	require.ErrorContains(t, err, "whether another daemon listens on "+path+" cannot be told")
	after, err := os.Lstat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
}

// TestListenTogether: of two daemons that start at once beside the socket of one that was killed, the second does not take away what the
// first has made.
func TestListenTogether(t *testing.T) {
	path := filepath.Join(keydtest.ShortDir(t), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	old.SetUnlinkOnClose(false)
	require.NoError(t, old.Close())

	alone, err := lock(path + ".lock") // the first has seen that nobody serves, and is about to replace the socket
	require.NoError(t, err)
	second := make(chan error, 1)
	go func() {
		l, err := Listen(path)
		if err == nil {
			l.Close()
		}
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatal("the second did not wait: ", err)
	case <-time.After(lingers / 4):
	}
	require.NoError(t, os.Remove(path))
	first, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer first.Close()
	require.NoError(t, alone.Close())
	require.ErrorContains(t, <-second, "another daemon listens on "+path)
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	conn.Close()
}

// TestListenBesideAStart: a start that does not end is told by the name of the file that it has locked.
func TestListenBesideAStart(t *testing.T) {
	path := filepath.Join(keydtest.ShortDir(t), "s")
	alone, err := lock(path + ".lock")
	require.NoError(t, err)
	defer alone.Close()
	_, err = Listen(path)
	require.ErrorContains(t, err, "another daemon is starting: it has locked "+path+".lock")
}
