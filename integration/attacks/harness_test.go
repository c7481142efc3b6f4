// SPDX-License-Identifier: Apache-2.0

// Package attacks does to running nodes what strangers, members and insiders could, and checks what the nodes make of it.
// "make build network-tools" must have gone before. Tests without a build tag are the short form, part of make test; those with
// the tag integration take minutes and run by make test-integration.
package attacks

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// start brings up a network for one test.
func start(t *testing.T, o network.Options) (*network.Network, context.Context) {
	t.Helper()
	return networktest.Start(t, o)
}

// dial connects to a node with the TLS or TLCP certificates of a user of org, until the end of the test.
func dial(t *testing.T, n *network.Network, node network.Node, org network.Org, user string) *grpc.ClientConn {
	t.Helper()
	conn, err := n.Dial(node, org, user)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
