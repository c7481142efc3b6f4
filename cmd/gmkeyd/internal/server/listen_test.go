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
