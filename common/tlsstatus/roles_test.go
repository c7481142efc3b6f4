// SPDX-License-Identifier: Apache-2.0

package tlsstatus

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A role of a newer node is looked at like any other: a migration must not ignore it.
func TestInNetwork(t *testing.T) {
	for name, want := range map[string]bool{
		PeerServer: true, OrdererClusterClient: true, CAServer: true, PeerOperations: false, OrdererAdmin: false, PeerChaincode: false,
		CAOperations: false, "peer.newer": true, Unnamed: true,
	} {
		require.Equal(t, want, Role{Name: name}.InNetwork(), name)
	}
}

func TestOver(t *testing.T) {
	r := Role{
		Listeners: []Listener{
			{Connections: []Connections{{Protocol: "TLS", Suite: "a", Count: 2}, {Protocol: "TLCP", Count: 3}}},
			{Connections: []Connections{{Protocol: "TLS", Suite: "b", Count: 5}}},
		},
		Dialed: []Connections{{Protocol: "TLCP", Count: 7}},
	}
	listening, dialed := r.Over("TLS")
	require.Equal(t, []int{7, 0}, []int{listening, dialed})
	listening, dialed = r.Over("TLCP")
	require.Equal(t, []int{3, 7}, []int{listening, dialed})
}
