// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFreeBlock(t *testing.T) {
	base, err := FreeBlock()
	require.NoError(t, err)
	require.NoError(t, Options{Mode: ModeGM, ClientMode: ModeGM, Algorithm: AlgorithmGM, Orderers: 1, Orgs: 9, Peers: 1, BasePort: base, MaxMessages: 1}.validate())

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	taken := l.Addr().(*net.TCPAddr).Port
	require.False(t, freeFrom(taken-2*portsPerNode-3, taken+1), "not the first port of a node")
}
