// SPDX-License-Identifier: Apache-2.0

package tlsstatus

import "strings"

// Names of roles. A process uses no others: the tests of docs compare the sources and the operators' guides with this list.
const (
	PeerServer           = "peer.server"
	PeerClient           = "peer.client"
	PeerGateway          = "peer.gateway"
	PeerOperations       = "peer.operations"
	PeerChaincode        = "peer.chaincode"
	OrdererGeneral       = "orderer.general"
	OrdererClusterServer = "orderer.cluster.server"
	OrdererClusterClient = "orderer.cluster.client"
	OrdererOperations    = "orderer.operations"
	OrdererAdmin         = "orderer.admin"
	CAServer             = "ca.server"
	CAOperations         = "ca.operations"
)

// Unnamed stands for dialers without a role, for example those to chaincode servers, and for listeners without one.
const Unnamed = "(unnamed)"

// Purpose says who talks to a role.
type Purpose int

const (
	ForNetwork   Purpose = iota // nodes and clients of the network, or the CA's
	ForOperators                // operators' tools, which may not speak TLCP
	ForChaincode                // chaincode that the peer launched, with a protocol that the peer chooses
)

// Purposes has every role.
var Purposes = map[string]Purpose{
	PeerServer:           ForNetwork,
	PeerClient:           ForNetwork,
	PeerGateway:          ForNetwork,
	PeerOperations:       ForOperators,
	PeerChaincode:        ForChaincode,
	OrdererGeneral:       ForNetwork,
	OrdererClusterServer: ForNetwork,
	OrdererClusterClient: ForNetwork,
	OrdererOperations:    ForOperators,
	OrdererAdmin:         ForOperators,
	CAServer:             ForNetwork,
	CAOperations:         ForOperators,
}

// InNetwork reports whether nodes or clients of the network talk to the role. It is true of a role that this build does not
// know, so that no migration ignores it.
func (r Role) InNetwork() bool { return Purposes[r.Name] == ForNetwork }

// IsOrderer reports whether the role is an orderer's.
func (r Role) IsOrderer() bool { return strings.HasPrefix(r.Name, "orderer.") }

// Has reports whether the role presents a certificate of the use.
func (r Role) Has(use string) bool {
	for _, c := range r.Certificates {
		if c.Use == use {
			return true
		}
	}
	return false
}

// Over counts the role's live connections of a protocol.
func (r Role) Over(protocol string) (listening, dialed int) {
	for _, l := range r.Listeners {
		listening += count(l.Connections, protocol)
	}
	return listening, count(r.Dialed, protocol)
}

func count(connections []Connections, protocol string) (n int) {
	for _, c := range connections {
		if c.Protocol == protocol {
			n += c.Count
		}
	}
	return n
}
