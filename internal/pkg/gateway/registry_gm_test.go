// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"testing"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/stretchr/testify/require"
)

func TestOrdererWithOtherRootsLeavesTheRegistry(t *testing.T) {
	old, added := []byte("old root"), []byte("added root")
	reg := &registry{logger: flogging.MustGetLogger("test")}
	stays := &endpointConfig{address: "stays:1", tlsRootCerts: [][]byte{old, added}}
	changes := &endpointConfig{address: "changes:1", tlsRootCerts: [][]byte{old}}
	for _, ep := range []*endpointConfig{stays, changes} {
		reg.broadcastClients.Store(ep.address, &orderer{endpointConfig: ep, closeConnection: func() error { return nil }})
	}
	reg.closeStaleOrdererConnections("trade", []*endpointConfig{
		{address: "stays:1", tlsRootCerts: [][]byte{added, old}}, {address: "changes:1", tlsRootCerts: [][]byte{old, added}},
	})
	_, found := reg.broadcastClients.Load("stays:1")
	require.True(t, found, "the order of the roots means nothing")
	_, found = reg.broadcastClients.Load("changes:1")
	require.False(t, found, "the connection would keep the old roots")
}
