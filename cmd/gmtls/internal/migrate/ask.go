// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"slices"

	"github.com/hyperledger/fabric/common/tlsstatus"
)

// Node is what a node of an inventory says about itself.
type Node struct {
	Name    string
	Problem string // why it could not be asked
	Version string
	Fork    bool
	Roles   []NodeRole
}

// NodeRole is one of the node's servers or dialers.
type NodeRole struct {
	Role, ServerMode, ClientMode string
	TLS, TLCP, TLS13             int // live connections; TLS13 are those of TLS 1.3 with GM suites
}

// Listens reports whether the node shows a listener for nodes and clients. One without TLS is not shown.
func (n Node) Listens() bool {
	return slices.ContainsFunc(n.Roles, func(r NodeRole) bool { return isService(r.Role, r.ServerMode) })
}

// Ask asks every node of the inventory in the file.
func Ask(ctx context.Context, file string) ([]Node, error) {
	inv, err := loadInventory(file)
	if err != nil {
		return nil, err
	}
	var nodes []Node
	for _, f := range gather(ctx, inv) {
		node := Node{Name: f.Name, Problem: f.Problem, Version: f.Version, Fork: f.Fork}
		for _, r := range f.Roles {
			both := func(protocol string) int {
				listening, dialed := r.Over(protocol)
				return listening + dialed
			}
			node.Roles = append(node.Roles, NodeRole{
				r.Name, string(r.ServerMode), string(r.ClientMode), both(tlsstatus.OverTLS), both(tlsstatus.OverTLCP), both(tlsstatus.OverTLS13),
			})
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}
